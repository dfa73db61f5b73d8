"""The grader's end inside the learner's kernel: asks a function, sends back what it gave.

Nothing here knows an answer. A learner can replace all of it, and gains nothing by that: what
comes out is compared elsewhere, with targets that were never in here.
"""

import base64
import contextlib
import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from efficientdl import _check
from efficientdl.course import store
from efficientdl.course.outcome import Kind
from efficientdl.course.parcel import LARGEST_BYTES, pack, unpack
from efficientdl.course.probe import Answer, ask

MIME = "application/x-efficientdl-parcel"
_LARGEST_ARTEFACT = 1_000_001  # one more than allowed, so that the grader sees it is too large


def reply(names: Mapping[str, Any], symbol: str, inputs: str) -> None:
    """Call the function of an exercise for every case, and hand over its answers.

    Args:
        names: What the notebook defines.
        symbol: The function's name.
        inputs: The arguments of every case, packed, in base64.
    """
    cases = unpack(base64.b64decode(inputs))
    function = names.get(symbol)
    if not callable(function):
        said = f"`{symbol}` is not defined as a function"
        answers = [Answer(failure=Kind.NOT_ATTEMPTED, sentence=said)] * len(cases)
    else:
        with contextlib.redirect_stdout(_Nowhere()), contextlib.redirect_stderr(_Nowhere()):
            answers = [_asked(function, arguments) for arguments in cases]
    _hand_over(_parcel(answers))


def artefact(lab: str, id: str) -> None:
    """Hand over the file that `submit` wrote, if it did."""
    path = store.home() / "artefacts" / Path(lab).name / f"{Path(id).name}.json"
    with contextlib.suppress(OSError), path.open("rb") as file:
        _hand_over(file.read(_LARGEST_ARTEFACT))


def _asked(function: Callable[..., Any], arguments: tuple[Any, ...]) -> Answer:
    try:
        return ask(function, arguments)
    except NotImplementedError as error:
        return Answer(failure=Kind.NOT_ATTEMPTED, sentence=str(error))


def _parcel(answers: list[Answer]) -> bytes:
    """The answers as one parcel; one that cannot travel is told as a failure."""
    rows, most = [], LARGEST_BYTES // max(len(answers), 1)
    for answer in answers:
        row = {"value": answer.value, "failure": str(answer.failure or ""), "said": answer.sentence}
        try:
            size = len(pack(row))
            if size > most:
                raise ValueError(f"{size:,} bytes, and {most:,} are the most for one case")
        except (ValueError, _check.BadKind, RecursionError) as error:
            said = f"what your function returns cannot be sent ({error})"
            row = {"value": None, "failure": str(Kind.WRONG_SHAPE), "said": said}
        rows.append(row)
    return pack(rows)


def _hand_over(data: bytes) -> None:
    from IPython.display import publish_display_data

    publish_display_data({MIME: base64.b64encode(data).decode()})


class _Nowhere(io.TextIOBase):
    """Takes what is printed, keeps nothing."""

    def write(self, s: str, /) -> int:
        return len(s)
