"""The process in which one submission of a class is graded.

`python -m efficientdl.grading.classroom.worker` reads one job, a line of JSON, from its standard
input, and writes the result as one line to its standard output, where nothing else may write. It
watches its input from then on: when that ends, whoever wanted the result is gone, and the process
ends with everything that it started.
"""

import base64
import contextlib
import json
import os
import signal
import sys
import threading
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil

from efficientdl import _check
from efficientdl.grading.handed_in import HandedIn
from efficientdl.grading.release import find_release, labs
from efficientdl.grading.score import to_json
from efficientdl.grading.submission import read_submission

Json = dict[str, Any]


def make_job(
    handed_in: HandedIn, *, root: Path, lab: str | None, key: bytes, hidden: Sequence[Path]
) -> Json:
    """A job as JSON: everything that grading one submission needs.

    Args:
        handed_in: The submission.
        root: The checkout.
        lab: The lab, if it is known.
        key: The course key.
        hidden: Folders that the learner's process must not see into: those of the class.
    """
    return {
        "name": handed_in.name,
        "data": base64.b64encode(handed_in.data).decode(),
        "artefacts": {
            id: base64.b64encode(data).decode() for id, data in handed_in.artefacts.items()
        },
        "root": str(root),
        "lab": lab,
        "key": key.hex(),
        "hidden": [str(folder) for folder in hidden],
    }


def result_of(job: Json) -> Json:
    """Do a job: the score and the learner's answers, or an error and whose it is."""
    root = Path(job["root"])
    try:
        labs(root)
    except _check.BadValue as error:  # the fault of this machine, not of the submission
        return {"error": str(error), "kind": "internal"}
    try:
        from efficientdl.grading.grader import grade

        artefacts = {id: base64.b64decode(data) for id, data in job["artefacts"].items()}
        handed_in = HandedIn(job["name"], base64.b64decode(job["data"]), artefacts)
        key = bytes.fromhex(job["key"])
        hidden = tuple(filter(Path.is_dir, map(Path, job["hidden"])))  # not all on each machine
        score = grade(handed_in, root=root, lab=job["lab"], key=key, hidden=hidden)
        submission = read_submission(handed_in, find_release(root, score.lab))
        answers = {**submission.answers, **submission.written}
        return {"score": to_json(score), "answers": answers}
    except _check.BadValue as error:
        return {"error": str(error), "kind": "refused"}
    except Exception as error:  # whatever it is, it is said and costs one job
        said = f"the grader failed ({type(error).__name__}: {str(error)[:200]})"
        return {"error": said, "kind": "internal", "detail": traceback.format_exc()[-4000:]}


def end_with_input() -> None:
    """Wait for the end of standard input, then end this process and all that it started."""
    while os.read(0, 4096):
        pass
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            process.kill()
    if hasattr(os, "killpg") and os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


def main() -> int:
    """Do the job on standard input."""
    answer = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    with open(0, "rb", buffering=0, closefd=False) as lines:
        job = json.loads(lines.readline())
    threading.Thread(target=end_with_input, daemon=True).start()
    with answer:
        answer.write(json.dumps(result_of(job)).encode() + b"\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
