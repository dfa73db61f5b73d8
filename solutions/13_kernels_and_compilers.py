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
# # Lab 13: kernels and compilers
#
# About three hours of your time. All cells together run in under two minutes on two cores, in 1.2 GB; the first time a little longer,
# since kernels are compiled.
#
# When you have done it, you can
#
# - say how far a loop is from what your machine could do, and why;
# - make zeros, small integers and empty space pay, each with a kernel of its own;
# - rewrite a network's graph and know that it computes the same;
# - place every tensor in as few bytes as there can be;
# - let a machine search for tiles, rewritings, schedules;
# - leave Python: as C, or as a file for another runtime.

# %% tags=["parameters"]
SEED = 0
FAST = False

# %% [markdown]
# `kernels` holds the loops, `compiler` what rewrites and places whole networks, `panels` the things to play with.

# %%
from itertools import product

import numpy as np
import torch

from efficientdl import costs, datasets, models, tensors
from efficientdl.compression import quantization
from efficientdl.course import check, compare, course_progress, hint, predict, quiz, submit
from efficientdl.course.panels import lab_13 as panels
from efficientdl.kernels import csr_matmul, low_bit, pattern_conv, points, sparse
from efficientdl.kernels.compiled import compiled
from efficientdl.systems import compiler
from efficientdl.systems.compiler import ios, memory

# %% [markdown]
# ## 1. The same sum, a thousand times faster
#
# A machine can multiply so many numbers in a second, and fetch so many bytes. Together they are its **roofline** (lab 01): no kernel is
# faster. By hand first: a matrix product on a round machine. When does its memory hold it up? Do fewer bits help then, or fewer
# weights?

# %%
panels.by_hand()

# %% [markdown]
# Now your own machine, and a real layer: the first of LeNet-300-100, trained on digits, times a batch of 64 of them.

# %% tags=["nbval-ignore-output"]
machine = costs.measure_machine(n_floats=2**23 if FAST else 2**25)
print(machine)

# %%
lenet, digits = models.trained("lenet_300_100_mnist"), datasets.load("mnist")
weight = lenet.fc1.weight.detach().numpy()
x = np.ascontiguousarray(digits.val.x[:64].flatten(1).numpy().T)
print(f"{weight.shape} times {x.shape}: {weight.size * 64:,} MACs")

# %% [markdown]
# The same product twice, as it is written in a book. The only difference is which loop is the inner one: it walks down a column of
# `x`, or along a row.


# %%
def down_columns(w, x):
    y = np.zeros((len(w), x.shape[1]), w.dtype)
    for i in range(len(w)):
        for j in range(x.shape[1]):
            for p in range(w.shape[1]):
                y[i, j] += w[i, p] * x[p, j]
    return y


def along_rows(w, x):
    y = np.zeros((len(w), x.shape[1]), w.dtype)
    for i in range(len(w)):
        for p in range(w.shape[1]):
            for j in range(x.shape[1]):
                y[i, j] += w[i, p] * x[p, j]
    return y


# %% [markdown]
# Python runs a single row of it; that is enough to see its speed. `compiled` makes machine code of a function at its first call. What
# torch calls is a library that people have polished for decades.

# %% tags=["nbval-ignore-output"]
w, columns = torch.from_numpy(weight), torch.from_numpy(x)
fast_down, fast_along = compiled(down_columns), compiled(along_rows)
whole, row = panels.product_cost(weight, x), panels.product_cost(weight[:1], x)
climb = {
    "Python": (lambda: down_columns(weight[:1], x), row),
    "compiled": (lambda: fast_down(weight, x), whole),
    "along rows": (lambda: fast_along(weight, x), whole),
    "torch": (lambda: torch.mm(w, columns), whole),
}
panels.under_the_roof(machine, climb, repeats=5 if FAST else 20)

# %% [markdown]
# Along rows, numbers come that lie side by side: one instruction takes eight or sixteen of them. The rest of the way to the roof is
# keeping sums in registers, and `x` in the nearest cache. If a point lies above the roof, the machine was busy while the roof was
# measured.

# %% [markdown]
# ## 2. Skip the zeros
#
# Lab 02 pruned weights. A mask makes nothing faster: the dense kernel multiplies its zeros too.

# %%
predict(
    "kern-predict-zeros",
    "Nine of ten weights of this layer are zeros, anywhere. How much faster is the best kernel that "
    "skips them than torch's dense one?",
    ["not at all", "two to eight times", "ten times or more"],
)

