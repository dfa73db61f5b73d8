"""The referee: a process of the grader's own that knows the answers.

`python -m efficientdl.grading.referee` reads requests, a line of JSON each: first which lab and
which seed, for which it gives inputs and targets of every exercise, computed by the lab's own
solution; then artefacts to measure. No code of a learner is ever in it. It is a process by
itself because a solution may need torch, a judge may take long, and both then have limits.
"""

import base64
import contextlib
import json
import math
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TextIO

from efficientdl import _check
from efficientdl.course.execute import PARAMETERS
from efficientdl.course.exercise import Challenge, Exercise, Measured
from efficientdl.course.parcel import pack
from efficientdl.course.probe import ask, draw
from efficientdl.course.targets import public_case
from efficientdl.course.values import decode
from efficientdl.grading.release import Release, find_release
from efficientdl.grading.slices import needed, statements

_ADDRESS_BYTES, _CPU_S = 8 * 2**30, 1200
Json = dict[str, Any]


def references(release: Release) -> dict[str, Callable[..., Any]]:
    """The function of every exercise, as the lab's solution writes it.

    Only the statements that the functions need are run.
    """
    exercises = {i: t for i, t in release.graded.items() if isinstance(t, Exercise)}
    code = [cell for cell in release.solution.cells if cell.cell_type == "code"]
    cells = [statements(cell.source) for cell in code]
    names: Json = {"__name__": "solution", **PARAMETERS}
    for source in needed(cells, [task.symbol for task in exercises.values()]):
        exec(compile(source, "<solution>", "exec"), names)
        names.update(PARAMETERS)
    return {id: names[task.symbol] for id, task in exercises.items()}


def cases(release: Release, seed: int) -> Json:
    """Inputs and targets of every exercise, public and fresh, packed; or why there are none."""
    functions, found = references(release), {}
    for id, function in functions.items():
        exercise = release.graded[id]
        assert isinstance(exercise, Exercise)
        try:
            public_inputs, public_targets = public_case(exercise)
            inputs = draw(exercise, seed=seed)
            answers = [ask(function, arguments) for arguments in inputs]
            failed = [a.sentence for a in answers if a.failure]
            if failed:
                _check.fail("grade", "solution", f"must answer {id}: {failed[0]}", seed)
            targets = [a.value for a in answers]
        except (_check.BadValue, NotImplementedError) as error:
            found[id] = {"error": str(error)}
            continue
        packed = pack([public_inputs, public_targets, inputs, targets])
        found[id] = {"cases": base64.b64encode(packed).decode()}
    return found


def judged(challenge: Challenge, text: str) -> Json:
    """What a challenge's judge measures in an artefact, or why it refuses it."""
    try:
        found = json.loads(text)
        if not isinstance(found, dict) or found.get("id") != challenge.id:
            return {"refused": f"the artefact is not one that `submit` wrote for {challenge.id}"}
        artefact = decode(found["artefact"])
        if not isinstance(artefact, dict):
            return {"refused": "the artefact must be a dictionary of names"}
        verdict = challenge.judge(artefact)
    except (_check.BadValue, _check.BadKind) as error:
        return {"refused": str(error)}
    except MemoryError:
        return {"refused": "measuring the artefact needs more memory than there is"}
    except Exception as error:  # whatever a judge trips over is the artefact's
        return {"refused": f"the artefact cannot be measured ({type(error).__name__})"}
    return {"figures": [_figure(m) for m in verdict.measured]}


def _figure(m: Measured) -> Json:
    value = m.value if math.isfinite(m.value) else 0.0
    met = m.met and math.isfinite(m.value)
    limit = m.limit
    return {
        "name": limit.name,
        "value": value,
        "limit": limit.value,
        "words": limit.words,
        "unit": limit.unit,
        "met": met,
    }


def main() -> int:
    """Answer requests until there are no more."""
    _limit_itself()
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as out:
        os.dup2(2, 1)  # whatever a library prints is not an answer
        for line in sys.stdin:
            _answer(json.loads(line), out)
    return 0


def _answer(request: Mapping[str, Any], out: TextIO) -> None:
    try:
        release = find_release(Path(request["root"]), request["lab"])
        if "artefact" in request:
            challenge = release.graded[request["id"]]
            assert isinstance(challenge, Challenge)
            found = judged(challenge, request["artefact"])
        else:
            found = cases(release, int(request["seed"], 16))
    except Exception as error:  # told to the grader, which costs nobody a point
        found = {"error": f"{type(error).__name__}: {error}"}
    out.write(json.dumps(found) + "\n")
    out.flush()


def _limit_itself() -> None:
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (_ADDRESS_BYTES, _ADDRESS_BYTES))
        resource.setrlimit(resource.RLIMIT_CPU, (_CPU_S, _CPU_S))


if __name__ == "__main__":
    sys.exit(main())
