# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Lab 14: accelerators
#
# About three and a half hours of your time. All cells together run in under two minutes on two cores, in 1.2 GB; the first time up
# to a minute longer, since simulators are compiled to machine code.
#
# When you have done it, you can
#
# - follow every number through a systolic array, cycle by cycle;
# - say in closed form what a dataflow takes, and which one a layer wants;
# - hide memory behind arithmetic, and see where that fails;
# - skip zeros, compute bit by bit, prune attention in hardware, and say what each costs;
# - size an accelerator for a network under a budget.

# %% tags=["parameters"]
SEED = 0
FAST = False

# %% [markdown]
# `hardware` holds the machines: each computes the true result and counts its cycles and every word that it moves. `panels` are the things
# to play with.

# %%
from dataclasses import replace
from itertools import product

import numpy as np
import torch

from efficientdl import datasets, models
from efficientdl.course import check, compare, course_progress, hint, predict, submit
from efficientdl.course.panels import lab_14 as panels
from efficientdl.systems import hardware
from efficientdl.systems.hardware import Arch, Array, Bits, Conv, Dataflow, Gemm
from efficientdl.systems.hardware import attention, dataflow, explore, low_bit, memory
from efficientdl.systems.hardware import presets, rlc, row_stationary, sparse
from efficientdl.systems.hardware.energy import energy
from efficientdl.tensors import balanced

# %% [markdown]
# ## 1. A grid of multipliers
#
# An accelerator is a grid of multipliers, each with a neighbour to pass numbers on to. The first TPU has 256 x 256 of them: 65,536
# multiply-adds in *every* cycle, if each has something to do.

# %%
predict(
    "accel-predict-tpu",
    "MobileNetV2 has a thirteenth of the MACs of ResNet-50. One picture on that grid: how many cycles "
    "does it take beside ResNet-50?",
    ["about a thirteenth", "about as many", "ten times as many or more"],
)

# %% [markdown]
# By hand first: four kinds of layers from the two. Choose the sides of the grid, and what stays in a unit while the rest moves past
# it. For which of the layers is there no good choice?

# %%
panels.by_hand()

# %% [markdown]
# What does "moves past it" mean? Watch a small product, cycle by cycle. Each unit does one MAC with what it holds, then everything moves
# on by one unit.

# %%
panels.waves()

# %% [markdown] lead="accel-fold"
# What the grid computes at a time is a **fold**. Let sums stay: unit $(i, j)$ keeps $y_{ij}$. Row $i$ of `x`, r x k, enters from the left
# and column $j$ of `weight`, k x c, from above, each row and column one cycle after the one before. So in cycle $t$, counted from 0, unit
# $(i, j)$ sees word $p = t - i - j$ of both, if there is one. Return the sums after so many cycles, and how many units worked in each.


# %% exercise="accel-fold"
def after_cycles(x: np.ndarray, weight: np.ndarray, cycles: int) -> tuple[np.ndarray, list[int]]:
    """The sums in the units, r x c, and the number of units at work in each cycle."""
    ### BEGIN SOLUTION
    sums, busy = np.zeros((len(x), weight.shape[1]), int), []
    i, j = np.indices(sums.shape)
    for t in range(cycles):
        p = t - i - j
        works = (p >= 0) & (p < x.shape[1])
        sums[works] += x[i[works], p[works]] * weight[p[works], j[works]]
        busy.append(int(works.sum()))
    return sums, busy
    ### END SOLUTION


# %%
check("accel-fold")

# %% [markdown]
# Stuck? `hint("accel-fold")` in a cell of your own gives a nudge; call it again and it gives more.
#
# The library's `simulate` moves every word of a whole layer, fold after fold. A real one: 64 digits times the first layer of
# LeNet-300-100, as whole numbers of eight bits (lab 04).

# %%
lenet, digits = models.trained("lenet_300_100_mnist"), datasets.load("mnist")
w8, x8 = panels.eight_bits(lenet.fc1.weight), panels.eight_bits(digits.val.x[:64].flatten(1))
w8, fc1 = w8.T, Gemm(m=64, k=784, n=300)
small = Arch("16 x 16", Array(16, 16), Dataflow.OUTPUT_STATIONARY)
run = hardware.simulate(fc1, small, x8, w8)
print("as NumPy:", np.array_equal(run.y, x8.astype(int) @ w8))
print(hardware.analyse(fc1, small).explain())
print("every count the same:", run == hardware.analyse(fc1, small))

