"""The exercises of lab 14, accelerators: what is drawn, what to say if not."""

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

LAB = "14_accelerators"
_LIBRARY = ("efficientdl.systems", "efficientdl.kernels")
_SKIP = 15  # zeros that four bits can count


def _wave(rng: np.random.Generator) -> Arguments:
    r, k, c = (int(size) for size in rng.integers(2, 7, 3))
    x, weight = rng.integers(-9, 10, (r, k)), rng.integers(-9, 10, (k, c))
    return x, weight, int(rng.integers(2, k + r + c + 1))  # the last may find nothing to do


def _product(rng: np.random.Generator) -> Arguments:
    m, k, n = (int(size) for size in rng.integers(3, 90, 3))
    rows, cols = (int(size) for size in rng.integers(2, 33, 2))
    if rng.random() < 0.6:  # no fold is cut off
        k, n = rows * int(rng.integers(1, 4)), cols * int(rng.integers(1, 4))
    return m, k, n, rows, cols


def _filters(rng: np.random.Generator) -> Arguments:
    r, strips, cols = (int(size) for size in (*rng.integers(1, 6, 2), rng.integers(3, 17)))
    rows = r * strips + int(rng.integers(r))
    e = [
        cols * int(rng.integers(1, strips + 1)),  # as wide as some strips, exactly
        cols * strips + int(rng.integers(1, 2 * cols)),  # wider than all
        int(rng.integers(2, cols * strips + 1)),
    ]
    return rows, cols, r, e[int(rng.integers(3))]


def _tiles(rng: np.random.Generator) -> Arguments:
    n = int(rng.integers(3, 9))
    return tuple(rng.integers(1, high, n).tolist() for high in (30, 40, 20))


def _activations(rng: np.random.Generator) -> Arguments:
    runs = rng.choice([0, 1, 3, 30, 31, 32, 33, 64, 70], int(rng.integers(3, 7)))
    values: list[int] = []
    for run in runs:
        values += [0] * int(run) + [int(rng.integers(1, 200))]
    return (values + [0] * int(rng.choice([0, 1, 5, 31, 32, 40])),)


def _column(rng: np.random.Generator, n_rows: int) -> tuple[list[int], list[int]]:
    """A column in relative indices: values, and the zeros that each has before it."""
    values, skips, last = [], [], -1
    for row in np.flatnonzero(rng.random(n_rows) < 0.08).tolist():
        skip = row - last - 1
        while skip > _SKIP:
            values, skips, skip = [*values, 0], [*skips, _SKIP], skip - _SKIP - 1
        values, skips, last = [*values, int(rng.integers(1, 9))], [*skips, skip], row
    return values, skips


def _unit(rng: np.random.Generator) -> Arguments:
    n_rows, n = int(rng.integers(40, 70)), int(rng.integers(4, 9))
    columns = [_column(rng, n_rows) for _ in range(n)]
    values = np.array([v for column, _ in columns for v in column], np.int64)
    skips = np.array([g for _, column in columns for g in column], np.int64)
    starts = np.cumsum([0, *(len(column) for column, _ in columns)])
    x = rng.integers(1, 9, n) * (rng.random(n) < 0.6)
    return values, skips, starts, x, n_rows


def _bits(rng: np.random.Generator) -> Arguments:
    bits, n = int(rng.integers(2, 9)), int(rng.integers(3, 9))
    x = rng.integers(-(2 ** (bits - 1)), 2 ** (bits - 1), n)
    x[0] = -(2 ** (bits - 1))  # the top bit counts
    return x, rng.integers(-20, 21, n), bits


# What a square array misses, and one of another shape, dataflow and buffer meets.
BUDGET = (
    at_most("area_mm2", 0.5, "square millimetres"),
    at_most("latency_ms", 11, "ms"),
    at_most("energy_uj", 8_500, "microjoules"),
)


def _judge(artefact: Mapping[str, Any]) -> Verdict:
    from efficientdl.course.designs import judge  # with torch, which drawing does not need

    return judge(artefact, BUDGET)


