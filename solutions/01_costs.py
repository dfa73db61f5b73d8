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
# # Lab 01: what a network costs
#
# About two hours of your time. All cells together run in under two minutes on two cores, in 1.2 GB.
#
# When you have done it, you can
#
# - count the work of any convolution, and say what the cheap ones save;
# - tell apart the three memories of a network: weights, inference, training;
# - estimate energy, and see why moving a number costs more than multiplying it;
# - place a layer under the roofline of your own machine, and time it without fooling yourself;
# - put a price in carbon on an architecture search;
# - choose a network under several budgets at once.

# %% tags=["parameters"]
SEED = 0
FAST = False

# %% [markdown]
# One import cell for the whole lab. `costs` counts and measures, `models` holds the networks of the survey's Table 1, `panels`
# the things to play with, and `course` what checks your answers. Everything can be read: try `costs.count??` in a cell of your
# own.

# %%
from functools import partial

import numpy as np

from efficientdl import costs, models, search
from efficientdl.course import check, compare, course_progress, hint, predict, quiz, submit
from efficientdl.course.panels import lab_01 as panels
from efficientdl.course.panels import lab_01_machine as machine_panels
from efficientdl.course.panels.lab_01_family import small_family

# %% [markdown]
# ## 1. Work: multiply-accumulates
#
# A convolution with $c_{out}$ filters puts out $c_{out} \times p \times q$ numbers. Each one is a dot product of a filter with
# a patch of the input: $k^2 c_{in}$ multiplications, each added to a running sum. One multiplication with its addition is a
# **MAC**. The survey counts MACs, and so do we. Beware of "FLOPs": some say it for MACs, some for twice as many, and a table
# that mixes the two looks twice as good.
#
# Before you count, guess.

# %%
predict(
    "costs-predict-separable",
    "A 3x3 convolution with 128 channels in and out becomes a 3x3 depthwise and a 1x1 "
    "convolution. How many times fewer MACs?",
    ["about 2", "about 8", "about 64", "about 128"],
)

# %% [markdown]
# Each bar is an exact count for one output pixel. Move the controls: which of the three cheap convolutions profits from a
# larger kernel, and which from more channels?

# %%
panels.convolutions()

# %% [markdown] lead="costs-conv-macs"
# MACs of one convolution on one image. With groups, each filter sees only the input channels of its own group. Biases are
# additions, not MACs.


