"""The pictures of a class: totals, outcomes of each exercise, difficulty beside discrimination."""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from efficientdl.grading.classroom.items import Item
from efficientdl.grading.classroom.markup import percent
from efficientdl.grading.classroom.readings import MARGINAL, VERY_GOOD
from efficientdl.viz.figure import Axis, Figure
from efficientdl.viz.series import Bars, Histogram, HLine, Points

_WIDE = 860
# Outcomes that a teacher answers in the same way, so that bars have five parts and not eleven.
_GROUPS: Mapping[str, tuple[str, ...]] = {
    "right": ("correct",),
    "partly right": ("partial",),
    "wrong": ("wrong_value", "wrong_shape"),
    "stopped": ("raised", "timeout", "memory", "kernel_died", "forbidden"),
    "not attempted": ("not_attempted",),
    "grader failed": ("internal_error",),
}
_STYLES = {"right": 2, "partly right": 5, "wrong": 1, "stopped": 3, "not attempted": 6,
           "grader failed": 4}  # fmt: skip


def totals_figure(shares: Sequence[float]) -> Figure:
    """How many learners reached which share of the points.

    Args:
        shares: The total of each learner, 0..1; one at least.
    """
    values = 100 * np.asarray(shares)
    counts, edges = np.histogram(values, bins=np.arange(0, 101, 10))
    low, middle, high = np.percentile(values, [25, 50, 75])
    alt = (
        f"Half of the learners have {middle:.0f} % of the points or more; the middle half lies "
        f"between {low:.0f} and {high:.0f} %."
    )
    return Figure(
        f"Points earned by {len(shares)} learners",
        Axis("Points earned", "% of those that could be graded", low=0, high=100),
        Axis("Learners", low=0),
        (Histogram("learners", edges, counts),),
        alt,
        width=_WIDE,
        height=300,
    )


def outcomes_figure(items: Sequence[Item]) -> Figure:
    """For each exercise a bar of learners, by how it came out; the first part is the pass rate."""
    counted = [_grouped(item) for item in items]
    shown = [name for name in _GROUPS if any(counts[name] for counts in counted)]
    best = max(items, key=lambda item: item.pass_rate)
    least = min(items, key=lambda item: item.pass_rate)
    alt = (
        f"Most often right is {best.title} ({percent(best.pass_rate)}), least often "
        f"{least.title} ({percent(least.pass_rate)})."
    )
    return Figure(
        "Learners by outcome of each exercise",
        Axis("Learners", low=0),
        Axis("Exercise", categories=numbered(items)),
        tuple(Bars(name, [c[name] for c in counted], style=_STYLES[name]) for name in shown),
        alt,
        stacked=True,
        width=_WIDE,
        height=110 + 34 * len(items),
    )


def plane_figure(items: Sequence[Item]) -> Figure | None:
    """Each exercise at its mean share of points and its discrimination, where it has one."""
    placed = [(i, item) for i, item in enumerate(items, 1) if item.discrimination is not None]
    if not placed:
        return None
    values = [item.discrimination or 0.0 for _, item in placed]
    above = sum(value >= MARGINAL for value in values)
    alt = (
        f"{above} of {len(placed)} exercises lie at {MARGINAL} or above, where an exercise tells "
        "apart who does well elsewhere. What lies below 0 deserves a look first."
    )
    x = [100 * item.mean_share for _, item in placed]
    labels = [str(i) for i, _ in placed]
    return Figure(
        "Difficulty and discrimination",
        Axis("Mean share of the points, easy exercises to the right", "%", low=0, high=108),
        Axis("Discrimination", low=min(-0.2, min(values) - 0.1), high=1),
        (
            HLine("very good", VERY_GOOD),
            HLine("marginal", MARGINAL),
            HLine("none", 0),
            Points("exercise", x, values, labels=labels),
        ),
        alt,
        width=_WIDE,
        height=380,
    )


def numbered(items: Sequence[Item]) -> tuple[str, ...]:
    """Titles with their numbers, by which the pictures name them."""
    return tuple(f"{i}. {item.title}" for i, item in enumerate(items, 1))


def _grouped(item: Item) -> Counter[str]:
    counts = {name: sum(item.outcomes.get(k, 0) for k in kinds) for name, kinds in _GROUPS.items()}
    return Counter(counts)