# %% [markdown]
# `analyse` found the same numbers by formula, in microseconds, without any data. That is what makes searching for a design possible, and the
# simulation is what proves the formula.

# %% [markdown]
# ## 2. What stays
#
# Words that stay are read from the buffer once. The choice is called a **dataflow**: weights stay (TPU), sums (ShiDianNao), inputs, or
# nothing at all (DianNao: registers cost area, too).

# %% [markdown] lead="accel-closed"
# Let weights stay. Rows of the grid stand for $k$, columns for $n$; the $m$ rows of `x` pass. A fold loads its weights in `rows`
# cycles, then its last sum leaves after $m + rows + cols - 2$ more. Folds follow each other, and a fold that does not fill the grid
# takes as long. Return cycles, and words between buffer and grid: inputs read, weights read, and *unfinished* sums, which one fold
# writes and the next one reads.


# %% exercise="accel-closed"
def weight_stationary_counts(
    m: int, k: int, n: int, rows: int, cols: int
) -> tuple[int, int, int, int]:
    """Cycles, inputs read, weights read, and unfinished sums written and read."""
    ### BEGIN SOLUTION
    down, across = -(-k // rows), -(-n // cols)
    cycles = down * across * (rows + m + rows + cols - 2)
    return cycles, m * k * across, k * n, 2 * m * n * (down - 1)
    ### END SOLUTION


# %%
check("accel-closed")

# %% [markdown]
# The library's count of the digits, on 16 x 16 units:

# %%
theirs = dataflow.weight_stationary(fc1, Array(16, 16))
found = theirs.cycles, *(theirs.accesses["buffer"][name] for name in ("x", "weight", "psum"))
yours = panels.agrees(weight_stationary_counts, 64, 784, 300, 16, 16, theirs=found)
print("as the library's:", yours)

# %% [markdown]
# The four of them, on the same digits. The grid is the same, so differences are the dataflow's. "Nothing stays" is not slow at all: it pays
# in words from the buffer.

# %%
flows = {
    "weights stay": dataflow.weight_stationary,
    "sums stay": dataflow.output_stationary,
    "inputs stay": dataflow.input_stationary,
    "nothing stays": dataflow.no_local_reuse,
}
for name, flow in flows.items():
    run = flow(fc1, Array(16, 16))
    print(f"{name:14} {run.cycles:8,} cycles, {run.words('buffer'):10,} words of the buffer")

# %% [markdown]
# ### Rows stay
#
# Eyeriss keeps *rows* of filters. A unit slides one over a row of the input: a convolution in one dimension. For a filter of r rows, r
# units below each other give a row of the output, and one that is e rows high takes a **set** of r x e units. A row of the input is shared
# along a diagonal.

# %% [markdown] lead="accel-rows"
# How many units work? The grid has room for `rows // r` **strips**, each r units high and `cols` wide. A set that is wider than the grid is
# folded: it takes `ceil(e / cols)` strips. If there are not so many, all strips are full, and the rest of the output comes later.
# Otherwise as many whole sets work at once as there are strips for, each on other channels or filters.


# %% exercise="accel-rows"
def active_units(rows: int, cols: int, r: int, e: int) -> int:
    """Units at work, for filters of r rows and an output of e rows; r is at most rows."""
    ### BEGIN SOLUTION
    strips, needed = rows // r, -(-e // cols)
    if needed > strips:
        return r * strips * cols
    return strips // needed * r * e
    ### END SOLUTION


# %%
check("accel-rows")

# %% [markdown]
# Eyeriss was built, and measured on AlexNet: 154, 135, 156, 156 and 156 of its 12 x 14 units were at work in the five convolutions.
# Yours:

# %%
alexnet = [layer for layer in panels.layers_of("alexnet").values() if isinstance(layer, Conv)]
shapes = [(12, 14, layer.kernel[0], layer.outputs[0]) for layer in alexnet]
measured = [154, 135, 156, 156, 156]
print("as measured:", panels.agrees(lambda: [active_units(*s) for s in shapes], theirs=measured))

# %% [markdown]
# Now the machine itself, on a real picture: the third layer of the small CNN for clothes, with what comes into it.

# %%
cnn, fashion = models.trained("small_cnn_fashion"), datasets.load("fashion_mnist")
with torch.no_grad():
    maps = panels.eight_bits(cnn.conv2(cnn.conv1(fashion.val.x[:1])))
conv3 = hardware.from_torch(cnn, fashion.val.x[:1])["conv3.conv"]
filters = panels.eight_bits(cnn.conv3.conv.weight)
by_rows = row_stationary.simulate_rows(conv3, presets.eyeriss(), maps, filters)
print("as NumPy:", np.array_equal(by_rows.y, conv3.reference(maps, filters)))
print(by_rows.explain())

# %% [markdown]
# Where does the energy go? A word of DRAM takes 200 times what a MAC takes, one of the buffer 6, one of a neighbour 2, one of a register 1
# (Eyeriss, Table IV). AlexNet's third layer, words of 16 bits, the same grid for all:

# %%
layer = replace(panels.layers_of("alexnet")["conv3"], bits=Bits(16, 16, 16))
machine = presets.eyeriss()
runs = {
    name: hardware.analyse(layer, replace(machine, dataflow=flow))
    for name, flow in panels.DENSE.items()
}
runs["row stationary"] = row_stationary.row_stationary(layer, machine)
panels.energies(runs, presets.EYERISS_RELATIVE)

# %% [markdown]
# That is why Eyeriss was built so: most of its words come from the unit's own registers. It takes more cycles than the others.

# %% [markdown]
# ### The small network on the large chip
#
# Back to the prediction. Each network's layers, one after the other, on the array of the first TPU; memory is never in the way.

# %%
for network in ("resnet50", "mobilenet_v2"):
    run = panels.whole(network, presets.tpu_v1())
    print(f"{network:13} {run.macs:13,} MACs {run.cycles:9,} cycles, {run.utilisation:.2%} at work")

# %%
compare(
    "accel-predict-tpu",
    "ten times as many or more",
    "A depthwise layer is one small product for each channel: nine rows and one column of 256 x 256 "
    "units. Fewer MACs are no speed, unless the array has a shape for them.",
)

# %% [markdown]
# ## 3. Memory
#
# A buffer holds a few tiles of a layer, not the layer. So each operand has two places: one that the array uses, one that is filled or
# emptied meanwhile. Then the array only waits if the bus takes longer.

# %%
panels.tiles()

# %% [markdown] lead="accel-stalls"
# There is one bus, and it does one thing at a time. While tile $t$ is computed, the bus stores what tile $t - 1$ left and then loads what
# tile $t + 1$ needs. Tile $t + 1$ starts when all that is done. Before the first tile its words are loaded, after the last one its sums are
# stored. Return all cycles, and those in which the array waits.


# %% exercise="accel-stalls"
def double_buffered(loads: list[int], computes: list[int], stores: list[int]) -> tuple[int, int]:
    """Cycles of all tiles, and those in which nothing is computed."""
    ### BEGIN SOLUTION
    cycles = loads[0]
    for t, compute in enumerate(computes):
        bus = stores[t - 1] if t else 0
        if t + 1 < len(loads):
            bus += loads[t + 1]
        cycles += max(compute, bus)
    cycles += stores[-1]
    return cycles, cycles - sum(computes)
    ### END SOLUTION


# %%
check("accel-stalls")

# %% [markdown]
# The digits again, with 32 KiB and a slow DRAM. `best_tiling` tries all sizes, orders and what to keep; `run_tiled` moves every word
# through the buffer, and the array computes with nothing else.

# %%
arch = replace(small, buffer=hardware.Buffer(32 * 1024), dram=hardware.Dram(32, latency_cycles=20))
plan = memory.schedule(fc1, arch, memory.best_tiling(fc1, arch))
given = plan.load.tolist(), plan.compute.tolist(), plan.store.tolist()
theirs = plan.run.cycles, plan.stall_cycles
print("yours:", panels.agrees(double_buffered, *given, theirs=theirs))
run = memory.run_tiled(fc1, arch, x8, w8, tiling=plan.tiling)
print("as NumPy:", np.array_equal(run.y, x8.astype(int) @ w8), "as planned:", run == plan.run)
panels.timeline(plan)

# %% [markdown]
# Now all of MobileNetV2 on 16 x 16 units whose weights stay, with 64 KiB and 6.4 GB/s. Where do cycles go, and where energy?

# %%
choice = {"rows": 16, "cols": 16, "dataflow": "weight stationary", "buffer_kib": 64}
square = memory.network(panels.layers_of("mobilenet_v2"), panels.machine(choice))
panels.account(square)

# %% [markdown]
# `energy` splits a run by level and operand. One of the depthwise layers:

# %%
print(energy(square.runs["stage2.1.depthwise.conv"], presets.HOROWITZ_45NM))

# %% [markdown]
# Under the roof, lab 01's way, the slowest layer of each kind: which does memory hold up, and which the shape of the array?

# %%
panels.roof(square)

# %% [markdown]
# ## 4. Skip zeros
#
# After a ReLU many inputs are zeros, and pruning makes zeros of weights (lab 02). A machine can use that in three ways: move fewer bits,
# switch a multiplier off for a cycle, or *not spend the cycle*. The first two are easy.

# %% [markdown] lead="accel-rlc"
# Eyeriss writes activations to DRAM as pairs: how many zeros come first, in five bits, so 31 at most, then a value of 16 bits. A
# zero that comes when 31 are counted already is a value itself. Zeros left at the end need a pair, too: the last of them is its
# value. Return the pairs.


# %% exercise="accel-rlc"
def run_lengths(values: list[int]) -> list[tuple[int, int]]:
    """Pairs of a run of zeros, at most 31, and the value behind it."""
    ### BEGIN SOLUTION
    pairs, run = [], 0
    for value in values:
        if value == 0 and run < 31:
            run += 1
        else:
            pairs.append((run, value))
            run = 0
    if run:
        pairs.append((run - 1, 0))
    return pairs
    ### END SOLUTION


# %%
check("accel-rlc")

# %% [markdown]
# Real maps: what comes into the third layer of the small CNN, for one picture of clothes.

# %%
coded = rlc.rlc_encode(maps)
print(f"{(maps == 0).mean():.0%} zeros; {coded.ratio:.2f} times smaller than words of 16 bits")
print("decoded as it was:", np.array_equal(rlc.rlc_decode(coded), maps))
values = maps.ravel().tolist()
same = panels.agrees(lambda v: 64 * -(-len(run_lengths(v)) // 3), values, theirs=coded.bits)
print("yours take the same bits, three pairs in a word of 64:", same)

# %% [markdown]
# `gate` switches a unit off for each zero that arrives. Eyeriss again, on the same layer:

# %%
for name, run in {"always on": by_rows, "gated": rlc.gate(by_rows, conv3, maps)}.items():
    taken = energy(run, presets.EYERISS_65NM)
    print(f"{name:9} {run.cycles:,} cycles, {taken.total_pj / 1e6:.1f} uJ", end=", ")
    print(f"{taken.by_level['mac'] / 1e6:.1f} of it arithmetic")

# %% [markdown] lead="accel-eie"
# Skipping cycles is harder: where is the next number that is not zero? **EIE** keeps each unit's part of the weights in compressed
# columns. Entries `starts[j]` to `starts[j + 1]` are column $j$. An entry has a value, and the zeros skipped since the entry above it in that
# column, or since the top: at most 15, so a longer skip has an entry of value zero in between. Return $y$, and the entries walked:
# padding takes its cycle, an input that is zero takes none.


# %% exercise="accel-eie"
def sparse_unit(
    values: np.ndarray, skips: np.ndarray, starts: np.ndarray, x: np.ndarray, n_rows: int
) -> tuple[np.ndarray, int]:
    """One unit's sums, whole numbers, and the entries that it walked."""
    ### BEGIN SOLUTION
    y, steps = np.zeros(n_rows, int), 0
    for j in np.flatnonzero(x):
        row = -1
        for p in range(starts[j], starts[j + 1]):
            row += skips[p] + 1
            y[row] += values[p] * x[j]
            steps += 1
    return y, steps
    ### END SOLUTION


# %%
check("accel-eie")

# %% [markdown]
# A tenth of the layer's weights, in 16 units; one digit goes in, and each of its pixels that is not zero is broadcast. Your loop is what
# the first unit does.

# %%
kept = panels.pruned(w8, 0.1, levels=7)
digit = x8[0].astype(int)
machine = sparse.Eie(n_units=16, depth=8)
columns = machine.compress(kept)
run = sparse.simulate_eie(Gemm(1, 784, 300), machine, digit[None], kept)
print("as NumPy:", np.array_equal(run.y, digit[None] @ kept))
first = columns.values[columns.codes], columns.skips.astype(int), columns.starts[0], digit, 19
yours = panels.agrees(lambda *given: sparse_unit(*given)[0], *first, theirs=run.y[0, ::16])
print("the first unit is yours:", yours)
print(f"{columns.n_padding} of {columns.n_entries} entries are padding")
print(run.explain())

# %% [markdown]
# Units wait for one another: the one with most entries in a column holds up the broadcast, unless queues even that out. How deep must
# they be? And what happens with more units?

# %%
panels.queues()

# %% [markdown]
# **ESE** runs LSTMs, whose inputs are hardly ever zero. So it prunes for the machine: each unit keeps as many weights as any other. A real sequence
# of speech; the weights of the LSTM are drawn, no trained one ships.

# %%
voice = datasets.load("japanese_vowels").test.x[0].T.double().numpy()
drawn = np.random.default_rng(SEED).laplace(size=(256, 76)) * np.linspace(0.1, 0.5, 256)[:, None]
score = torch.from_numpy(np.abs(drawn)).float()
masks = {
    "the largest": score >= score.flatten().quantile(0.8),
    "balanced": balanced.keep_balanced(score, sparsity=0.8, n_pes=16),
}
for name, mask in masks.items():
    some = np.round(np.where(mask, drawn, 0) * 256) / 256
    lstm = sparse.Lstm(some[:, :12], some[:, 12:], np.zeros(256))
    run = sparse.simulate_ese(lstm, sparse.Ese(n_units=16), voice)
    print(f"{name:11} {run.cycles:,} cycles, {run.utilisation:.0%} of them with work")

# %%
predict(
    "accel-predict-zeros",
    "SCNN skips the zeros of inputs and of weights. A dense machine has as many multipliers. From "
    "which share of numbers that are not zero is SCNN the slower one?",
    ["never", "about three quarters", "about a quarter"],
)

# %% [markdown]
# Three machines that skip: **Cnvlutin** zeros of the inputs, **Cambricon-X** those of the weights, **SCNN** both: it multiplies all
# inputs by all weights of a channel, and sends the products to where they belong. On the real layer, a tenth of its weights kept:

# %%
tenth = panels.pruned(filters.astype(int), 0.1, levels=127)
skipping = {
    "Cnvlutin": lambda: sparse.simulate_cnvlutin(conv3, sparse.Cnvlutin(16, 16, 16), maps, tenth),
    "Cambricon-X": lambda: sparse.simulate_cambricon_x(
        conv3, sparse.CambriconX(16, 16), maps, tenth
    ),
    "SCNN": lambda: sparse.simulate_scnn(conv3, sparse.Scnn(4, 4), maps, tenth),
}
for name, call in skipping.items():
    run = call()
    right = np.array_equal(run.y, conv3.reference(maps, tenth))
    print(f"{name:11} exact: {right}, {run.cycles:6,} cycles, {run.macs:9,} MACs on {run.n_units}")

# %% [markdown]
# And at any share of zeros, each beside a dense machine with as many multipliers. The numbers are drawn here, so that the share can be
# chosen.

# %%
panels.crossing(seed=SEED)

# %%
compare(
    "accel-predict-zeros",
    "about three quarters",
    "With a tenth of the numbers left it is the fastest by far. Near density one its units wait for "
    "banks that two products want at once, and for tiles that do not fill them.",
)

# %% [markdown]
# Cnvlutin is ahead even where no number is zero: the rim of padding is, and it skips that. Cambricon-X has nothing to skip there, and is
# the dense machine.

# %% [markdown]
# ## 5. Both are sparse
#
# Graphs and clouds of points are matrices with far more zeros than any network, and both operands are sparse. Here is a real one: each point
# of a laser scan and its eight nearest (lab 13). Its square says who can be reached in two steps.

# %%
from efficientdl.kernels import points
from efficientdl.systems.hardware import fpga_spmv, spgemm

scan = datasets.load("vlp16").xyz.numpy()[:: 64 if FAST else 32]
near = points.knn(scan, scan, 8).indices
graph = np.zeros((len(scan),) * 2, int)
np.put_along_axis(graph, near, 1, axis=1)
print(f"{len(scan)} points, {100 * graph.mean():.1f} % of the matrix is not zero")

# %% [markdown]
# Rows times columns would compare indices, mostly in vain. **OuterSPACE** multiplies columns by rows: all that it reads is used. But every
# product is written to DRAM, and read again to be added up. **SpArch** has four ideas against that: merge at once in a tree; push all
# entries of a row to the left, so that there are few columns; let short lists wait, not long ones; keep rows that come again.

# %%
outer, merged = spgemm.outerspace(graph, graph), spgemm.sparch(graph, graph)
print("as NumPy:", all(np.array_equal(run.y, graph @ graph) for run in (outer, merged)))
small_tree = spgemm.SpArch(radix=4, buffer=spgemm.RowBuffer(lines=64, line_words=8))
for name, run in spgemm.breakdown(graph, graph, machine=small_tree).items():
    waiting = run.accesses["dram"]["psum"]
    print(f"{name:13} {run.words('dram'):8,} words of DRAM, {waiting:7,} of them sums that wait")

# %% [markdown]
# The tree alone made it worse: with more columns than it has inputs, results wait again and again. An idea may need another one to pay.

# %% [markdown]
# An **FPGA** can be wired for the matrix. A tree of adders takes four products of a row in a cycle, though each addition needs many cycles;
# BVCSR writes a number for a block and a bit for each of its columns; and comparing indices can run ahead of the arithmetic.

# %%
heights = (100 * scan[:, 2]).astype(int)
run = fpga_spmv.adder_tree(graph, heights)
print(f"exact: {np.array_equal(run.y, graph @ heights)}, {run.cycles} cycles for {run.macs} MACs")
rows, blocks = spgemm.compress(graph), fpga_spmv.Bvcsr.from_dense(graph)
print(f"indices: {fpga_spmv.csr_index_bits(rows):,} bits in rows, {blocks.index_bits:,} in blocks")
for depth in (0, 8):
    matcher = fpga_spmv.IndexMatcher(depth=depth, mac_cycles=4)
    run = fpga_spmv.index_matching(graph[:64], graph[:, :64], machine=matcher)
    print(f"queues of {depth}: {run.cycles:,} cycles to match and multiply")

# %% [markdown]
# ## 6. Few bits
#
# A multiplier for 16 bits takes as long for 4. A **bit-serial** unit takes one bit of its input in each cycle: it has no multiplier, only
# gates that let weights pass or not, and it is done the sooner the fewer bits there are.

# %% [markdown] lead="accel-bits"
# `x` holds whole numbers of so many bits, in two's complement: the highest bit stands for $-2^{bits - 1}$. Take the bits from the
# highest to the lowest. In each cycle what the unit holds is doubled, and the weights are added where the bit is one; for the highest
# bit they are subtracted. Return what it holds after each cycle.


# %% exercise="accel-bits"
def bit_serial(x: np.ndarray, weight: np.ndarray, bits: int) -> list[int]:
    """The sum in the unit after each of `bits` cycles; the last is x times weight."""
    ### BEGIN SOLUTION
    total, sums = 0, []
    for b in reversed(range(bits)):
        part = int(((x >> b) & 1) @ weight)
        total = 2 * total + (-part if b == bits - 1 else part)
        sums.append(total)
    return sums
    ### END SOLUTION


# %%
check("accel-bits")

# %% [markdown]
# Four bits of a digit times one filter. The first cycles have the rough answer already.

# %%
four, filter0 = x8[0].astype(int) >> 4, w8[:, 0].astype(int)
theirs = low_bit.bit_serial_multiply(four, filter0, bits=4).sums
print(theirs, "and exact:", four @ filter0)
print("yours:", panels.agrees(bit_serial, four, filter0, 4, theirs=theirs))

# %% [markdown]
# What is a bit worth? **Stripes** takes inputs bit by bit, **UNPU** weights, **Loom** and **BISMO** both; **Bit Fusion** has multipliers of
# two bits that can be joined to larger ones. Try five bits.

# %%
panels.widths()

# %% [markdown]
# Both ideas compute the real layer, exactly:

# %%
four_bits = replace(fc1, bits=Bits(4, 4))
x4, w4 = x8.astype(int) >> 4, w8.astype(int) >> 4
serial = low_bit.simulate_bit_serial(four_bits, low_bit.loom(), x4, w4)
fused = low_bit.simulate_bit_fusion(four_bits, low_bit.bit_fusion(), x4, w4)
for name, run in {"Loom": serial, "Bit Fusion": fused}.items():
    print(f"{name:10} {run.cycles:5,} cycles, exact: {np.array_equal(run.y, x4 @ w4)}")

# %% [markdown]
# One bit, at last: a product of signs is an XNOR (lab 13). **FINN** gives each layer an engine of its own and pictures stream through, so
# the slowest engine sets the pace. How large must each be?

# %%
names = {"fc1": (784, 300), "fc2": (300, 100), "fc3": (100, 10)}
one_bit = {name: Gemm(1, k, n, bits=Bits(1, 1)) for name, (k, n) in names.items()}
print(low_bit.match_throughput(one_bit, interval=1000).explain())
signs = [np.where(a > 0, 1, -1) for a in (x8[:1], w8)]
run = low_bit.simulate_binary(one_bit["fc1"], low_bit.BinaryEngine(pe=10, simd=28), *signs)
print("exact:", np.array_equal(run.y, signs[0] @ signs[1]), f"in {run.cycles} cycles")

# %% [markdown]
# Machines that you can buy have several widths, each with a roof of its own (lab 01). A roof says what could be. On NVIDIA's T4
# ResNet-50 with 4 bits was *measured*, too; what may stand between the two?

# %%
resnet, t4 = panels.layers_of("resnet50"), low_bit.turing_t4()
eight = low_bit.precision_roofline(resnet, t4, Bits(8, 8, 8))
held = sum(layer.bound == "memory" for layer in eight.values())
print(f"at 8 bits memory holds up {held} of {len(resnet)} layers, one picture at a time")
ends = frozenset([*resnet][:1] + [*resnet][-1:])
print(low_bit.int4_over_int8_text(resnet, t4, keep=ends))

# %% [markdown]
# ## 7. Attention
#
# Attention weighs every token against every other, and most weights are next to nothing. Which tokens can be left alone, and *when* does one
# know? The tokens here are drawn, not read: three of four queries look for one key, as in language.

# %%
tokens = attention.peaked_tokens(64, 320, 64, seed=SEED)
exact = attention.a3(tokens, budget=0, floor=-np.inf)
for budget in (40, 160, 640):
    run, found = attention.a3(tokens, budget=budget), attention.candidates(tokens, budget=budget)
    best = attention.recall(found.keep, tokens, n_top=1)
    faster = exact.cycles / run.cycles
    print(f"A3, {budget:3} steps: {faster:.1f} times as fast, {best:.0%} of the best keys found")

# %% [markdown]
# **A3** looks at the largest products of each query first, and estimates. **MNNFast** computes all scores, streams the softmax, and skips
# values of little weight. That saves arithmetic, not traffic:

# %%
whole = attention.layer_by_layer(tokens)
for threshold in (0, 0.01, 0.1):
    run = attention.mnnfast(tokens, chunk=32, threshold=threshold)
    off = np.abs(run.y - exact.y).max() / np.abs(exact.y).max()
    faster = whole.cycles / run.cycles
    print(
        f"MNNFast, {threshold:4}: {faster:.1f} times as fast, {run.macs:,} MACs, off by {off:.1%}"
    )

# %% [markdown]
# **SpAtten** asks earlier layers: a token that little looked at is not fetched again, nor is a head that said little. Its top-k engine finds
# them without sorting. And it fetches only the upper bits of the keys, unless a softmax is flat.

# %%
layers = [attention.peaked_tokens(96, 96, 32, n_heads=4, seed=SEED + i) for i in range(4)]
dense = attention.spatten(layers, seed=SEED)
cascade = {"keep_tokens": (1, 0.7, 0.5, 0.3), "keep_heads": (1, 1, 0.75, 0.5)}
ways = {"cascade": cascade, "fewer bits, too": {**cascade, "lsb_bits": 4, "flat": 0.02}}
for name, options in ways.items():
    run = attention.spatten(layers, **options, seed=SEED)
    less = dense.cost().traffic_bytes / run.cost().traffic_bytes
    print(f"{name:15} {dense.cycles / run.cycles:.1f} times as fast, {less:.2f} times fewer bytes")

# %% [markdown]
# The last idea pays little here: a query of four looks for nothing in particular, its softmax is flat, and so nearly every head fetches
# the lower bits after all.

# %% [markdown]
# A whole transformer block on **one** array: matrices are cut into pieces that fit it, and while a head's softmax is computed the array
# makes that head's values. A small block in simulation, then one of full size in closed form:

# %%
from efficientdl.systems.hardware import partition, reram

rng = np.random.default_rng(SEED)
sizes = [(16, 16)] * 4 + [(16, 64), (64, 16)]
block = partition.Block(*(rng.integers(-4, 4, size) for size in sizes), n_heads=4, scale=0.05)
words = rng.integers(-8, 8, (16, 16))
run = partition.partitioned_block(words, block, array=Array(16, 16), softmax_cycles=32)
print(f"{run.cycles:,} cycles, {run.utilisation:.0%} of the units at work")
wide = {"n_heads": 8, "array": Array(64, 64), "softmax_cycles": 128}
print(f"512 features, 64 tokens: {partition.partition_cycles(64, 512, 2048, **wide):,} cycles")

# %% [markdown]
# Or multiply **in the memory**: a cell is a conductance, its current a product, and the currents of a column add up by themselves. But cells
# get stuck. A copy of the columns that matter most, and the median counts:

# %%
few, exact_y = x8[:4], x8[:4].astype(int) @ w8
stuck = reram.Faults(off=0.002, seed=SEED)
for name, copies in {
    "one each": (),
    "upper bits three": (1, 1, 1, 3),
    "all three": (3,) * 4,
}.items():
    run = reram.crossbar(Gemm(4, 784, 300), few, w8, copies=copies, faults=stuck)
    off = np.abs(run.y - exact_y).mean() / np.abs(exact_y).mean()
    print(f"{name:16} off by {100 * off:.0f} %, {run.words('adc'):,} readings")

# %% [markdown]
# ## 8. Challenge: an accelerator for MobileNetV2
#
# You have half a square millimetre at 45 nm, for units and buffer together, and a DRAM of 6.4 GB/s. Choose the sides of the array, what
# stays, and the buffer. By hand first: which shape do depthwise layers want?

# %%
panels.shapes()

# %% [markdown]
# A formula takes milliseconds, so a machine can look at many. `sweep` does, without the memory; `within` keeps those that fit an area,
# `best` those that none beats.

# %%
sides = list(product((4, 8, 12, 16, 24, 32), repeat=2))
options = {"buffer_bytes": (2**14, 2**15, 2**16), "dataflows": list(panels.DENSE.values())}
candidates = explore.grid(panels.machine(choice), sides=sides, **options)
found = explore.sweep(panels.layers_of("mobilenet_v2"), candidates).within(area_mm2=0.5).best()
print(f"{len(candidates)} designs, {len(found)} that none beats; the fastest, without memory:")
for arch, seconds, mm2 in zip(found.archs[:4], found.latency_s, found.area_mm2, strict=False):
    print(f"{arch.name:38} {1e3 * seconds:5.1f} ms {mm2:.2f} mm2")

# %% [markdown] lead="accel-design"
# Return `{"rows": r, "cols": c, "dataflow": name, "buffer_kib": n}`. The judge builds that machine and runs MobileNetV2 on it, every tile
# of every layer, memory and all: its area, the time of one picture, and the energy of all that moves. `memory.network` and
# `explore.sweep_tiled` tell you before.


# %% exercise="accel-design"
def design():
    """The design to hand in."""
    ### BEGIN SOLUTION
    tried = explore.grid(
        panels.machine(choice),
        sides=product((8, 12, 16), (24, 32, 40)),
        buffer_bytes=(2**15, 2**16),
        dataflows=[Dataflow.INPUT_STATIONARY],
    )
    fits = explore.sweep(panels.layers_of("mobilenet_v2"), tried).within(area_mm2=0.5)
    arch = fits.archs[int(fits.latency_s.argmin())]
    sides = {"rows": arch.array.rows, "cols": arch.array.cols}
    kept = {"dataflow": arch.dataflow.value, "buffer_kib": arch.buffer.bytes // 1024}
    return {**sides, **kept}
    ### END SOLUTION


# %%
submit("accel-design", design())

# %% [markdown]
# ## 9. Look back
#
# Two questions in your own words. A person marks them; the rubric is in the solution.

# %% [markdown] lead="accel-written-peak"
# A data sheet promises four tera-operations a second. What do you ask before you believe that your network will be fast?

# %% [markdown] written="accel-written-peak"
# Peak counts every multiplier in every cycle. A layer uses only as many rows and columns as it has of what stands along them: depthwise
# layers and batches of one leave nearly all idle. The second limit is what comes from memory in a cycle. So I ask for the cycles of my own
# network, at my batch, layer by layer, with the waiting included.

# %% [markdown] lead="accel-written-zeros"
# Half of your activations are zeros, and a tenth of your weights is left. Would you build a machine that skips them? What does skipping
# cost, also where nothing is zero?

# %% [markdown] written="accel-written-zeros"
# Each number that is kept needs an index, queues and a crossbar need area, and units wait for the one with most work; at full density
# SCNN was slower than a dense array. With a tenth of the weights it pays clearly, more so if all units keep as many. If only
# activations had zeros, I would switch multipliers off and code what moves: that saves energy, and no unit waits.

# %%
course_progress()

# %% [markdown]
# ## Where the survey says it
#
# Section 6.2: dataflows and energy, accelerators for sparse networks (Figure 14), for low and mixed precision, and for attention; sparse
# matrices on FPGAs and by outer products. Section 5.3 has SpAtten's idea. `benchmarks/` holds each machine beside what was published.
