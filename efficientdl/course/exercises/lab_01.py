"""The exercises of lab 01, costs: what is drawn, how close is right, what to say when it is not."""

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

LAB = "01_costs"


def _convolution(rng: np.random.Generator) -> Arguments:
    groups = int(rng.choice([1, 1, 2, 4]))
    c_in, c_out = (groups * int(n) for n in rng.integers(1, 17, 2))
    h_out, w_out = (int(n) for n in rng.integers(1, 57, 2))
    return c_in, c_out, int(rng.choice([1, 3, 5, 7])), h_out, w_out, groups


def _separable(rng: np.random.Generator) -> Arguments:
    c_in, c_out = (int(n) for n in rng.integers(4, 257, 2))
    return c_in, c_out, int(rng.choice([3, 5, 7]))


def _chain(rng: np.random.Generator) -> Arguments:
    return ([int(n) for n in rng.integers(1, 5000, rng.integers(6, 11))],)


def _layers(rng: np.random.Generator) -> Arguments:
    kinds = ["conv", "norm", "relu", "pool", "linear"]  # each at least once, so that each counts
    kinds += [str(kind) for kind in rng.choice(kinds, int(rng.integers(0, 4)))]
    order = rng.permutation(len(kinds))
    layers = [(kinds[i], int(rng.integers(1, 4000))) for i in order]
    return layers, int(rng.choice([1, 2, 3, 5]))


def _energy(rng: np.random.Generator) -> Arguments:
    macs, words = int(rng.integers(10**3, 10**7)), int(rng.integers(10**2, 10**5))
    return macs, words, int(rng.choice([8, 16, 32]))


def _times(rng: np.random.Generator) -> Arguments:
    warmup = int(rng.integers(0, 4))
    times = rng.normal(1.0, 0.02, int(rng.integers(9, 30)))
    times[:warmup] += 2.0  # the first calls are slow
    times[int(rng.integers(warmup, times.size))] += 5.0  # and once, something else ran
    return times, warmup


def _roofline(rng: np.random.Generator) -> Arguments:
    macs, traffic = (float(10 ** rng.uniform(4, 9)) for _ in range(2))
    return macs, traffic, float(10 ** rng.uniform(9, 12)), float(10 ** rng.uniform(9, 11))


def _search(rng: np.random.Generator) -> Arguments:
    fixed, each = float(rng.integers(0, 2000)), float(rng.integers(0, 300))
    return fixed, each, int(rng.integers(1, 100))


# What a small microcontroller offers, and what the best network that fits it reaches at least.
BUDGET = (
    at_most("weight_bytes", 110 * 1024, "bytes"),
    at_most("activation_bytes", 40 * 1024, "bytes"),
    at_most("macs", 1_050_000, "MACs"),
    at_least("accuracy", 0.9, "of the test part"),
)


def _judge(artefact: Mapping[str, Any]) -> Verdict:
    from efficientdl.course.family import judge  # with torch, which drawing inputs does not need

    return judge(artefact, BUDGET)


