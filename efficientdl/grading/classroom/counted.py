"""Which submissions count: those with a score, lab by lab, the best of each learner.

An entry is one line of the class's results: `place`, `learner`, `status`, `reason`, `score` (a
score as JSON, or None) and `answers` (task id to source).
"""

from collections.abc import Mapping, Sequence
from typing import Any

Entry = Mapping[str, Any]


def by_lab(entries: Sequence[Entry]) -> dict[str, list[Entry]]:
    """The entries that have a score, by lab, labs in order of their names."""
    found: dict[str, list[Entry]] = {}
    for entry in entries:
        if entry.get("score"):
            found.setdefault(entry["score"]["release"]["lab"], []).append(entry)
    return dict(sorted(found.items()))


def best_of_each(entries: Sequence[Entry]) -> list[Entry]:
    """One entry for each learner: the one with the highest total, the first by place if several.

    >>> def entry(learner, place, earned):
    ...     return {"learner": learner, "place": place, "score": {"total": {"earned": earned}}}
    >>> handed_in = [entry("b", "b/1", 3), entry("a", "a/1", 5), entry("b", "b/2", 7)]
    >>> [chosen["place"] for chosen in best_of_each(handed_in)]
    ['a/1', 'b/2']
    """
    best: dict[str, Entry] = {}
    for entry in sorted(entries, key=lambda e: (-e["score"]["total"]["earned"], e["place"])):
        best.setdefault(entry["learner"], entry)
    return sorted(best.values(), key=lambda e: e["place"])


def earned_share(task: Mapping[str, Any]) -> float | None:
    """Share of its points that one task of a score earned; None where the grader failed."""
    if task["earned"] is None:
        return None
    if not task["points"]:
        return float(task["outcome"] == "correct")
    return min(1.0, task["earned"] / task["points"])


def total_share(score: Mapping[str, Any]) -> float | None:
    """Share of the points that could be graded, 0..1; None where nothing could."""
    total = score["total"]
    return min(1.0, total["earned"] / total["points"]) if total["points"] else None
