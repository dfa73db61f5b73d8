"""The exercises of lab 03, low rank: what is drawn, how close is right, what to say when not."""

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

LAB = "03_low_rank"
_OURS = ("efficientdl.tensors.factors", "efficientdl.compression.lowrank")
_ROUNDING = "singular vectors round by a few units of float64 over the gap between their values"


def _matrix(rng: np.random.Generator) -> Arguments:
    m, k = (int(n) for n in rng.integers(4, 12, 2))
    return rng.normal(size=(m, k)), int(rng.integers(1, min(m, k)))


def _spectrum(rng: np.random.Generator) -> Arguments:
    # long enough that no other rule hits the same rank by chance
    singular = np.sort(rng.exponential(size=int(rng.integers(20, 40))))[::-1].copy()
    return singular, float(rng.uniform(0.6, 0.97))


def _layer(rng: np.random.Generator) -> Arguments:
    # often of sizes at which a pair does exactly the MACs of the layer, which saves nothing
    n = int(rng.integers(2, 30))
    if rng.random() < 0.5:
        return 2 * n, 2 * n
    return int(rng.integers(2, 500)), int(rng.integers(2, 500))


def _kernel(rng: np.random.Generator) -> Arguments:
    c_out, c_in = (int(n) for n in rng.integers(2, 6, 2))
    r, s = (int(n) for n in rng.choice([3, 5], 2))
    return rng.normal(size=(c_out, c_in, r, s)), int(rng.integers(1, min(c_in * r, c_out * s)))


def _factors(rng: np.random.Generator) -> Arguments:
    c_out, c_in = (int(n) for n in rng.choice(np.arange(8, 129), 2, replace=False))
    p, q = int(rng.integers(1, c_out + 1)), int(rng.integers(1, c_in + 1))
    return c_out, c_in, int(rng.choice([3, 5, 7])), int(rng.integers(1, 100)), p, q


def _responses(rng: np.random.Generator) -> Arguments:
    m, k = int(rng.integers(4, 8)), int(rng.integers(4, 9))
    x = rng.normal(size=(int(rng.integers(30, 60)), k)) * rng.uniform(0.2, 3, k) + 1
    return rng.normal(size=(m, k)), rng.normal(size=m), x, int(rng.integers(1, m))


def _budget(rng: np.random.Generator) -> Arguments:
    layers = [
        (*(int(n) for n in rng.integers(5, 60, 2)), int(rng.choice([1, 16, 49, 64])))
        for _ in range(int(rng.integers(2, 5)))
    ]
    least = sum(n * (m + k) for m, k, n in layers)
    return layers, int(rng.integers(least, max(least + 1, sum(m * k * n for m, k, n in layers))))


# What plain SVD reaches when each layer gets the rank that it needs; an equal share does not.
BUDGET = (
    at_most("params", 45_000, "parameters"),
    at_most("macs", 830_000, "MACs"),
    at_least("accuracy", 0.955, "of the test part"),
)


def _judge(artefact: Mapping[str, Any]) -> Verdict:
    from efficientdl.course.thin_ranks import judge  # with torch, which drawing does not need

    return judge(artefact, BUDGET)


