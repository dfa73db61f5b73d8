"""The exercises of lab 13, kernels and compilers: what is drawn, what to say if not."""

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
    at_most,
)

LAB = "13_kernels_and_compilers"
_LIBRARY = ("efficientdl.kernels", "efficientdl.systems", "efficientdl.tensors")
_WORD = 64


def _compressed_rows(rng: np.random.Generator) -> Arguments:
    m, k, n = (int(size) for size in rng.integers(3, 8, 3))
    dense = rng.normal(size=(m, k)) * (rng.random((m, k)) < 0.5)
    dense[int(rng.integers(m))] = 0
    rows, columns = dense.nonzero()
    starts = np.searchsorted(rows, np.arange(m + 1))
    return dense[rows, columns], columns, starts, rng.normal(size=(k, n))


def _raw_sums(rng: np.random.Generator) -> Arguments:
    m, k, n = (int(size) for size in rng.integers(3, 9, 3))
    x, weight = rng.integers(-128, 128, (m, k)), rng.integers(-127, 128, (k, n))
    bias = rng.integers(-9000, 9001, n).astype(np.int32)
    sums, column_sums = (a.astype(np.int32) for a in (x @ weight, weight.sum(axis=0)))
    factor = rng.uniform(20, 400, n) / np.abs(sums).max()
    x_zero, y_zero = (int(zero) for zero in rng.integers(-90, 91, 2))
    return sums, column_sums, x_zero, bias, factor, y_zero


