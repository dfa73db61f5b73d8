"""The exercises of lab 02, pruning: what is drawn, how close is right, what to say if it is not."""

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

LAB = "02_pruning"
_LIBRARY = ("efficientdl.compression", "efficientdl.tensors")


def _matrix(rng: np.random.Generator) -> Arguments:
    rows, columns = (int(n) for n in rng.integers(3, 8, 2))
    weight = rng.integers(-6, 7, (rows, columns)) / 2  # a few magnitudes, so that some are equal
    return weight, float(rng.choice([0.0, 0.25, 0.5, 0.7, 0.9]))


def _positions(rng: np.random.Generator) -> Arguments:
    mask = rng.random(int(rng.integers(40, 120))) < rng.uniform(0.05, 0.4)
    mask[int(rng.integers(mask.size))] = True
    return mask, int(rng.choice([4, 8, 16, 32])), int(rng.integers(1, 5))


def _runs(rng: np.random.Generator) -> Arguments:
    m = int(rng.choice([4, 4, 8]))
    n = int(rng.integers(1, m))
    shape = int(rng.integers(2, 5)), m * int(rng.integers(1, 4))
    return rng.normal(size=shape), n, m


def _quadratic(rng: np.random.Generator) -> Arguments:
    k = int(rng.integers(4, 8))
    scale = rng.uniform(0.2, 3, k)  # small weights before large inputs: the smallest is not cheap
    examples = rng.normal(size=(3 * k, k)) + 0.5 * rng.normal(size=(3 * k, 1))  # correlated
    hessian = (examples * scale).T @ (examples * scale) / len(examples) + 0.01 * np.eye(k)
    weight = rng.choice([-1, 1], k) * rng.uniform(0.5, 1.5, k) / scale
    return weight, np.linalg.inv(hessian)


def _two_layers(rng: np.random.Generator) -> Arguments:
    c_in, c_out = (int(n) for n in rng.integers(2, 5, 2))
    c_mid = int(rng.integers(4, 8))
    first = rng.normal(size=(c_mid, c_in, 3, 3)) * rng.uniform(0.2, 2, (c_mid, 1, 1, 1))
    norm = rng.normal(size=(4, c_mid))
    second = rng.normal(size=(c_out, c_mid, 1, 1))
    return first, norm, second, int(rng.integers(1, c_mid))


def _moment(rng: np.random.Generator) -> Arguments:
    steps = int(rng.integers(20, 200))
    start, end = float(rng.uniform(0, 0.4)), float(rng.uniform(0.6, 0.98))
    return int(rng.integers(0, 2 * steps)), steps, start, end


def _operation(rng: np.random.Generator) -> Arguments:
    shape = tuple(int(n) for n in rng.integers(3, 7, 2))
    weight = rng.integers(-6, 7, shape) / 4  # some of them exactly on a threshold
    return weight, rng.random(shape) < 0.5, 0.5, float(rng.choice([0.5, 0.75, 1.0]))


def _rows(rng: np.random.Generator) -> Arguments:
    rows, columns = int(rng.integers(4, 8)), int(rng.integers(2, 9))
    weight = rng.normal(size=(rows, columns)) * rng.uniform(0.1, 3, (rows, 1))
    weight[int(rng.integers(rows))] = 0.0  # a row that is gone already
    return weight, float(rng.uniform(0.2, 0.9))


def _path(rng: np.random.Generator) -> Arguments:
    points = int(rng.integers(5, 12))
    hill = np.sin(np.linspace(0, np.pi, points)) * rng.uniform(0, 0.6)
    errors = rng.uniform(0.02, 0.2, points) + hill
    return ([float(e) for e in errors],)


# What a plain global ranking misses on either side, and a look at each layer's sensitivity meets.
BUDGET = (
    at_most("stored_bytes", 100 * 1024, "bytes"),
    at_least("accuracy", 0.88, "of the test part"),
)


def _judge(artefact: Mapping[str, Any]) -> Verdict:
    from efficientdl.course.masks import judge  # with torch, which drawing inputs does not need

    return judge(artefact, BUDGET)


