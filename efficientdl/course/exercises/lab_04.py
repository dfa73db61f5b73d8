"""The exercises of lab 04, quantization: what is drawn, how close is right, what to say if not."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from efficientdl.course.exercise import (
    Arguments,
    Challenge,
    Exercise,
    Task,
    Verdict,
    Written,
    at_least,
    at_most,
)

LAB = "04_quantization"
_LIBRARY = ("efficientdl.compression", "efficientdl.tensors", "efficientdl.kernels")


def _range(rng: np.random.Generator) -> Arguments:
    weight = rng.normal(size=tuple(int(n) for n in rng.integers(3, 8, 2)))
    low, high = float(-rng.uniform(0.3, 1.5)), float(rng.uniform(0.3, 2))  # some lie outside
    return weight, low, high, int(rng.integers(1, 7))


def _cuts(rng: np.random.Generator) -> Arguments:
    x = rng.laplace(size=int(rng.integers(60, 200))) * rng.uniform(0.1, 3)
    cuts = np.abs(x).max() * np.sort(rng.uniform(0.15, 1, 12))
    return x, rng.permutation(cuts), int(rng.integers(2, 5))


def _histogram(rng: np.random.Generator) -> Arguments:
    levels = int(rng.choice([2, 4, 8]))
    counts = rng.integers(0, 30, levels * int(rng.integers(3, 7)))
    cut = levels * int(rng.integers(2, len(counts) // levels))
    counts[rng.random(len(counts)) < 0.2] = 0
    counts[0] = 0  # nothing is spread to an empty bin
    counts[cut - 1] += 1  # the last bin that stays is not empty
    return counts, cut, levels


def _clusters(rng: np.random.Generator) -> Arguments:
    weight = rng.normal(size=tuple(int(n) for n in rng.integers(4, 9, 2)))
    centroids = np.sort(rng.normal(size=int(rng.integers(2, 7))))
    if rng.random() < 0.4:
        centroids[-1] = 9.0  # nobody is near to it
    return weight, centroids


def _gradients(rng: np.random.Generator) -> Arguments:
    shape = tuple(int(n) for n in rng.integers(4, 9, 2))
    n = int(rng.choice([4, 8]))
    codes = rng.integers(0, n - 1, shape)  # the last centroid has no weight
    return rng.normal(size=shape), codes, n


def _counts(rng: np.random.Generator) -> Arguments:
    counts = np.ceil(np.exp(rng.uniform(0, 6, int(rng.integers(3, 12))))).astype(int)
    return ([int(n) for n in counts],)


def _layer(rng: np.random.Generator) -> Arguments:
    n, k, m = (int(n) for n in rng.integers(3, 9, 3))
    x = rng.integers(-128, 128, (n, k)).astype(np.int8)
    weight = rng.integers(-127, 128, (m, k)).astype(np.int8)
    bias = rng.integers(-9000, 9001, m).astype(np.int32)
    zeros = (int(zero) for zero in rng.integers(-90, 91, 2))
    return x, weight, bias, *zeros, int(rng.integers(2**30, 2**31)), int(rng.integers(37, 41))


def _pair(rng: np.random.Generator) -> Arguments:
    k, mid, m = (int(n) for n in rng.integers(3, 7, 3))
    first = rng.normal(size=(mid, k)) * 10 ** rng.uniform(-1, 1, (mid, 1))
    second = rng.normal(size=(m, mid)) * 10 ** rng.uniform(-1, 1, (1, mid))
    return first, rng.normal(size=mid), second


def _weights(rng: np.random.Generator) -> Arguments:
    shape = tuple(int(n) for n in rng.integers(3, 9, 2))
    return (rng.laplace(size=shape) * rng.uniform(0.05, 2),)


# What one sparsity and one bit width for all layers misses, and a policy for each layer meets.
BUDGET = (
    at_most("file_bytes", 12 * 1024, "bytes"),
    at_least("accuracy", 0.93, "of the test part"),
)


def _judge(artefact: Mapping[str, Any]) -> Verdict:
    from efficientdl.course.small_file import judge  # with torch, which drawing does not need

    return judge(artefact, BUDGET)


TASKS: list[Task] = [
    Exercise(
        id="quant-codes",
        lab=LAB,
        title="A number becomes a code",
        symbol="to_codes",
        points=8,
        minutes=8,
        difficulty=1,
        draw=_range,
        forbids=_LIBRARY,
        hints=(
            "How many steps lie between low and high, if there are 2**bits levels?",
            "Clamp first. The code is the number of steps above low, rounded.",
            "step = (high - low) / (2**bits - 1); codes = np.round((clamped - low) / step).",
        ),
    ),
    Exercise(
        id="quant-clip",
        lab=LAB,
        title="Where to cut the tails",
        symbol="best_cut",
        points=10,
        minutes=12,
        difficulty=2,
        draw=_cuts,
        forbids=_LIBRARY,
        hints=(
            "Try every cut: quantize with it, and measure the mean squared error.",
            "Zero is one of the levels, and the step is cut / (2**(bits - 1) - 1).",
            "near = np.clip(np.round(x / step), -top, top) * step, top = 2**(bits - 1) - 1.",
        ),
    ),
    Exercise(
        id="quant-divergence",
        lab=LAB,
        title="How much a cut distorts",
        symbol="divergence",
        points=12,
        minutes=15,
        difficulty=3,
        draw=_histogram,
        cases=12,
        rtol=1e-7,
        atol=1e-12,
        reason="a sum of logarithms that may cancel to zero",
        forbids=_LIBRARY,
        hints=(
            "Two histograms of `cut` bins: one with the clipped values in its last bin, one that "
            "went through few levels and back.",
            "counts[:cut].reshape(levels, -1) puts a level on a row. Its sum is spread evenly over "
            "the bins of the row that are not empty.",
            "q = np.where(full, sums / np.maximum(full.sum(1), 1), 0) with keepdims; then "
            "normalize p and q and sum p * np.log(p / q) where p > 0.",
        ),
    ),
    Exercise(
        id="quant-kmeans",
        lab=LAB,
        title="One round of k-means",
        symbol="kmeans_round",
        points=10,
        minutes=10,
        difficulty=2,
        draw=_clusters,
        forbids=_LIBRARY,
        hints=(
            "Two halves: each weight chooses its nearest centroid, each centroid moves.",
            "np.abs(weight.reshape(-1, 1) - centroids).argmin(axis=1) are the codes.",
            "For each code the mean of its weights; a centroid without weights stays.",
        ),
    ),
    Exercise(
        id="quant-gather",
        lab=LAB,
        title="The gradient of a shared value",
        symbol="gather",
        points=6,
        minutes=6,
        difficulty=1,
        draw=_gradients,
        forbids=_LIBRARY,
        hints=(
            "If a centroid moves by a little, all weights that share it move by as much.",
            "So its gradient is the sum over its weights; a centroid without weights has 0.",
            "np.bincount(codes.ravel(), weights=gradient.ravel(), minlength=n)",
        ),
    ),
    Exercise(
        id="quant-huffman",
        lab=LAB,
        title="The bits of a Huffman tree",
        symbol="huffman_bits",
        points=12,
        minutes=12,
        difficulty=3,
        draw=_counts,
        forbids=(*_LIBRARY, "efficientdl.automl"),
        hints=(
            "Join the two rarest again and again. What does one join cost?",
            "A join puts one bit in front of the code of every symbol below it: their counts.",
            "heap = list(counts); heapq.heapify(heap); while two are left, pop both, push their "
            "sum and add it to the bits.",
        ),
    ),
    Exercise(
        id="quant-integer",
        lab=LAB,
        title="A layer in whole numbers",
        symbol="integer_linear",
        points=14,
        minutes=18,
        difficulty=3,
        draw=_layer,
        cases=12,
        forbids=_LIBRARY,
        hints=(
            "Make everything int64 first: products of bytes do not fit into a byte.",
            "Sum (x - x_zero) times the weights, add the bias; multiply, shift, add, clamp.",
            "half = 1 << (shift - 1); y = ((total * multiplier + half) >> shift) + y_zero; "
            "np.clip(y, -128, 127).astype(np.int8).",
        ),
    ),
    Exercise(
        id="quant-equalize",
        lab=LAB,
        title="Two layers of one range",
        symbol="equalize",
        points=10,
        minutes=12,
        difficulty=2,
        draw=_pair,
        forbids=_LIBRARY,
        hints=(
            "A channel is a row of the first layer and a column of the second.",
            "Which s makes the range of the row over s and of the column times s equal?",
            "r1 = np.abs(first).max(axis=1), r2 = np.abs(second).max(axis=0).",
        ),
    ),
    Exercise(
        id="quant-ternary",
        lab=LAB,
        title="Minus, nothing, plus",
        symbol="ternarize",
        points=6,
        minutes=8,
        difficulty=1,
        draw=_weights,
        forbids=_LIBRARY,
        hints=(
            "Two numbers: the threshold below which a weight is zero, and the size of the others.",
            "0.7 times the mean magnitude of all; the mean magnitude of those above that.",
            "large = np.abs(weight) > threshold; np.where(large, np.sign(weight) * E, 0)",
        ),
    ),
    Challenge(
        id="quant-smallest",
        lab=LAB,
        title="The smallest file that still reads",
        symbol="small_network",
        points=12,
        minutes=25,
        budget=BUDGET,
        judge=_judge,
        time_limit_s=120,
        hints=(
            "Where are the bytes? fc1 has 235,200 of 266,200 weights. And the classifier?",
            "A policy for each layer, {layer: sparsity} and {layer: bits}: prune fc1 hardest.",
            "Then train: `retrain` lets the weights that stay make up for the others, `finetune` "
            "moves the shared values. A few epochs are enough.",
        ),
    ),
    Written(
        id="quant-written-bits",
        lab=LAB,
        title="Four bits, no faster",
        points=0,
        minutes=5,
        rubric=(
            "Says that weights in few bits are unpacked and the float kernel computes.",
            "Says that time falls only where the arithmetic itself is on integers or bits.",
            "Names what does get smaller: the file, the memory, the bytes that are moved.",
        ),
    ),
    Written(
        id="quant-written-data",
        lab=LAB,
        title="Without the data",
        points=0,
        minutes=5,
        rubric=(
            "Says that ranges of activations are needed, and weights alone do not tell them.",
            "Names what stands in for data: statistics of batch norm, or a batch made from them.",
            "Names a limit: no batch norm, few bits, or labels that training would need.",
        ),
    ),
]