def _sign_words(rng: np.random.Generator) -> Arguments:
    k = int(rng.choice([5, 40, _WORD, 70, 100, 2 * _WORD]))
    a, b = (rng.integers(0, 2**_WORD, (m, -(-k // _WORD)), np.uint64) for m in (3, 4))
    return a, b, k  # and any bits behind the last sign


def _voxels(rng: np.random.Generator) -> Arguments:
    side = int(rng.integers(3, 5))
    cells = np.indices((side,) * 3).reshape(3, -1).T - 1
    return rng.permutation(cells)[: len(cells) // 2], rng.integers(-1, 2, 3)


def _tiles(rng: np.random.Generator) -> Arguments:
    m, k, n = (int(size) for size in rng.integers(5, 70, 3))
    sizes = [int(size) for size in rng.permutation([1, 2, 3, 4, 6, 8, 12, 16])[:5]]
    return m, k, n, sizes, max(min(sizes) ** 2, sizes[0] * sizes[1])  # some tile fits exactly


def _graphs(rng: np.random.Generator) -> Arguments:
    nodes: list[tuple[str, str, list[str]]] = [("a", "conv", ["x"])]
    for name in "bcdefgh"[: int(rng.integers(4, 8))]:
        known = [node[0] for node in nodes]
        recent = str(rng.choice(known[-2:]))
        op = str(rng.choice(["conv", "conv", "relu", "relu", "add"]))
        read = [recent, str(rng.choice(known))] if op == "add" else [recent]
        nodes.append((name, op, read))
    unread = {node[0] for node in nodes} - {name for node in nodes for name in node[2]}
    convs = {node[0] for node in nodes if node[1] == "conv"}
    swallowed = sorted(convs & {node[2][0] for node in nodes if node[1] == "relu"})
    return nodes, sorted(unread | {*swallowed[: int(rng.integers(3))]})  # not one that is an output


def _lifetimes(rng: np.random.Generator) -> Arguments:
    n = int(rng.integers(12, 22))
    sizes = 8 * rng.integers(1, 10, n)
    first = rng.integers(0, 9, n)
    last = first + rng.integers(0, 6, n)
    return sizes, first, last


def _operators(rng: np.random.Generator) -> Arguments:
    n = int(rng.integers(4, 7))
    after = [0] * n
    for late in range(1, n):
        for early in range(late):
            if rng.random() < 0.5:
                after[early] |= 1 << late
    sizes = np.bitwise_count(np.arange(2**n))
    return after, rng.uniform(0.2, 1.8, 2**n) * sizes


# What neither patches nor working in place meets alone, nor do as many rows as columns.
BUDGET = (
    at_most("arena_bytes", 1_100_000, "bytes"),
    at_most("macs", 345_000_000),
)


def _judge(artefact: Mapping[str, Any]) -> Verdict:
    from efficientdl.course.arenas import judge  # with torch, which drawing does not need

    return judge(artefact, BUDGET)


TASKS: list[Task] = [
    Exercise(
        id="kern-spmm",
        lab=LAB,
        title="Compressed rows times a matrix",
        symbol="spmm",
        points=10,
        minutes=12,
        difficulty=2,
        draw=_compressed_rows,
        forbids=(*_LIBRARY, "scipy"),
        hints=(
            "Row i has the values from row_starts[i] to row_starts[i + 1]. What does one of them "
            "add, and to which row of y?",
            "Value p adds values[p] times row columns[p] of x to row i of y. Let the innermost "
            "loop run along that row: its numbers lie side by side.",
            "for i ...: for p in range(row_starts[i], row_starts[i + 1]): for j ...: "
            "y[i, j] += values[p] * x[columns[p], j]",
        ),
    ),
    Exercise(
        id="kern-requantize",
        lab=LAB,
        title="Sums become codes",
        symbol="requantize",
        points=14,
        minutes=18,
        difficulty=3,
        draw=_raw_sums,
        cases=12,
        forbids=_LIBRARY,
        hints=(
            "Three steps: mend the sums, scale them by a whole number and a shift, clamp them.",
            "np.frexp(factor) gives a fraction in [0.5, 1) and an exponent. The multiplier is the "
            "fraction times 2**31, rounded; then the shift is 31 less the exponent.",
            "total = sums.astype(np.int64) - x_zero * column_sums + bias, shift as int64, half = "
            "np.int64(1) << (shift - 1), y = ((total * multiplier + half) >> shift) + y_zero.",
        ),
    ),
    Exercise(
        id="kern-popcount",
        lab=LAB,
        title="Signs by counting bits",
        symbol="signs_matmul",
        points=8,
        minutes=10,
        difficulty=2,
        draw=_sign_words,
        cases=12,
        forbids=_LIBRARY,
        hints=(
            "Where two bits differ, the product of the signs is -1. How many differ?",
            "d of k pairs differ: the sum is k - 2 d. Bits behind the k-th must not count.",
            "different = (a[:, None] ^ b) & mask, np.bitwise_count(different), and a sum with "
            "dtype=int: counts are small unsigned numbers. The mask's last word has k % 64 ones.",
        ),
    ),
    Exercise(
        id="kern-map",
        lab=LAB,
        title="Who is my neighbour?",
        symbol="neighbour_pairs",
        points=10,
        minutes=12,
        difficulty=2,
        draw=_voxels,
        forbids=_LIBRARY,
        hints=(
            "Comparing all points with all points is too much. What finds a point by its place?",
            "A dictionary from the coordinates, as a tuple, to the index. Then ask it once for "
            "each point, for the place that the offset leads to.",
            "index = {tuple(p): i for i, p in enumerate(points.tolist())}; for o, p in enumerate("
            "points.tolist()): look up tuple(np.add(p, offset).tolist()).",
        ),
    ),
    Exercise(
        id="kern-tile",
        lab=LAB,
        title="The best tile",
        symbol="least_traffic",
        points=8,
        minutes=10,
        difficulty=2,
        draw=_tiles,
        cases=16,
        forbids=_LIBRARY,
        hints=(
            "How often is all of a read, if y has three columns of tiles?",
            "a is read once for each column of tiles, b once for each row of tiles, y is written "
            "once. A last tile that is cut off reads only what it needs.",
            "m * k * ceil(n / width) + k * n * ceil(m / height) + m * n, and the least over all "
            "height, width of sizes whose product is at most room. -(-n // width) is the ceiling.",
        ),
    ),
    Exercise(
        id="kern-fuse",
        lab=LAB,
        title="A rule of fusion",
        symbol="fuse_relu",
        points=12,
        minutes=18,
        difficulty=3,
        draw=_graphs,
        cases=32,
        forbids=_LIBRARY,
        hints=(
            "When may a convolution swallow the relu behind it? Who else may need its output?",
            "Count how often each name is read, an output of the graph as one reading more. A conv "
            "that is read once, by a relu, goes into it.",
            "First a dictionary from each such conv's name to its relu's. Then walk the nodes: a "
            "conv in it becomes (relu, 'conv+relu', inputs), those relus are left out.",
        ),
    ),
    Exercise(
        id="kern-arena",
        lab=LAB,
        title="A place for every tensor",
        symbol="place",
        points=14,
        minutes=18,
        difficulty=3,
        draw=_lifetimes,
        cases=24,
        forbids=_LIBRARY,
        hints=(
            "Which tensors that have a place already can be in the way of the next one?",
            "Only those that live in a common step. Walk them from the lowest up, and keep the "
            "lowest address that is still free; stop where the gap is wide enough.",
            "at = 0; for low, high in sorted(taken): if low - at >= size: break; "
            "at = max(at, high)",
        ),
    ),
    Exercise(
        id="kern-stages",
        lab=LAB,
        title="The last stage",
        symbol="least_cost",
        points=12,
        minutes=18,
        difficulty=3,
        draw=_operators,
        cases=16,
        forbids=_LIBRARY,
        hints=(
            "cost[0] is 0. Fill cost[ops] from the smallest number up: what is it made of?",
            "Try every part `last` of ops as the last stage. It may be one if no operator of "
            "ops without it waits for one in it.",
            "last = ops; while last: ...; last = (last - 1) & ops walks all parts. The best is "
            "the least of cost[ops ^ last] + stage_cost[last].",
        ),
    ),
    Challenge(
        id="kern-smallest",
        lab=LAB,
        title="A megabyte for MobileNetV2",
        symbol="small_arena",
        points=12,
        minutes=25,
        budget=BUDGET,
        judge=_judge,
        time_limit_s=60,
        hints=(
            "Which step is the fullest? It is in the first layers; patches make those small, and "
            "depthwise layers may work in place.",
            "The later the patches end, the less memory, and the more is computed twice. Try the "
            "`until` and the numbers of the panel; then shape: rows and columns may differ.",
            "program = in_place(patch_by_patch(graph, until=..., rows=..., cols=...)), "
            "plan = plan_memory(lifetimes_of(program)); loop over both and keep the best.",
        ),
    ),
    Written(
        id="kern-written-zeros",
        lab=LAB,
        title="Half the weights, no faster",
        points=0,
        minutes=5,
        rubric=(
            "Says that an index costs bytes and instructions for each value that is kept.",
            "Says that a dense kernel uses registers and caches in an order that zeros break.",
            "Names a way out: fewer weights, or a pattern that a kernel can rely on.",
        ),
    ),
    Written(
        id="kern-written-compiler",
        lab=LAB,
        title="What a compiler may do",
        points=0,
        minutes=5,
        rubric=(
            "Says what must stay the same: the outputs, up to the rounding of sums.",
            "Names a rewriting and when it is not allowed, such as a value that is read twice.",
            "Says that a cost model can be wrong, and that the machine has the last word.",
        ),
    ),
]
