"""A whole class: submissions in any layout, graded side by side, and what came out of it.

`collect` finds the submissions, `grade_class` grades those that are not graded yet, each in a
process of its own, and keeps a journal that survives a kill. `grade_whole_class` does that and
writes what came of it: tables for course systems, a report for each learner, a page for the
teacher.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from efficientdl.grading.classroom.gradebook import write_gradebooks as write_gradebooks
    from efficientdl.grading.classroom.journal import read_entries as read_entries
    from efficientdl.grading.classroom.learner import safe_name as safe_name
    from efficientdl.grading.classroom.pool import grade_class as grade_class
    from efficientdl.grading.classroom.submissions import collect as collect
    from efficientdl.grading.classroom.whole import grade_whole_class as grade_whole_class

_HOME = {
    "collect": "submissions",
    "grade_class": "pool",
    "grade_whole_class": "whole",
    "read_entries": "journal",
    "safe_name": "learner",
    "write_gradebooks": "gradebook",
}

__all__ = [
    "collect",
    "grade_class",
    "grade_whole_class",
    "read_entries",
    "safe_name",
    "write_gradebooks",
]


def __getattr__(name: str) -> object:
    if name in _HOME:
        return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