# %% [markdown]
# How does one write a matrix with holes? Choose a layout and follow the numbers: they say in which order values lie in memory. What does
# a value cost in each, its place included?

# %%
panels.layouts()

# %% [markdown] lead="kern-spmm"
# **Compressed rows** (CSR): the values of row $i$ are `values[row_starts[i] : row_starts[i + 1]]`, and value $p$ stands in column
# `columns[p]`. Multiply by `x`. Write loops and indexing, nothing else: your function will be compiled.


# %% exercise="kern-spmm"
def spmm(
    values: np.ndarray, columns: np.ndarray, row_starts: np.ndarray, x: np.ndarray
) -> np.ndarray:
    """The sparse matrix times x, k x n: as many rows as the matrix has."""
    ### BEGIN SOLUTION
    y = np.zeros((len(row_starts) - 1, x.shape[1]), x.dtype)
    for i in range(len(row_starts) - 1):
        for p in range(row_starts[i], row_starts[i + 1]):
            for j in range(x.shape[1]):
                y[i, j] += values[p] * x[columns[p], j]
    return y
    ### END SOLUTION


# %%
check("kern-spmm")

# %% [markdown]
# Stuck? `hint("kern-spmm")` in a cell of your own gives a nudge; call it again and it gives more.
#
# Prune the layer, and put it into four forms. `csr_matmul` is your loop, four values at a time. `pack_blocks` cuts the matrix, so that the
# part of `x` that a block meets stays in the nearest cache.

# %%
pruned = np.where(np.abs(weight) >= np.quantile(np.abs(weight), 0.9), weight, np.float32(0))
rows, places = (i.astype(np.int32) for i in pruned.nonzero())
csr = pruned[rows, places], places, np.searchsorted(rows, np.arange(301)).astype(np.int32)
blocks = sparse.pack_blocks(*csr, k=784)
wanted = pruned @ x
for y in (csr_matmul(*csr, x), sparse.block_matmul(blocks, x)):
    print("as the dense product:", np.allclose(y, wanted, atol=1e-4))

# %% tags=["nbval-ignore-output"]
mine, zeros = compiled(spmm), torch.from_numpy(pruned)
kept = panels.product_cost(pruned, x)
skipping = {
    "torch, zeros and all": (lambda: torch.mm(zeros, columns), whole),
    "yours": (lambda: mine(*csr, x), kept),
    "csr_matmul": (lambda: csr_matmul(*csr, x), kept),
    "block_matmul": (lambda: sparse.block_matmul(blocks, x), kept),
}
panels.under_the_roof(machine, panels.written(skipping), repeats=5 if FAST else 20)

# %% [markdown]
# The speed in the figure counts MACs that were done, so a slower one may be done earlier; the table has the times. Where is the
# crossing on your machine? The layer again, at seven sparsities:

# %% tags=["nbval-ignore-output"]
panels.crossover(weight, x, repeats=3 if FAST else 15)

# %%
compare(
    "kern-predict-zeros",
    "two to eight times",
    "So it was where this lab was written. An index costs what a value costs, and a dense kernel has "
    "no index and no gap: at half the weights it is a hard opponent.",
)

# %% [markdown]
# A **pattern** helps, since a kernel can rely on it. Two of every four neighbours (2:4): two bits say which. Or four rows that share
# their columns: one index for four values, and `x` is fetched once for them.

# %% tags=["nbval-ignore-output"]
groups = weight.reshape(300, -1, 4)
rank = np.argsort(np.argsort(-np.abs(groups), axis=2), axis=2)  # 0 for the largest of four
half = np.where(rank < 2, groups, np.float32(0)).reshape(300, 784)
two_of_four = sparse.pack_n_of_m(half, n=2, m=4)
y = sparse.n_of_m_matmul(two_of_four, x)
print("2:4 as the dense product:", np.allclose(y, half @ x, atol=1e-4))
half_w = torch.from_numpy(half)
pair = {"dense": lambda: half_w @ columns, "2:4": lambda: sparse.n_of_m_matmul(two_of_four, x)}
print(costs.compare(pair, repeats=5 if FAST else 20))

# %% [markdown]
# In a convolution a pattern is a shape: of the nine taps of each kernel four stay. `pack_pattern` reorders filters so that like ones
# follow each other (PatDNN's *filter-kernel reorder*). The third layer of the small CNN, its four largest taps each:

