"""What a learner's notebook calls: `check`, `hint`, `predict`, `compare`, `quiz`, `submit`.

A lab is written once, as text, in `solutions/`; `build` makes the learner's notebook and the
executed solution from it. What a lab asks for stands in `exercises/`, its public targets in
`targets/`; `probe` draws the inputs and judges the answers, here and in grading.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from efficientdl.course.artefacts import submit as submit
    from efficientdl.course.checking import CheckFailed as CheckFailed
    from efficientdl.course.checking import check as check
    from efficientdl.course.hints import hint as hint
    from efficientdl.course.overview import course_progress as course_progress
    from efficientdl.course.predictions import compare as compare
    from efficientdl.course.predictions import predict as predict
    from efficientdl.course.quizzes import quiz as quiz

_HOME = {
    "CheckFailed": "checking",
    "check": "checking",
    "compare": "predictions",
    "course_progress": "overview",
    "hint": "hints",
    "predict": "predictions",
    "quiz": "quizzes",
    "submit": "artefacts",
}

__all__ = [
    "CheckFailed",
    "check",
    "compare",
    "course_progress",
    "hint",
    "predict",
    "quiz",
    "submit",
]


def __getattr__(name: str) -> object:
    if name in _HOME:
        return getattr(import_module(f"efficientdl.course.{_HOME[name]}"), name)
    raise AttributeError(f"module 'efficientdl.course' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