TASKS: list[Task] = [
    Exercise(
        id="prune-mask",
        lab=LAB,
        title="A mask of exact sparsity",
        symbol="magnitude_mask",
        points=10,
        minutes=8,
        difficulty=1,
        draw=_matrix,
        forbids=_LIBRARY,
        hints=(
            "A threshold cuts all weights that are equal to it, or none. Rank them instead.",
            "np.argsort(..., axis=None, kind='stable') ranks all entries, earlier ones first.",
            "mask = np.ones(weight.size, dtype=bool); mask[order[:n_cut]] = False; then reshape.",
        ),
    ),
    Exercise(
        id="prune-index-bits",
        lab=LAB,
        title="What the places cost",
        symbol="stored_bits",
        points=12,
        minutes=12,
        difficulty=3,
        draw=_positions,
        forbids=_LIBRARY,
        hints=(
            "Write down the distances between neighbours; the first counts from place -1.",
            "A distance d needs (d - 1) // 2**index_bits zeros on the way.",
            "np.diff(np.flatnonzero(mask), prepend=-1) gives the distances; each entry, those "
            "zeros included, takes value_bits + index_bits.",
        ),
    ),
    Exercise(
        id="prune-n-of-m",
        lab=LAB,
        title="N of every M",
        symbol="n_of_m_mask",
        points=8,
        minutes=10,
        difficulty=2,
        draw=_runs,
        forbids=_LIBRARY,
        hints=(
            "Runs of m lie side by side in a row: one reshape puts each on a row of its own.",
            "np.argsort(..., axis=1) ranks within each run; the n largest stay.",
            "np.put_along_axis(mask, order[:, -n:], True, axis=1), then back to weight.shape.",
        ),
    ),
    Exercise(
        id="prune-obs",
        lab=LAB,
        title="One operation of the brain surgeon",
        symbol="remove_one",
        points=14,
        minutes=15,
        difficulty=3,
        draw=_quadratic,
        cases=12,
        forbids=_LIBRARY,
        atol=1e-12,
        reason="the weight that goes may come out as a rounding error instead of zero",
        hints=(
            "Two steps: which weight costs least, and how the others make up for it.",
            "The cost of each is weight**2 / (2 * diagonal of the inverse Hessian).",
            "new = weight - weight[q] / inverse[q, q] * inverse[:, q], with q the cheapest.",
        ),
    ),
    Exercise(
        id="prune-cut",
        lab=LAB,
        title="Cut channels out of two layers",
        symbol="cut_channels",
        points=14,
        minutes=12,
        difficulty=2,
        draw=_two_layers,
        forbids=_LIBRARY,
        hints=(
            "A channel is a filter of the first layer. Which axis of the second layer reads it?",
            "Rank by the norm of each filter, keep the best, and keep them in their old order.",
            "kept = np.sort(np.argsort(size)[-n_kept:]); first[kept], norm[:, kept], "
            "second[:, kept].",
        ),
    ),
    Exercise(
        id="prune-cubic",
        lab=LAB,
        title="A schedule that slows down",
        symbol="sparsity_at",
        points=6,
        minutes=6,
        difficulty=1,
        draw=_moment,
        cases=16,
        forbids=_LIBRARY,
        hints=(
            "First how far along the training is: 0 at the start, 1 at the last step and after.",
            "What is still missing from the end falls with the third power of what is left.",
            "t = min(1, step / steps); end + (start - end) * (1 - t)**3.",
        ),
    ),
    Exercise(
        id="prune-splice",
        lab=LAB,
        title="Cut and splice",
        symbol="next_mask",
        points=8,
        minutes=8,
        difficulty=2,
        draw=_operation,
        forbids=_LIBRARY,
        hints=(
            "Three cases: small, large, and between. Only the last one asks the old mask.",
            "np.abs(weight) >= low says which may stay, >= high which must be there.",
            "(mask | (np.abs(weight) >= high)) & (np.abs(weight) >= low)",
        ),
    ),
    Exercise(
        id="prune-shrink",
        lab=LAB,
        title="Shrink whole rows",
        symbol="shrink_rows",
        points=10,
        minutes=10,
        difficulty=2,
        draw=_rows,
        forbids=_LIBRARY,
        hints=(
            "Each row keeps its direction and loses length; a short one loses all of it.",
            "The new length is max(0, norm - by * sqrt(columns)). Mind a row of length zero.",
            "factor = np.maximum(0, 1 - by * np.sqrt(columns) / np.maximum(norm, 1e-300)).",
        ),
    ),
    Exercise(
        id="prune-barrier",
        lab=LAB,
        title="Height of a barrier",
        symbol="barrier",
        points=6,
        minutes=5,
        difficulty=1,
        draw=_path,
        forbids=_LIBRARY,
        hints=(
            "How much worse is the worst point than the two ends?",
            "The ends are the first and the last entry; take their mean.",
            "max(errors) - (errors[0] + errors[-1]) / 2",
        ),
    ),
    Challenge(
        id="prune-smallest",
        lab=LAB,
        title="The smallest network that still sees",
        symbol="choose_masks",
        points=12,
        minutes=25,
        budget=BUDGET,
        judge=_judge,
        time_limit_s=120,
        hints=(
            "Look at the sensitivity scan again: which layer breaks first, and what does it weigh?",
            "A layer that one cannot touch may stay whole, if it is small. Rank the others "
            "together.",
            "prune(model, x, sparsity={name: s for the others}, scope=pruning.globally), with s "
            "just large enough; masks_of gives its masks.",
        ),
    ),
    Written(
        id="prune-written-mask",
        lab=LAB,
        title="Nine tenths of zeros, no faster",
        points=0,
        minutes=5,
        rubric=(
            "Says that a dense kernel multiplies by zeros too.",
            "Names a remedy: a sparse kernel at high sparsity, N:M with hardware for it, or "
            "channels cut out.",
            "Says that the share of zeros is not the share of bytes: places cost bits.",
        ),
    ),
    Written(
        id="prune-written-lottery",
        lab=LAB,
        title="Why not train the small one?",
        points=0,
        minutes=5,
        rubric=(
            "Says that the mask is found by training the large network first.",
            "Says that mask and first weights belong together: new weights under it do worse.",
            "Names what it costs or where it stops: large networks want weights from early in "
            "training.",
        ),
    ),
]