# %%
cnn, fashion = models.trained("small_cnn_fashion"), datasets.load("fashion_mnist")
filters = cnn.conv3.conv.weight.detach().numpy()
taps = np.abs(filters).reshape(*filters.shape[:2], 9)
four = (taps >= np.sort(taps, axis=2)[:, :, 5:6]).reshape(filters.shape)
four = np.where(four, filters, np.float32(0))
with torch.no_grad():
    maps = cnn.conv2(cnn.conv1(fashion.val.x[:8]))
y = pattern_conv.pattern_conv(maps.numpy(), pattern_conv.pack_pattern(four))
wanted = torch.conv2d(maps, torch.from_numpy(four), padding=1)
print("as the dense convolution:", np.allclose(y, wanted, atol=1e-3))

# %% tags=["nbval-ignore-output"]
taps4, masked = pattern_conv.pack_pattern(four), torch.from_numpy(four)
for name, seen in {"7 x 7": maps, "56 x 56": torch.randn(1, 32, 56, 56)}.items():
    both = {
        "dense": lambda seen=seen: torch.conv2d(seen, masked, padding=1),
        "pattern": lambda seen=seen: pattern_conv.pattern_conv(seen.numpy(), taps4),
    }
    taken = costs.compare(both, repeats=5 if FAST else 30)
    print(f"{name}: dense takes {taken.ratio('dense', 'pattern')} as long as the pattern")

# %% [markdown]
# On the network's own maps, 7 x 7, padding and cutting cost more than the taps save; the second line has random maps of 56 x 56 under
# the same filters. A kernel is made for shapes, and a small one is where it shows. `benchmarks/` has four layers of a large network.

# %% [markdown]
# ## 3. Few bits
#
# Lab 04 computed a layer in whole numbers. A kernel does it in tiles: four products of bytes are one step of a register, and a byte
# leaves for memory where a float had four.
#
# Inputs have a zero point, $\sum (x - z)\,w$, and subtracting it from every byte would be slow. But $\sum (x - z)\,w = \sum xw - z\sum w$:
# the sums of the columns of `weight` are known before.

# %% [markdown] lead="kern-requantize"
# Given $\sum xw$, mend the zero point and add the bias. A float `factor` for each column, in (0, 1), becomes a whole multiplier in
# $[2^{30}, 2^{31})$ and a shift, factor $\approx$ multiplier $/\, 2^{shift}$: `np.frexp` takes it apart. Round to the nearest, a half
# upwards; add `y_zero` and clamp to int8. Compute in 64 bits.


# %% exercise="kern-requantize"
def requantize(
    sums: np.ndarray,
    column_sums: np.ndarray,
    x_zero: int,
    bias: np.ndarray,
    factor: np.ndarray,
    y_zero: int,
) -> np.ndarray:
    """Codes, int8, m x n, from int32 sums, m x n; all others have one number for each column."""
    ### BEGIN SOLUTION
    total = sums.astype(np.int64) - x_zero * column_sums.astype(np.int64) + bias
    fraction, exponent = np.frexp(factor)
    multiplier = np.round(fraction * 2**31).astype(np.int64)
    shift = 31 - exponent.astype(np.int64)
    y = ((total * multiplier + (np.int64(1) << (shift - 1))) >> shift) + y_zero
    return np.clip(y, -128, 127).astype(np.int8)
    ### END SOLUTION


# %%
check("kern-requantize")

# %% [markdown]
# `int8_gemm` gives the sums, `int8_gemm_codes` requantizes each tile of them before it leaves the cache. On the real layer, digits
# as codes from -128 to 127:

# %%
scale = np.abs(weight).max(axis=1).astype(np.float64) / 127
w8 = np.ascontiguousarray(np.round(weight / scale[:, None]).T.astype(np.int8))
x8 = np.ascontiguousarray(np.round(x.T * 255 - 128).astype(np.int8))
factor, panels8 = scale / 255 * 8, low_bit.pack_int8(w8)  # a step of y is 1 / 8
bias = np.round(lenet.fc1.bias.detach().numpy() * 255 / scale).astype(np.int32)
sums = low_bit.int8_gemm(x8, panels8, np.zeros(64, np.int32))
fixed = tensors.fixed_point(torch.from_numpy(factor))
to = low_bit.Requantize(bias, *(part.int().numpy() for part in (fixed.multiplier, fixed.shift)))
theirs = low_bit.int8_gemm_codes(x8, panels8, np.full(64, -128, np.int32), to)
near = np.abs(theirs / 8 - (weight @ x).T - lenet.fc1.bias.detach().numpy())
given = sums, w8.sum(axis=0, dtype=np.int32), -128, bias, factor, 0
print("yours to the bit:", panels.agrees(requantize, *given, theirs=theirs))
print(f"off by at most {8 * near.max():.0f} step")