TASKS: list[Task] = [
    Exercise(
        id="rank-nearest",
        lab=LAB,
        title="The nearest matrix of a rank",
        symbol="nearest",
        points=12,
        minutes=8,
        difficulty=1,
        draw=_matrix,
        rtol=1e-7,
        atol=1e-9,
        reason=_ROUNDING,
        forbids=_OURS,
        hints=(
            "Of the three factors that np.linalg.svd gives, only a first part stays.",
            "Keep the first columns of U, the first values, the first rows of V^T; multiply.",
            "u, s, vt = np.linalg.svd(weight, full_matrices=False); (u[:, :t] * s[:t]) @ vt[:t]",
        ),
    ),
    Exercise(
        id="rank-energy",
        lab=LAB,
        title="A rank for an energy",
        symbol="rank_for_energy",
        points=10,
        minutes=6,
        difficulty=1,
        draw=_spectrum,
        forbids=_OURS,
        hints=(
            "Energy is in the squares. How much do the first one, two, three of them hold?",
            "np.cumsum of the squares over their sum is that share, for every rank.",
            "Count the shares that are below `kept`, and add one.",
        ),
    ),
    Exercise(
        id="rank-break-even",
        lab=LAB,
        title="The last rank that saves",
        symbol="break_even",
        points=8,
        minutes=5,
        difficulty=1,
        draw=_layer,
        forbids=_OURS,
        hints=(
            "How many MACs do the two layers do at rank 1? And at rank t?",
            "t * (m + k) must be below m * k; at equality nothing is saved.",
            "The largest whole t below m * k / (m + k): one less than it where it divides.",
        ),
    ),
    Exercise(
        id="rank-spatial",
        lab=LAB,
        title="Columns, then rows",
        symbol="spatial_error",
        points=14,
        minutes=12,
        difficulty=3,
        draw=_kernel,
        rtol=1e-7,
        atol=1e-9,
        reason=_ROUNDING,
        forbids=_OURS,
        hints=(
            "Which indices belong to the first convolution, and which to the second?",
            "Put (c_out, s) on one side and (c_in, r) on the other: transpose, then reshape.",
            "kernel.transpose(0, 3, 1, 2).reshape(c_out * s, c_in * r); then its singular values.",
        ),
    ),
    Exercise(
        id="rank-weights",
        lab=LAB,
        title="Count CP and Tucker-2",
        symbol="factor_weights",
        points=10,
        minutes=8,
        difficulty=2,
        draw=_factors,
        forbids=_OURS,
        hints=(
            "Write down the shape of every convolution in the chain, then add up.",
            "CP: 1x1 to `terms`, k x 1 and 1 x k in each channel alone, 1x1 to c_out.",
            "terms * (c_in + 2k + c_out), and c_in * q + p * q * k**2 + c_out * p.",
        ),
    ),
    Exercise(
        id="rank-responses",
        lab=LAB,
        title="Rebuild the responses",
        symbol="rebuild",
        points=16,
        minutes=15,
        difficulty=3,
        draw=_responses,
        rtol=1e-6,
        atol=1e-8,
        reason=_ROUNDING,
        forbids=_OURS,
        hints=(
            "First compute the responses, then their mean, then the directions they vary in.",
            "The right singular vectors of the centred responses are those directions.",
            "M = u @ u.T with the first `rank` directions; M @ weight, M @ bias + mean - M @ mean.",
        ),
    ),
    Exercise(
        id="rank-even",
        lab=LAB,
        title="Ranks under a MAC budget",
        symbol="even_ranks",
        points=14,
        minutes=12,
        difficulty=2,
        draw=_budget,
        forbids=_OURS,
        hints=(
            "A rank of a layer costs n * (m + k) MACs. What is left when each has one?",
            "With rank t + 1 a layer's share is (t + 1) * (m + k) / (m * k): n falls out.",
            "np.argmin of the shares, inf at full rank; then pay n * (m + k), or return.",
        ),
    ),
    Challenge(
        id="rank-budget",
        lab=LAB,
        title="LeNet-5, ten times smaller",
        symbol="choose_ranks",
        points=16,
        minutes=15,
        budget=BUDGET,
        judge=_judge,
        hints=(
            "Ask of both layers that each alone keeps the same accuracy, and see what that saves.",
            "For a least accuracy, take the lowest rank of each layer that still reaches it.",
            "Try the accuracies of the table from the top; return the first choice that fits.",
        ),
    ),
    Written(
        id="rank-written-slower",
        lab=LAB,
        title="Fewer MACs, no faster",
        points=0,
        minutes=5,
        rubric=(
            "Says that each thin layer writes and reads a feature map of its own.",
            "Says that more and smaller operations cost overhead each, most at batch 1.",
            "Names a measurement: latency of both, in turns, with its spread, on the target.",
        ),
    ),
    Written(
        id="rank-written-energy",
        lab=LAB,
        title="The wrong error",
        points=0,
        minutes=5,
        rubric=(
            "Tells apart the error of the weights and the error of the responses or accuracy.",
            "Says that inputs are stronger in some directions, so weights differ in worth.",
            "Proposes a choice by responses, by a scan of accuracy, or fine-tuning afterwards.",
        ),
    ),
]