TASKS: list[Task] = [
    Exercise(
        id="accel-fold",
        lab=LAB,
        title="One fold of the array",
        symbol="after_cycles",
        points=14,
        minutes=18,
        difficulty=2,
        draw=_wave,
        cases=12,
        forbids=_LIBRARY,
        hints=(
            "In cycle t, which word p of its row does unit (i, j) see? Which units see none?",
            "p = t - i - j. A unit works while 0 <= p < k; then its sum grows by "
            "x[i, p] * weight[p, j].",
            "i, j = np.indices(sums.shape); for t in range(cycles): p = t - i - j; works = "
            "(p >= 0) & (p < k); add x[i[works], p[works]] * weight[p[works], j[works]] to "
            "sums[works], and append works.sum().",
        ),
    ),
    Exercise(
        id="accel-closed",
        lab=LAB,
        title="Weight stationary, in closed form",
        symbol="weight_stationary_counts",
        points=12,
        minutes=15,
        difficulty=2,
        draw=_product,
        cases=12,
        forbids=_LIBRARY,
        hints=(
            "How many folds are there? What stands along the array's rows, what along its columns?",
            "Folds: ceil(k / rows) * ceil(n / cols). A fold takes rows cycles to load, then "
            "m + rows + cols - 2. All columns of folds read the input anew.",
            "down, across = -(-k // rows), -(-n // cols). Input: m * k * across. Weights: k * n. "
            "Sums that wait: m * n of them, written and read between each two of `down` folds.",
        ),
    ),
    Exercise(
        id="accel-rows",
        lab=LAB,
        title="Rows that stay",
        symbol="active_units",
        points=10,
        minutes=15,
        difficulty=3,
        draw=_filters,
        cases=64,
        forbids=_LIBRARY,
        hints=(
            "How many strips of r rows fit the array, one below the other? How wide is a strip?",
            "A set needs ceil(e / cols) strips. If the array has them, how many sets fit beside "
            "each other? If not, the set is as wide as all strips together.",
            "strips, needed = rows // r, -(-e // cols). If needed > strips: r * strips * cols, "
            "else (strips // needed) * r * e.",
        ),
    ),
    Exercise(
        id="accel-stalls",
        lab=LAB,
        title="Two buffers",
        symbol="double_buffered",
        points=12,
        minutes=15,
        difficulty=2,
        draw=_tiles,
        cases=12,
        forbids=_LIBRARY,
        hints=(
            "What does the bus do while tile t is computed? What if that takes longer than the "
            "computation?",
            "From the start of tile t to the start of the next: the longer of computes[t] and "
            "stores[t - 1] + loads[t + 1]. At the ends one of the two is missing.",
            "cycles = loads[0] + the sum over t of max(computes[t], bus) + stores[-1]; bus has "
            "stores[t - 1] if t > 0, and loads[t + 1] if there is a next tile.",
        ),
    ),
    Exercise(
        id="accel-rlc",
        lab=LAB,
        title="Runs of zeros",
        symbol="run_lengths",
        points=10,
        minutes=12,
        difficulty=2,
        draw=_activations,
        cases=16,
        forbids=_LIBRARY,
        hints=(
            "Count zeros while they come. Which two things end a run?",
            "A value that is not zero, or a zero when 31 have been counted already: then that zero "
            "is the pair's value. What is left at the end?",
            "if value == 0 and run < 31: run += 1, else append (run, value) and run = 0. After the "
            "loop: if run, append (run - 1, 0).",
        ),
    ),
    Exercise(
        id="accel-eie",
        lab=LAB,
        title="EIE's inner loop",
        symbol="sparse_unit",
        points=14,
        minutes=18,
        difficulty=3,
        draw=_unit,
        forbids=(*_LIBRARY, "scipy"),
        hints=(
            "Only inputs that are not zero are sent to the units. What does the unit do with one?",
            "It walks column j from starts[j] to starts[j + 1]. The row begins at -1, and each "
            "entry moves it on by its zeros and one more.",
            "for j in np.flatnonzero(x): row = -1; for p in range(starts[j], starts[j + 1]): "
            "row += skips[p] + 1; y[row] += values[p] * x[j]; steps += 1.",
        ),
    ),
    Exercise(
        id="accel-bits",
        lab=LAB,
        title="A bit in each cycle",
        symbol="bit_serial",
        points=10,
        minutes=12,
        difficulty=2,
        draw=_bits,
        cases=12,
        forbids=_LIBRARY,
        hints=(
            "A number of b bits is a sum of powers of two. Which power has another sign?",
            "In each cycle take a bit of every x, (x >> b) & 1, the highest first. What the unit "
            "holds is doubled, and the weights where the bit is one are added to it.",
            "for b in reversed(range(bits)): part = int(((x >> b) & 1) @ weight); total = 2 * "
            "total + part, minus it for b == bits - 1; append total.",
        ),
    ),
    Challenge(
        id="accel-design",
        lab=LAB,
        title="An accelerator for MobileNetV2",
        symbol="design",
        points=18,
        minutes=30,
        budget=BUDGET,
        judge=_judge,
        time_limit_s=60,
        hints=(
            "Which layers take most of the cycles on a square array whose weights stay? How many "
            "of the units have work in them?",
            "A depthwise layer has nine rows, one filter, and many pixels: let what is many lie "
            "along the columns. Then share the area between units and buffer.",
            "Take inputs that stay, 8 to 16 rows, 24 to 40 columns. Rank shapes by "
            "`explore.sweep`, which takes milliseconds, and give the buffer what is left.",
        ),
    ),
    Written(
        id="accel-written-peak",
        lab=LAB,
        title="Peak and speed",
        points=0,
        minutes=5,
        rubric=(
            "Says that peak counts all multipliers in all cycles, and that small or narrow layers "
            "leave most of them idle.",
            "Names the second limit: what comes from memory in a cycle.",
            "Asks for the cycles of the network that is to run, at its batch.",
        ),
    ),
    Written(
        id="accel-written-zeros",
        lab=LAB,
        title="Is skipping worth it?",
        points=0,
        minutes=5,
        rubric=(
            "Says what skipping costs, also where nothing is zero: indices, queues, area.",
            "Says that units wait for the one with most work, and names a remedy.",
            "Says that it depends on the share of zeros, or that energy can be saved alone.",
        ),
    ),
]