TASKS: list[Task] = [
    Exercise(
        id="costs-conv-macs",
        lab=LAB,
        title="Count a convolution",
        symbol="conv_macs",
        points=10,
        minutes=6,
        difficulty=1,
        draw=_convolution,
        forbids=("efficientdl.costs.count", "efficientdl.costs.macs"),
        hints=(
            "How many numbers does the layer put out? Each of them is one dot product.",
            "A dot product is as long as one filter, and a filter sees only its own group.",
            "Outputs: c_out * h_out * w_out. MACs for each: kernel * kernel * (c_in // groups).",
        ),
    ),
    Exercise(
        id="costs-separable",
        lab=LAB,
        title="Depthwise against dense",
        symbol="separable_saving",
        points=10,
        minutes=8,
        difficulty=2,
        draw=_separable,
        forbids=("efficientdl.costs.count", "efficientdl.costs.macs"),
        hints=(
            "Count both for one output pixel: the dense layer, and the pair that replaces it.",
            "Depthwise is a convolution with as many groups as channels; pointwise has kernel 1.",
            "Dense: kernel**2 * c_in * c_out. The pair: kernel**2 * c_in + c_in * c_out.",
        ),
    ),
    Exercise(
        id="costs-peak",
        lab=LAB,
        title="Memory of inference",
        symbol="peak_bytes",
        points=10,
        minutes=6,
        difficulty=1,
        draw=_chain,
        hints=(
            "While a layer runs, its input and its output are both in memory, and nothing else.",
            "Look at each pair of neighbours in the list.",
            "zip(elements, elements[1:]) gives the pairs; the largest sum times 4 is the answer.",
        ),
    ),
    Exercise(
        id="costs-training",
        lab=LAB,
        title="Memory of training",
        symbol="training_bytes",
        points=12,
        minutes=10,
        difficulty=2,
        draw=_layers,
        hints=(
            "What does the backward pass of each layer need to see again?",
            "A ReLU only has to remember which inputs were positive: one bit each.",
            "Elements times batch first; then 4 bytes each, or one bit rounded up to whole bytes.",
        ),
    ),
    Exercise(
        id="costs-energy",
        lab=LAB,
        title="Energy of a layer",
        symbol="layer_energy_pj",
        points=12,
        minutes=8,
        difficulty=2,
        draw=_energy,
        forbids=("efficientdl.costs.energy",),
        hints=(
            "Three parts add up: multiplying, reading operands on the chip, fetching from DRAM.",
            "Each MAC reads two operands from SRAM. A word of half the bits costs half as much.",
            "share = bits / 32; macs * (3.7 + 2 * 5 * share) + words * 640 * share.",
        ),
    ),
    Exercise(
        id="costs-median",
        lab=LAB,
        title="One number from many timings",
        symbol="summarize",
        points=8,
        minutes=6,
        difficulty=1,
        draw=_times,
        forbids=("efficientdl.costs.latency", "efficientdl.costs.Latency"),
        hints=(
            "The first calls pay for things that later calls find ready: leave them out.",
            "The mean follows one bad timing; the median does not.",
            "kept = times[warmup:]; np.median(kept), then np.percentile(kept, 75) less the 25th.",
        ),
    ),
    Exercise(
        id="costs-roofline",
        lab=LAB,
        title="Under the roofline",
        symbol="least_time",
        points=12,
        minutes=10,
        difficulty=2,
        draw=_roofline,
        forbids=("efficientdl.costs.roofline",),
        hints=(
            "Two things have to happen: the multiplying, and the moving of data.",
            "A machine can do both at once, so the slower of the two decides.",
            "macs / peak seconds of multiplying, traffic / bandwidth seconds of moving.",
        ),
    ),
    Exercise(
        id="costs-carbon",
        lab=LAB,
        title="Carbon of a search",
        symbol="search_footprint",
        points=10,
        minutes=6,
        difficulty=1,
        draw=_search,
        forbids=("efficientdl.costs.carbon",),
        hints=(
            "How many GPU hours is the search for all n devices?",
            "What is paid once is paid once; what is paid for each device is paid n times.",
            "hours = fixed + each * n; hours * LBS_PER_GPU_HOUR and hours * DOLLARS_PER_GPU_HOUR.",
        ),
    ),
    Challenge(
        id="costs-budget",
        lab=LAB,
        title="One network, three budgets",
        symbol="choose",
        points=16,
        minutes=15,
        budget=BUDGET,
        judge=_judge,
        hints=(
            "First leave out every network that breaks a limit; only then look at accuracy.",
            "all(row[name] <= limits[name] for name in limits) is true for a row that fits.",
            "max(fitting, key=lambda row: row['accuracy'])['name']",
        ),
    ),
    Written(
        id="costs-written-size",
        lab=LAB,
        title="Ten times smaller",
        points=0,
        minutes=5,
        rubric=(
            "Asks which memory became smaller: weights, inference or training.",
            "Says that training memory is mostly activations and grows with the batch.",
            "Asks for a measurement of what the framework keeps.",
        ),
    ),
    Written(
        id="costs-written-latency",
        lab=LAB,
        title="Equal work, twice the time",
        points=0,
        minutes=5,
        rubric=(
            "Names bytes moved for each MAC, or the roofline's slope.",
            "Names a second reason: many small operations, too little parallel work, cold caches.",
            "Names a measurement that separates the two.",
        ),
    ),
]