# %% exercise="costs-conv-macs"
def conv_macs(c_in: int, c_out: int, kernel: int, h_out: int, w_out: int, groups: int) -> int:
    """MACs of a convolution with square kernels.

    c_in, c_out   channels; both multiples of groups
    h_out, w_out  height and width of the output, in pixels
    """
    ### BEGIN SOLUTION
    return c_out * h_out * w_out * kernel * kernel * (c_in // groups)
    ### END SOLUTION


# %%
check("costs-conv-macs")

# %% [markdown]
# Stuck? `hint("costs-conv-macs")` in a cell of your own gives a nudge; call it again and it gives more.
#
# Your function counts one layer. `costs.count` counts every layer of a network as it runs, and `by_kind` adds the rows up.
# MobileNetV1 was built to be cheap. Where does its work go?

# %%
network = models.skeleton("mobilenet_v1")  # shapes without memory: enough to count
x = models.example("mobilenet_v1", device="meta")
mobilenet = costs.count(network, x)
costs.by_kind(network, mobilenet)

# %% [markdown]
# The depthwise layers, which look at neighbouring pixels, do hardly any of the work: nearly all of it is in the 1x1
# convolutions. What was cheap has become the whole bill. ShuffleNet starts from that observation and groups the 1x1
# convolutions too.

# %% [markdown] lead="costs-separable"
# How many times fewer MACs does the pair need, per output pixel, than the dense convolution that it replaces? Both have the
# same kernel size, and the picture keeps its size.


# %% exercise="costs-separable"
def separable_saving(c_in: int, c_out: int, kernel: int) -> float:
    """MACs of a dense convolution over MACs of depthwise (c_in channels), then pointwise."""
    ### BEGIN SOLUTION
    dense = kernel**2 * c_in * c_out
    pair = kernel**2 * c_in + c_in * c_out
    return dense / pair
    ### END SOLUTION


# %%
check("costs-separable")

# %% [markdown]
# Measure it: two layers of the library, counted by the same counter.

# %%
import torch

from efficientdl.models.layers import depthwise_separable, standard_conv

image = torch.empty(1, 128, 28, 28)
panels.saving(standard_conv(128, 128), depthwise_separable(128, 128), image)

# %% [markdown]
# The saving tends to $k^2$, nine for a 3x3 kernel, and never gets there: the 1x1 half stays. What it cost is in the next
# chart, which shows accuracy too.

# %%
compare(
    "costs-predict-separable",
    "about 8",
    "With 128 channels: 9 * 128 / (9 + 128) = 8.4. The kernel's size bounds the saving.",
)

# %% [markdown]
# ## 2. Table 1, recomputed
#
# Every network of the survey's Table 1 is in `models`, in plain torch, and is counted here as it runs. Choose what the
# horizontal axis shows. Accuracy is the paper's, on ImageNet: we do not train these networks.

# %%
panels.table_1()

# %% [markdown]
# Counting again is a way of reading. Most of the printed numbers come out at the last digit. A few do not, and each of them
# tells a story: batch norm left out, operations counted where MACs were meant, a network that was released in another shape.

# %%
panels.table_1_rows()

# %%
quiz(
    "costs-quiz-squeezenet",
    "SqueezeNet has 50 times fewer parameters than AlexNet. How many times fewer MACs has it?",
    {
        "about 50": "Parameters and MACs are different coins: a filter is stored once and used everywhere.",
        "about 2": "Half the work: its MACs do not fall with its parameters.",
        "it has more": "Look again: 724 million against 861 million.",
    },
    answer="it has more",
)

# %% [markdown]
# ## 3. Memory
#
# A network needs memory three times: for its weights, for the activations that are alive while it infers, and, when it
# trains, for every activation that the backward pass will want again. Only the first is what people call its "size".

# %%
predict(
    "costs-predict-training",
    "ResNet-50 has 102 MB of weights. How much does training it on 16 images keep for the "
    "backward pass?",
    ["about 100 MB", "about 400 MB", "about 1400 MB"],
)

# %% [markdown] lead="costs-peak"
# A chain of layers runs one after the other; while a layer runs, its input and its output are both in memory. `elements` are
# the sizes of the tensors along the chain: the input first, then every layer's output. Each element takes four bytes.


# %% exercise="costs-peak"
def peak_bytes(elements: list[int]) -> int:
    """Largest memory for activations while the chain infers, in bytes."""
    ### BEGIN SOLUTION
    return 4 * max(a + b for a, b in zip(elements, elements[1:]))
    ### END SOLUTION


# %%
check("costs-peak")

# %% [markdown]
# Real networks are no chains: a residual connection keeps its input alive while other layers run. The library follows every
# tensor from the operation that makes it to the last one that reads it, and then tracks what torch holds while the network runs.
# Skeletons will do: their tensors have sizes and lifetimes like any other, only no contents.

# %%
networks = {name: models.skeleton(name) for name in ("resnet50", "mobilenet_v2")}
panels.peaks(networks)

# %% [markdown] lead="costs-training"
# In training, the backward pass needs the *input* of each convolution (`conv`), linear layer (`linear`) and batch norm
# (`norm`) again: four bytes for each element. A `relu` only has to know which inputs were positive: one bit each, rounded up
# to whole bytes for each layer. Pooling (`pool`) keeps nothing. This is the rule behind the survey's figures.


# %% exercise="costs-training"
def training_bytes(layers: list[tuple[str, int]], batch: int) -> int:
    """Bytes kept for the backward pass.

    layers  kind of each layer, and the elements of its input for one image
    batch   images at once
    """
    ### BEGIN SOLUTION
    total = 0
    for kind, elements in layers:
        if kind in ("conv", "linear", "norm"):
            total += 4 * elements * batch
        elif kind == "relu":
            total += -(-elements * batch // 8)
    return total
    ### END SOLUTION


# %%
check("costs-training")

# %% [markdown]
# What does torch really keep? Its saved-tensor hooks tell. The library has two rules: `paper`, the survey's, and `torch`,
# which equals the hooks byte for byte. For MobileNetV2 they differ by two fifths. The culprit is one layer: torch's ReLU6
# keeps its whole input, where one bit for each element would do.

# %%
panels.saved_activations(networks)

# %% [markdown]
# `costs.footprint` puts the three memories of a network side by side, for any batch.

# %%
x = models.example("mobilenet_v2", batch=16, device="meta")
costs.footprint(networks["mobilenet_v2"], x, rule=costs.paper_rule)

# %% [markdown]
# Now choose a network and a batch. The line is the memory of a Raspberry Pi 1, as in the survey's Figure 9.

# %%
panels.training_memory()

# %%
compare(
    "costs-predict-training",
    "about 1400 MB",
    "Some 88 MB for each image, 16 images: 13.9 times the weights. Activations are the bottleneck.",
)

# %% [markdown]
# ## 4. Energy
#
# The survey's numbers for 32 bits: a float multiplication takes 3.7 pJ, reading a word from on-chip SRAM 5 pJ, fetching it
# from DRAM 640 pJ. A multiplication is cheap; bringing it something to multiply is not.

# %% [markdown] lead="costs-energy"
# A layer fetches each of its `words` (weights, inputs, outputs) from DRAM once. Then every MAC multiplies once, and reads two
# operands from SRAM. A word of fewer than 32 bits costs in proportion to move; the multiplication stays at 3.7 pJ.


# %% exercise="costs-energy"
def layer_energy_pj(macs: int, words: int, bits: int) -> float:
    """Energy of a layer in picojoules: multiplications, SRAM reads, DRAM fetches."""
    ### BEGIN SOLUTION
    share = bits / 32
    return macs * (3.7 + 2 * 5 * share) + words * 640 * share
    ### END SOLUTION


# %%
check("costs-energy")

# %% [markdown]
# The library's `energy` fills the last column of a report: arithmetic, weights from DRAM, activations on the chip. Which kind of
# layer takes most for what it does?

# %%
costs.by_kind(network, costs.energy(mobilenet))

# %% [markdown]
# The linear layer does two of every thousand MACs and takes an eighth of the energy: it uses each of its weights once. What do
# fewer bits buy, and what does it help if the weights fit on the chip?

# %%
panels.energy()

# %%
quiz(
    "costs-quiz-energy",
    "Which saves most energy in a layer that fetches every weight from DRAM and uses it once?",
    {
        "a cheaper multiplier": "3.7 pJ of some 650: there is little to win.",
        "8-bit weights instead of 32": "A quarter of the fetch, which is nearly all of it.",
        "a faster clock": "Energy is counted for each operation, not for each second.",
    },
    answer="8-bit weights instead of 32",
)

# %% [markdown]
# ## 5. Time
#
# Time is the only cost that cannot be counted: it has to be measured, and measuring goes wrong easily. The first calls are
# slow, because caches are cold. Once in a while the system does something else. A mean believes all of that.

# %% [markdown] lead="costs-median"
# Turn raw timings into two numbers: the median of what comes after the warm-up, and the spread, which is the 75th percentile
# less the 25th.


# %% exercise="costs-median"
def summarize(times: np.ndarray, warmup: int) -> tuple[float, float]:
    """Median and spread of timings, the first `warmup` of them left out."""
    ### BEGIN SOLUTION
    kept = times[warmup:]
    return float(np.median(kept)), float(np.percentile(kept, 75) - np.percentile(kept, 25))
    ### END SOLUTION


# %%
check("costs-median")

# %% [markdown]
# `costs.latency` does that for any function. Its repeats are few here; where networks are compared, `costs.compare` takes
# turns between them, so that a busy moment hits all alike.

# %% tags=["nbval-ignore-output"]
squeezenet, x = models.build("squeezenet", seed=SEED).eval(), models.example("squeezenet")
costs.latency(lambda: squeezenet(x), warmup=2, repeats=5 if FAST else 15)

# %% [markdown]
# How fast could it be? A processor has two limits: MACs in a second, and bytes to and from memory in a second. A layer that
# does many MACs on each byte is bound by the first; one that does few, by the second. The **roofline** draws both.

# %% [markdown] lead="costs-roofline"
# The least time in which a machine can run a layer, when it computes and moves data at the same time, and which of the two
# limits it. When both take equally long, call it `compute`.


# %% exercise="costs-roofline"
def least_time(
    macs: float, traffic_bytes: float, macs_per_s: float, bytes_per_s: float
) -> tuple[float, str]:
    """Seconds at least, and the limit: "compute" or "memory"."""
    ### BEGIN SOLUTION
    compute, memory = macs / macs_per_s, traffic_bytes / bytes_per_s
    return max(compute, memory), "compute" if compute >= memory else "memory"
    ### END SOLUTION


# %%
check("costs-roofline")

# %% [markdown]
# Measure your own machine, a second or two, and see where the layers of a network land under its roof. Depthwise layers do
# nine MACs on each number they move: they sit on the slope.

# %% tags=["nbval-ignore-output"]
machine = costs.measure_machine()
print(machine)
layers = costs.roofline(mobilenet, machine)
print(sum(layer.bound == "memory" for layer in layers.values()), "of", len(layers), "by memory")

# %% [markdown]
# That counted every layer of MobileNetV1. Here is the largest layer of each kind, timed.

# %% tags=["nbval-ignore-output"]
machine_panels.roofline(machine)

# %% [markdown]
# The roof is the most that a layer can reach; the points are measured. Those far below it lose time to something that neither
# MACs nor bytes explain. So: can you tell the faster of two networks from their MACs?

# %%
predict(
    "costs-predict-order",
    "One network has half the MACs of another. Does it run faster on your machine?",
    ["always", "not always"],
)

# %% [markdown]
# The survey's Figure 7 says that fewer MACs is not less latency; it was measured on a phone. Here is your machine. The networks
# are timed in turns, eight images at a time, and every pair is listed whose order by the clock is not its order by MACs, if their
# timings stand clearly apart. One network has many thin layers, another few thick ones.

# %% tags=["nbval-ignore-output"]
names = ["alexnet", "mobilenet_v1", "mobilenet_v2", "shufflenet_v2_150"]
timed = {name: (models.build(name, seed=SEED), models.example(name, batch=8)) for name in names}
take_turns = partial(costs.compare, repeats=5 if FAST else 9)
pairs = costs.macs_against_latency(timed, measure=take_turns)
print("\n".join(map(str, pairs)) or "This time no pair stands apart: run the cell again.")

# %%
compare(
    "costs-predict-order",
    "not always",
    "MACs leave out what is moved, how parallel the work is, and how many small steps it takes.",
)

# %% [markdown]
# ## 6. Carbon
#
# An architecture search trains or ranks thousands of networks, and many methods start over for every new device. Strubell and
# others turned GPU hours into carbon: 1.58 (what a data centre needs on top) x 0.954 pounds of CO2 for each kWh x the power
# of one GPU with its share of the machine. The survey's Table 3 uses it, and the price of a cloud instance.

# %%
from efficientdl.costs import DOLLARS_PER_GPU_HOUR, LBS_PER_GPU_HOUR

print(f"{LBS_PER_GPU_HOUR:.4f} lbs and ${DOLLARS_PER_GPU_HOUR:.2f} for an hour of one GPU")

# %% [markdown] lead="costs-carbon"
# A search pays `fixed_hours` of GPU time once, and `hours_each` again for each of `n` devices. What is its footprint, in
# pounds of CO2 and in dollars? Use the two constants above.


# %% exercise="costs-carbon"
def search_footprint(fixed_hours: float, hours_each: float, n: int) -> tuple[float, float]:
    """Pounds of CO2 and dollars of a search for n devices."""
    ### BEGIN SOLUTION
    hours = fixed_hours + hours_each * n
    return hours * LBS_PER_GPU_HOUR, hours * DOLLARS_PER_GPU_HOUR
    ### END SOLUTION


# %%
check("costs-carbon")

# %% [markdown]
# The library's `carbon` does the same sum. NASNet-A takes 48,000 GPU hours for each device; for forty of them:

# %%
costs.carbon(48_000 * 40)

# %% [markdown]
# Table 3 for any number of devices. At 40 it is the survey's own; move on to 1000 and see which methods can be afforded.

# %%
panels.search_carbon()

# %% [markdown]
# ## 7. Challenge: one network, three budgets
#
# A family of small networks was trained on Fashion-MNIST: dense, depthwise separable or inverted residual blocks; narrow or
# wide; shallow or deep; halving the picture early or late. A microcontroller gives you so much flash for weights, so much SRAM
# for activations, and so many MACs. No single figure picks the right one.

# %%
table = small_family()
table

# %% [markdown]
# Do you have to look at all of them? A searcher proposes, you evaluate, it learns. Here there are few networks to look at; in
# lab 06 there are not.

# %%
space = search.Space({"network": tuple(table.names)})
for searcher in (
    search.RandomSearch(space, seed=SEED),
    search.RegularizedEvolution(space, population=4, tournament=2, seed=SEED),
):
    found = search.minimize(searcher, lambda point: -table.accuracy(point["network"]), budget=8)
    print(f"{type(searcher).__name__}: {found.point['network']}, accuracy {-found.score:.3f}")

# %% [markdown] lead="costs-budget"
# Write the choice itself. Each row is a dictionary with `name`, `accuracy` (on the validation part), `weight_bytes`,
# `activation_bytes` and `macs`; `limits` has the last three names. What you hand in is measured again on the test part.


# %% exercise="costs-budget"
def choose(rows: list[dict], limits: dict[str, int]) -> str:
    """Name of the most accurate network that keeps every limit."""
    ### BEGIN SOLUTION
    fitting = [row for row in rows if all(row[name] <= limits[name] for name in limits)]
    return max(fitting, key=lambda row: row["accuracy"])["name"]
    ### END SOLUTION


# %%
submit("costs-budget", {"network": choose(table.rows, table.limits)})

# %% [markdown]
# ## 8. Look back
#
# Two questions in your own words. A person marks them; the rubric is in the solution.

# %% [markdown] lead="costs-written-size"
# A colleague says: "We made the network ten times smaller, so it now trains on the phone." What would you ask?

# %% [markdown] written="costs-written-size"
# Ten times smaller in what? If it is the parameters, training hardly changes: it keeps activations, which are many times the
# weights and grow with the batch. I would ask for the activation memory per image, the batch, and what the framework really
# keeps, measured and not counted.

# %% [markdown] lead="costs-written-latency"
# Two networks have equal MACs, and one takes twice as long on your machine. Name two reasons, and the measurement that would
# tell them apart.

# %% [markdown] written="costs-written-latency"
# It may move more bytes for each MAC (depthwise layers), or split its work into many small operations, each with its overhead.
# The roofline of each layer tells: a layer on the slope is bound by memory, one far below the roof by something else, such as
# overhead, which a larger batch would hide.

# %%
course_progress()

# %% [markdown]
# ## Where the survey says it
#
# Section 2.5 and Table 1: efficient convolutions and the networks built of them. Section 3.2, Figure 7 and Table 3: latency is
# not MACs, and the price of a search. Section 4, Figures 9 and 10: training memory and energy. All four are recomputed, with
# what comes out and what does not, in [benchmarks/survey_tables.md](../benchmarks/survey_tables.md).
