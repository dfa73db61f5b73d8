"""Item analysis: how each exercise of a lab worked in a class, by classical test theory.

With x the share of its points that a learner earned on an item, and y the share earned on all the
other items of the lab:

- difficulty: the mean of x, and the share of learners whose answer was right (pass rate);
- discrimination: Pearson's correlation of x and y, the corrected item-total correlation.
  Corrected, because an item that stands in its own total agrees with itself;
- upper-lower index: the mean of x in the best 27 % of learners by y, less that in the last 27 %.
  It says the same in shares of learners, which is easier to picture.

Where the grader failed (`internal_error`), that answer is left out of the item, and the item out
of that learner's rest.

Source: Frederic M. Lord and Melvin R. Novick, "Statistical Theories of Mental Test Scores", 1968,
chapter 15; Truman L. Kelley, "The selection of upper and lower groups for the validation of test
items", 1939, for the 27 %.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import Any

import numpy as np

from efficientdl.grading.classroom.counted import Entry, best_of_each, earned_share
from efficientdl.grading.classroom.readings import FEWEST, read_item

_GROUP = 0.27  # of the class, on each side
_FEWEST_GROUPED = 10  # below, a group would be two learners
_RATIO = re.compile(r"which is (.{1,40}) the target")
_ERROR = re.compile(r"\b[A-Z]\w{0,40}(?:Error|Exception|Interrupt|Iteration|Exit)\b")
_OWN = re.compile(
    r"'[^']*'|\"[^\"]*\"|`[^`]*`|\[[^\]]*\]|\([^)]*\)|-?\d+(?:,\d{3})*(?:\.\d+)?(?:e[+-]?\d+)?"
)
_PLACE = re.compile(r"^at …+: ")
_PLAIN = "the target is …, yours is …"  # says no more than the outcome does


@dataclass(frozen=True)
class Failure:
    """The commonest way in which an item failed.

    Attributes:
        outcome: The outcome's word.
        family: What the messages have in common; empty where they say no more than the outcome.
        count: How many.
    """

    outcome: str
    family: str
    count: int


@dataclass(frozen=True, kw_only=True)
class Item:
    """One exercise in one class.

    Attributes:
        id: The task.
        title: What it is.
        points: What it is worth.
        n: Learners whose answer could be graded.
        failed: Learners on whose answer the grader failed.
        attempted: Share of n who tried.
        pass_rate: Share of n who were right.
        mean_share: Mean share of the points.
        discrimination: Correlation with the rest of the lab, or None where there is none.
        upper_lower: Best 27 % less last 27 %, or None where the class is too small.
        outcomes: How many came out in each way, by the outcome's word.
        commonest: The commonest failure, if anybody tried and failed.
        seconds: Median time of the answers, or None.
        reading: The figures in words.
    """

    id: str
    title: str
    points: int
    n: int
    failed: int
    attempted: float
    pass_rate: float
    mean_share: float
    discrimination: float | None
    upper_lower: float | None
    outcomes: Mapping[str, int]
    commonest: Failure | None
    seconds: float | None
    reading: str


def item_analysis(entries: Sequence[Entry]) -> tuple[Item, ...]:
    """Every item of one lab, in its order; of each learner, the best submission counts.

    Args:
        entries: Entries with a score, all of one lab.
    """
    scores = [entry["score"] for entry in best_of_each(entries)]
    order = {task["id"]: None for score in scores for task in score["exercises"]}
    return tuple(_item(id, scores) for id in order)


def discrimination(x: Sequence[float], y: Sequence[float]) -> float | None:
    """Pearson's correlation; None for fewer than five pairs or where one side never varies.

    >>> discrimination([0, 0, 1, 1, 1], [0.1, 0.3, 0.5, 0.7, 0.9])
    0.866...
    """
    if len(x) < FEWEST or np.ptp(x) < 1e-12 or np.ptp(y) < 1e-12:
        return None
    across, up = np.asarray(x) - np.mean(x), np.asarray(y) - np.mean(y)
    found = float(across @ up / np.sqrt((across @ across) * (up @ up)))
    return max(-1.0, min(1.0, found))


def upper_lower(x: Sequence[float], y: Sequence[float]) -> float | None:
    """Mean of x in the best 27 % by y, less that in the last 27 %; None below ten learners.

    Learners who tie at the edge of a group share its last places, so that the figure does not
    hang on the order in which they are listed.
    """
    if len(x) < _FEWEST_GROUPED:
        return None
    size = max(1, round(_GROUP * len(x)))
    return _group_mean(x, [-value for value in y], size) - _group_mean(x, y, size)


def family(message: str) -> str:
    """What a message has in common with others of its kind: names and figures left out.

    >>> family("at 'macs': the target is 216, yours is 432, which is 2 times the target")
    'yours is 2 times the target'
    >>> family("raised ZeroDivisionError: division by zero")
    'ZeroDivisionError'
    >>> family("the shape must be (3, 4), yours is (4, 3)")
    'the shape must be …, yours is …'
    """
    for pattern, words in ((_RATIO, "yours is {} the target"), (_ERROR, "{}")):
        if found := pattern.search(message[:2000]):
            return words.format(found[found.re.groups])
    first = message[:2000].strip().partition("\n")[0]
    words = _PLACE.sub("", " ".join(_OWN.sub("…", first).split()))
    return "" if words == _PLAIN else words[:100]


def _group_mean(x: Sequence[float], rank: Sequence[float], size: int) -> float:
    """Mean of x over the `size` lowest by rank; those at the edge count with a part each."""
    edge = sorted(rank)[size - 1]
    inside = [value for value, r in zip(x, rank, strict=True) if r < edge]
    at_edge = [value for value, r in zip(x, rank, strict=True) if r == edge]
    return (sum(inside) + fmean(at_edge) * (size - len(inside))) / size


def _item(id: str, scores: Sequence[Mapping[str, Any]]) -> Item:
    tasks = [task for score in scores for task in score["exercises"] if task["id"] == id]
    graded = [task for task in tasks if task["earned"] is not None]
    shares = [earned_share(task) or 0.0 for task in graded]
    x, y = _with_rest(id, scores)
    outcomes = Counter(task["outcome"] for task in tasks)
    n, failed = len(graded), len(tasks) - len(graded)
    figures = {
        "n": n,
        "failed": failed,
        "attempted": sum(task["outcome"] != "not_attempted" for task in graded) / max(1, n),
        "mean_share": fmean(shares) if shares else 0.0,
        "discrimination": discrimination(x, y),
    }
    return Item(
        id=id,
        title=tasks[0]["title"],
        points=tasks[0]["points"],
        pass_rate=sum(task["outcome"] == "correct" for task in graded) / max(1, n),
        upper_lower=upper_lower(x, y),
        outcomes=dict(outcomes),
        commonest=_commonest(graded),
        seconds=median(task["seconds"] for task in graded) if graded else None,
        reading=read_item(**figures),
        **figures,
    )


def _with_rest(id: str, scores: Sequence[Mapping[str, Any]]) -> tuple[list[float], list[float]]:
    """For each learner who has both: the item's share, and that of all other items together."""
    x: list[float] = []
    y: list[float] = []
    for score in scores:
        graded = {t["id"]: t for t in score["exercises"] if t["earned"] is not None}
        own = graded.pop(id, None)
        points = sum(task["points"] for task in graded.values())
        if own is not None and points:
            x.append(earned_share(own) or 0.0)
            y.append(sum(task["earned"] for task in graded.values()) / points)
    return x, y


def _commonest(graded: Sequence[Mapping[str, Any]]) -> Failure | None:
    """Among those who tried; of equally common ones the first by name."""
    failures = Counter(
        (task["outcome"], family(task["message"]))
        for task in graded
        if task["outcome"] not in ("correct", "not_attempted")
    )
    if not failures:
        return None
    (outcome, words), count = min(failures.items(), key=lambda pair: (-pair[1], pair[0]))
    return Failure(outcome, words, count)