# %% [markdown]
# One word after another is where a language model spends its time: a matrix times a *vector*, each weight used once. Memory alone
# counts, and four bits are an eighth of the bytes. The matrix is drawn at random, as large as one of such a model: time does not depend on its
# values.

# %% tags=["nbval-ignore-output"]
rng, side = np.random.default_rng(SEED), 2048 if FAST else 4096
words = rng.integers(0, 16, (side, side), np.uint8)
scales = np.full((side, side // 128), 0.1, np.float32)
coded = low_bit.CodedWeights(words, np.arange(-8, 8, dtype=np.float32), scales, 128)
packed, dense, v = low_bit.pack_codes(coded), coded.dense, rng.normal(size=side).astype(np.float32)
floats, as_tensor = torch.from_numpy(dense), torch.from_numpy(v)
one_word = {
    "float": lambda: floats @ as_tensor,
    "4 bits": lambda: low_bit.int4_gemv(v, packed),
    "4 bits, x in bytes": lambda: low_bit.int4_gemv_bytes(v, packed),
}
print("as in floats:", np.allclose(low_bit.int4_gemv(v, packed), dense @ v, atol=1e-2))
print(costs.compare(one_word, repeats=5 if FAST else 20))

# %% [markdown] lead="kern-popcount"
# One bit: 64 signs in a word, a one for +1. Two words differ where a product is -1, so of $k$ pairs with $d$ different the sum is
# $k - 2d$. Row $i$ of `a` and row $j$ of `b` hold $k$ signs each, the first in the lowest bit. **What lies behind the last sign may
# be anything.** `np.bitwise_count` counts ones.


# %% exercise="kern-popcount"
def signs_matmul(a: np.ndarray, b: np.ndarray, k: int) -> np.ndarray:
    """Sums of products of signs, m x n, from uint64 words, m x words and n x words."""
    ### BEGIN SOLUTION
    mask = np.full(a.shape[1], 2**64 - 1, np.uint64)
    if k % 64:
        mask[-1] = 2 ** (k % 64) - 1
    different = np.bitwise_count((a[:, None] ^ b) & mask)
    return k - 2 * different.sum(axis=2, dtype=np.int64)
    ### END SOLUTION


# %%
check("kern-popcount")

# %% [markdown]
# The library's is `xnor_gemm`; `sign_words` packs signs. Here they are those of the weights, and of the digits about their mean: what they
# compute is no network that anybody trained, but it takes the time of one.

# %% tags=["nbval-ignore-output"]
a = low_bit.sign_words(np.ascontiguousarray(x.T - x.mean()))
b = low_bit.sign_words(np.ascontiguousarray(weight))
signs = low_bit.pack_sign_panels(b, 784)
theirs = low_bit.xnor_gemm(a, signs)
print("yours to the bit:", panels.agrees(signs_matmul, a, b, 784, theirs=theirs))
one_bit = {
    "float": (lambda: torch.mm(w, columns), whole),
    "int8": (lambda: low_bit.int8_gemm(x8, panels8, np.zeros(64, np.int32)), whole),
    "yours, NumPy": (lambda: signs_matmul(a, b, 784), whole),
    "signs": (lambda: low_bit.xnor_gemm(a, signs), whole),
}
panels.under_the_roof(machine, panels.written(one_bit), repeats=5 if FAST else 20)

# %% [markdown]
# The roof is that of floats. Smaller numbers have roofs of their own, higher ones.

# %% [markdown]
# ## 4. Empty space
#
# A real laser scan, one turn of a scanner outdoors. Cut space into cells: how many hold a point?

# %%
panels.scan()

# %% [markdown] lead="kern-map"
# Fewer than one in a thousand. A **sparse convolution** computes at full cells alone, so it has to know which are neighbours: the
# **kernel map**. For one offset, return all pairs `(i, o)` with `points[i] = points[o] + offset`, in the order of `o`, as an array
# of two columns. Thousands of points will come: do not compare each with each.


# %% exercise="kern-map"
def neighbour_pairs(points: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """Pairs of indices, n_pairs x 2, of points given as whole numbers, n x 3, each there once."""
    ### BEGIN SOLUTION
    index = {tuple(place): i for i, place in enumerate(points.tolist())}
    wanted = map(tuple, (points + offset).tolist())
    pairs = [(index[place], o) for o, place in enumerate(wanted) if place in index]
    return np.array(pairs).reshape(-1, 2)
    ### END SOLUTION


# %%
check("kern-map")

# %% [markdown]
# Three ways that libraries go: a grid of bits, a hash table, two sorted lists that are merged. All give the same map.

# %%
scan = datasets.load("vlp16").xyz.numpy()
cells = np.unique(np.floor(scan / 0.2).astype(np.int32), axis=0)
offsets = points.cube(3, 3)
found = points.kernel_map(cells, cells, offsets)
n_pairs, first = len(found.inputs), found.starts[1]
print(f"{len(cells)} cells, {n_pairs} pairs of neighbours, {first} at offset 0")
yours = panels.agrees(lambda *given: len(neighbour_pairs(*given)), cells, offsets[0], theirs=first)
print("you find as many:", yours)

# %% tags=["nbval-ignore-output"]
ways = {
    "a dictionary in Python": lambda: [neighbour_pairs(cells, offset) for offset in offsets[:1]],
    "grid": lambda: points.kernel_map_by_grid(cells, cells, offsets),
    "hash table": lambda: points.kernel_map_by_hash(cells, cells, offsets),
    "sorted lists": lambda: points.kernel_map_by_sorting(cells, cells, offsets),
}
print(costs.compare(panels.written(ways), warmup=1, repeats=3 if FAST else 10))

# %% [markdown]
# Your dictionary did one offset of 27. With the map, a convolution of 16 to 32 channels: gather the neighbours, multiply, scatter; or fetch
# each where it lies and write nothing down between.

# %% tags=["nbval-ignore-output"]
features = rng.normal(size=(len(cells), 16)).astype(np.float32)
matrices = rng.normal(size=(27, 16, 32)).astype(np.float32)
two = {
    "gather and scatter": lambda: points.sparse_conv_by_gathering(features, matrices, found),
    "fetch on demand": lambda: points.sparse_conv(features, matrices, found),
}
print(costs.compare(two, repeats=3 if FAST else 20))
print("the same:", np.allclose(*(call() for call in two.values()), atol=1e-3))

# %% [markdown]
# Networks on points also ask for the **nearest** ones. `knn` keeps the best few of each point in registers; `neighbour_sum` adds up their
# features without writing an edge.

# %%
near = points.knn(scan, scan[:2000], 8)
mean = points.neighbour_sum(np.ascontiguousarray(scan), near.indices) / 8
print(f"eighth neighbour, median: {np.sqrt(np.median(near.squared[:, -1])):.2f} m")
print(f"{len(mean)} means of neighbours, without an array of {len(mean) * 8} edges")

# %% [markdown]
# ## 5. Let the machine search
#
# All these kernels cut their work into tiles. How large? That depends on the caches, and on the shape.

# %% [markdown] lead="kern-tile"
# A product of `m x k` and `k x n` is computed tile by tile: the sums of a tile of `height x width` stay in fast memory while the $k$ steps
# pass. So the first matrix is read once for each column of tiles, the second once for each row of tiles, and $y$ is written once. Of all
# heights and widths in `sizes` with `height * width <= room`, return the least number of values moved. Sizes need not divide anything.


# %% exercise="kern-tile"
def least_traffic(m: int, k: int, n: int, sizes: list[int], room: int) -> int:
    """Values read and written, with the best tile; one of size x size fits, for the least size."""
    ### BEGIN SOLUTION
    found = []
    for height, width in product(sizes, sizes):
        if height * width <= room:
            found.append(m * k * -(-n // width) + k * n * -(-m // height) + m * n)
    return min(found)
    ### END SOLUTION


# %%
check("kern-tile")

# %% [markdown]
# A count like yours is a **cost model**; a real cache does not keep to it. So TVM searches with a model that *learns*: it proposes
# schedules, times a few on this machine, learns from the times, and proposes again. The default is what a textbook would
# choose.

# %% tags=["nbval-ignore-output"]
from efficientdl.systems.compiler.autotune import MatmulTask, autotune

task = MatmulTask(128, 256, 256)
tuned = autotune(task, n_trials=4 if FAST else 16, seed=SEED)
first = tuned.trials[0]
for name, trial in {"default": first.schedule, "found": tuned.schedule}.items():
    print(f"{name:8} {trial}")
print(f"{1e6 * first.latency_s:.0f} us and {1e6 * tuned.latency_s:.0f} us")

# %% [markdown]
# ## 6. The graph
#
# So far one layer. A compiler sees the whole network as a **graph**: values, and operations that make them. `trace` takes it from torch.

# %%
x1 = fashion.val.x[:1]
graph = compiler.trace(cnn, x1)
print(graph)

# %% [markdown] lead="kern-fuse"
# A relu alone reads a whole map and writes it again. **Fuse** it into the convolution before it. `nodes` are `(name, op, inputs)` in
# order, `op` one of `conv`, `relu`, `add`. Where a relu reads a conv, and *nobody else needs that conv's value*, replace the conv by
# `(relu's name, "conv+relu", conv's inputs)` and drop the relu. `outputs` are the values that the network gives.


# %% exercise="kern-fuse"
def fuse_relu(
    nodes: list[tuple[str, str, list[str]]], outputs: list[str]
) -> list[tuple[str, str, list[str]]]:
    """The nodes that are left, in order."""
    ### BEGIN SOLUTION
    reads = list(outputs) + [name for _, _, inputs in nodes for name in inputs]
    ops = {name: op for name, op, _ in nodes}
    into = {}
    for name, op, inputs in nodes:
        if op == "relu" and ops.get(inputs[0]) == "conv" and reads.count(inputs[0]) == 1:
            into[inputs[0]] = name
    gone = set(into.values())
    return [
        (into[name], "conv+relu", inputs) if name in into else (name, op, inputs)
        for name, op, inputs in nodes
        if name not in gone
    ]
    ### END SOLUTION


# %%
check("kern-fuse")

# %% [markdown]
# The library's `fuse` also folds batch norm into the weights: in inference it is a scale and a shift of each channel.

# %%
fused = compiler.fuse(graph)
panels.side_by_side({"traced": graph, "fused": fused})

# %%
(before,), (after,) = graph.run(x1), fused.run(x1)
print("the same outputs:", torch.allclose(before, after, rtol=1e-4, atol=1e-4))
print(f"bytes moved: {graph.cost().traffic_bytes:,} and {fused.cost().traffic_bytes:,}")

# %% [markdown]
# ### Rules that a machine finds
#
# Fusion is one rule. TASO writes down *all* small patterns, keeps pairs that compute the same, and proves them. Three of
# them:

# %%
from efficientdl.models.layers import Inception, InceptionWidths
from efficientdl.systems.compiler.substitution import shipped_rules, substitute

rules = shipped_rules()
print(len(rules), "rules of at most three steps, such as", *rules[2:4], rules[17], sep="\n  ")

# %% [markdown]
# A search applies them wherever they fit, and may take a step that costs to reach one that pays. The first Inception module of GoogLeNet
# has four branches that read the same map; its weights are drawn, since nothing here depends on them.

# %%
widths = InceptionWidths(64, 96, 128, 16, 32, pool=32)
inception = models.seeded(lambda: Inception(192, widths), seed=SEED).eval()
map3a = torch.randn(1, 192, 28, 28, generator=torch.Generator().manual_seed(SEED))
module = compiler.fuse(compiler.trace(inception, map3a))
merged = substitute(module)
panels.side_by_side({"fused": module, "rewritten": merged})

# %%
(plain,), (new,) = module.run(map3a), merged.run(map3a)
print("the same outputs:", torch.allclose(plain, new, atol=1e-5))
print(f"nodes: {len(module.nodes)} and {len(merged.nodes)}")
print(f"bytes moved: {module.cost().traffic_bytes:,} and {merged.cost().traffic_bytes:,}")

# %% [markdown]
# ### At the same time
#
# Branches may run at once, each on a core. Which ones? IOS cuts the network into **stages**: those of a stage run together, and the next
# begins when all have ended.

# %% [markdown] lead="kern-stages"
# Sets of operators are bits of a whole number. `stage_cost[s]` is what the set `s` costs as one stage, `after[i]` are those that wait
# for operator $i$. Of a set $S$, a part $S'$ may be the *last* stage if no operator of $S$ outside it waits for one inside. Then
# $cost[S] = \min_{S'} \left( cost[S \setminus S'] + stage\_cost[S'] \right)$. Return the cost of all operators.


# %% exercise="kern-stages"
def least_cost(after: list[int], stage_cost: np.ndarray) -> float:
    """Least cost of a schedule of all len(after) operators."""
    ### BEGIN SOLUTION
    cost = [0.0] + [np.inf] * (len(stage_cost) - 1)
    for ops in range(1, len(stage_cost)):
        last = ops
        while last:
            waiting = [a & ops & ~last for i, a in enumerate(after) if last >> i & 1]
            if not any(waiting):
                cost[ops] = min(cost[ops], cost[ops ^ last] + stage_cost[last])
            last = (last - 1) & ops
    return float(cost[-1])
    ### END SOLUTION


# %%
check("kern-stages")

# %% [markdown]
# `schedule_stages` asks for far fewer sets. What a stage costs is measured here, with two threads; on a machine with one free core nothing
# is gained.

# %% tags=["nbval-ignore-output"]
operators = ios.operators_of(module)
with ios.workers(2) as pool:
    cost = ios.measured_cost(operators, map3a, executor=pool, repeats=3 if FAST else 7)
    best = ios.schedule_stages(operators.dag, cost, max_group=3, max_groups=4)
    (y,) = ios.run_schedule(operators, best.schedule, map3a, executor=pool)
print(best.schedule, f"the same outputs: {torch.equal(y, plain)}", sep="\n")
for name, plan in {"one by one": ios.sequential, "greedy": ios.greedy}.items():
    print(f"{name}: {1e3 * plan(operators.dag).cost(cost):.1f} ms")
print(f"found: {1e3 * best.cost:.1f} ms, of {best.n_stages} stages that were timed")

# %% [markdown]
# ## 7. Memory
#
# A microcontroller has some hundred KiB, all in one piece: the **arena**. Every tensor gets an address in it before anything runs. Two
# may have the same if they never live at the same time.

# %%
predict(
    "kern-predict-arena",
    "If each tensor of MobileNetV2 has its own place, they need 28 MB. And if they share?",
    ["about a half of that", "about a fifth", "about a fiftieth"],
)

# %% [markdown] lead="kern-arena"
# Tensor $i$ has `sizes[i]` bytes and lives from step `first[i]` to step `last[i]`, both included. Give each an address, the **largest
# first**, of equals the one that stands first: the lowest address at which it overlaps no tensor that has a place already *and* lives in one of
# its steps.


# %% exercise="kern-arena"
def place(sizes: np.ndarray, first: np.ndarray, last: np.ndarray) -> list[int]:
    """The address of each tensor, in the order given."""
    ### BEGIN SOLUTION
    address = {}
    for i in sorted(range(len(sizes)), key=lambda i: -sizes[i]):
        meets = [j for j in address if first[j] <= last[i] and first[i] <= last[j]]
        at = 0
        for low, high in sorted((address[j], address[j] + sizes[j]) for j in meets):
            if low - at >= sizes[i]:
                break
            at = max(at, high)
        address[i] = int(at)
    return [address[i] for i in range(len(sizes))]
    ### END SOLUTION


# %%
check("kern-arena")

# %% [markdown]
# Greedy can leave gaps. `plan_memory` begins as you did, and goes on where it is above the **lower bound**: the fullest step. The
# small CNN, step by step:

# %%
program = memory.program_of(fused)
panels.arena(program)

# %%
mobile = models.skeleton("mobilenet_v2")
mobile = compiler.fuse(compiler.trace(mobile, models.example("mobilenet_v2").to("meta")))
tensors_alive = memory.lifetimes_of(memory.program_of(mobile))
each, shared = memory.without_sharing(tensors_alive), memory.plan_memory(tensors_alive)
print(f"{each.peak_bytes:,} bytes apart, {shared.peak_bytes:,} shared")
print(f"the fullest step: {memory.lower_bound(tensors_alive):,}")

# %% [markdown]
# What they take apart is the sum over the whole network; shared, it is the fullest step alone.

# %%
compare(
    "kern-predict-arena",
    "about a fifth",
    "The first layers alone are that large: a network is a narrowing tube, and its mouth counts.",
)

# %% [markdown]
# Does it hold? `run_in_arena` runs a network in one flat buffer of exactly that size.

# %%
plan = memory.plan_memory(memory.lifetimes_of(program))
(y,) = memory.run_in_arena(program, plan, x1)
print(plan.peak_bytes, "bytes, the same outputs:", torch.equal(y, after))

# %% [markdown]
# Two ways below the fullest step. **In place**: a relu, or a depthwise layer with one channel of scratch, writes over its input. **Patch
# by patch** (MCUNetV2): compute the first layers on one part of the picture after another. Their rims are computed twice; how dear is that?

# %%
panels.patches(mobile)

# %% [markdown]
# ## 8. Leave Python
#
# A microcontroller has no Python. The integer network of lab 04 becomes a file of C: weights as tables, an arena, a function for each
# layer. `generate_c` needs nothing; a C compiler runs it here, if there is one.

# %%
from efficientdl.systems.compiler.codegen import c_compiler, compile_c, generate_c

integer = quantization.integer_only(cnn, fashion.train.x[:64]).model
code = generate_c(integer, (1, 1, 28, 28))
print(code, f"an arena of {code.arena_bytes:,} bytes", sep="\n")

# %% tags=["nbval-ignore-output"]
eight = integer.to_codes(fashion.val.x[:8])
if c_compiler():
    built = compile_c(code)
    print("as in Python, to the bit:", torch.equal(built.run(eight), integer.integers(eight)))
    print(f"flash {built.flash_bytes:,} bytes, SRAM {built.sram_bytes:,}")
else:
    print("There is no C compiler on this machine: the code was made, and cannot be run here.")

# %% [markdown]
# Or another maker's runtime. ONNX is the format that most of them read. It is an optional extra, `pip install "efficientdl[export]"`;
# where it is missing, the cell says so.

# %% tags=["nbval-ignore-output"]
from importlib.util import find_spec

from efficientdl.systems.compiler.export import export_onnx, run_onnx

if find_spec("onnx") and find_spec("onnxruntime"):
    for name, model in {"float": cnn, "integer": integer}.items():
        file = export_onnx(model, fashion.val.x[:8])
        (y,) = run_onnx(file, fashion.val.x[:8])
        same = torch.allclose(y, model(fashion.val.x[:8]), atol=1e-4)
        print(f"{name:8} {len(file):,} bytes, the same outputs: {same}")
else:
    print("The extra `export` is not installed, so nothing was exported.")

# %% [markdown]
# ## 9. Challenge: a megabyte for MobileNetV2
#
# Its tensors shared six megabytes. Hand in where the patches end, how many there are, and an address for each tensor. The judge makes
# that program from the network, checks that no two living tensors overlap, and counts: bytes of the arena, and MACs, rims and all.

# %% [markdown] lead="kern-smallest"
# Return `{"until": value, "rows": r, "cols": c, "in_place": True or False, "offsets": {tensor: address}}`. The tensors are those of
# `lifetimes_of` of your program: `patch_by_patch(graph, until=..., rows=..., cols=...)`, put through `in_place` or not.


# %% exercise="kern-smallest"
def small_arena(graph):
    """The choice and the addresses to hand in; the graph is that of MobileNetV2, fused."""
    ### BEGIN SOLUTION
    best, until = None, "stage3.0.project.norm"
    for rows in (5, 6, 7):
        program = memory.patch_by_patch(graph, until=until, rows=rows, cols=4)
        if program.cost().macs <= 345_000_000:
            plan = memory.plan_memory(memory.lifetimes_of(memory.in_place(program)))
            if best is None or plan.peak_bytes < best[1].peak_bytes:
                best = rows, plan
    choice = {"until": until, "rows": best[0], "cols": 4, "in_place": True}
    return {**choice, "offsets": dict(best[1].offsets)}
    ### END SOLUTION


# %%
submit("kern-smallest", small_arena(mobile))

# %% [markdown]
# ## 10. Look back
#
# Two questions in your own words. A person marks them; the rubric is in the solution.

# %% [markdown] lead="kern-written-zeros"
# A colleague has pruned half the weights of every layer, anywhere, and put the network on a sparse kernel. It is slower than before.
# Why? What would you try?

# %% [markdown] written="kern-written-zeros"
# Each value that is kept brings an index: bytes, and instructions to follow it. The dense kernel has none; it keeps sums in registers
# and reads memory in order, so a product takes it a fraction of the time. At half the weights the saving is smaller than that price. I
# would prune much more, or in a pattern that a kernel can rely on (2:4, blocks, channels), or quantize instead.

# %% [markdown] lead="kern-written-compiler"
# A compiler rewrites your network without asking. What must it never change, and what may it change a little? When must it leave a
# pair of layers as it is, though a rule fits?

# %% [markdown] written="kern-written-compiler"
# The outputs must stay the same for every input; the last digits may differ, since sums are taken in another order. A value that
# something else reads, or that the network gives back, cannot be fused away. A rewriting that costs more than it saves should be left:
# a model of cost says which, but it may be wrong, so the machine has the last word.

# %%
course_progress()

# %% [markdown]
# ## Where the survey says it
#
# Section 6.1, on libraries and compilers: sparse and point-cloud kernels, TVM, TASO and MetaFlow, IOS, TinyEngine and patch-based inference. Section
# 2.3 has the arithmetic of few bits, 2.1 the patterns. `benchmarks/` has each kernel beside named peers, at full size.
