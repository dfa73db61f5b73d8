"""`grade`: one submission in, one `Score` out, whatever the submission does.

All answers run in one kernel, each asked in its place. What does not come out right there, and
may owe that to another answer, runs once more alone in a fresh kernel with the cells it needs;
the better of the two counts. So nobody loses a point by what another exercise did.
"""

import hashlib
import hmac
import platform
import time
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import efficientdl
from efficientdl import _check
from efficientdl.course import rules
from efficientdl.course.exercise import Challenge, Exercise, Written
from efficientdl.course.outcome import Kind
from efficientdl.grading import release as releases
from efficientdl.grading.attempt import Attempt, GivenFailed, Run, attempt
from efficientdl.grading.handed_in import HandedIn
from efficientdl.grading.isolation import strongest
from efficientdl.grading.kernel import Kernel, NotStarted
from efficientdl.grading.limits import Limits
from efficientdl.grading.line import Cases, Referee, RefereeFailed
from efficientdl.grading.messages import Ran
from efficientdl.grading.program import needs, program
from efficientdl.grading.release import Release
from efficientdl.grading.score import Graded, Score, WrittenAnswer
from efficientdl.grading.submission import Submission, lab_named, read_submission
from efficientdl.grading.verdict import Verdicts
from efficientdl.progress import progress

PRACTICE_KEY = b"practice"
_SHORTEST_KEY = 16
_PACKAGES = ("numpy", "torch", "ipykernel")


def grade(
    handed_in: HandedIn,
    *,
    root: Path,
    lab: str | None = None,
    key: bytes = PRACTICE_KEY,
    limits: Limits | None = None,
    hidden: tuple[Path, ...] = (),
) -> Score:
    """Grade one submission.

    Args:
        handed_in: The submission.
        root: The checkout whose labs/ were handed out.
        lab: The lab, by name or number; what the submission says where it is left out.
        key: The course key. The fresh inputs follow from it and from the submission's hash.
        limits: What the learner's process may use up.
        hidden: Folders that the learner's process must not see into, where that can be had.

    Raises:
        BadValue: The lab cannot be told, or there is none of that name.
    """
    return Grading(handed_in, root=root, lab=lab, key=key, limits=limits, hidden=hidden).score()


class Grading:
    """The grading of one submission, and the cells that were run for it."""

    def __init__(
        self,
        handed_in: HandedIn,
        *,
        root: Path,
        lab: str | None = None,
        key: bytes = PRACTICE_KEY,
        limits: Limits | None = None,
        hidden: tuple[Path, ...] = (),
    ) -> None:
        named = lab or lab_named(handed_in)
        if named is None:
            rule = "must be given: the submission does not say which lab it is of"
            _check.fail("grade", "lab", rule, handed_in.name)
        self.release: Release = releases.find_release(root, named)
        self.submission: Submission = read_submission(handed_in, self.release)
        self.limits = limits or Limits()
        self.hidden = (root.resolve(), *hidden)
        self.seed = seed(key, handed_in, self.release)
        self.cases: dict[str, Cases] = {}
        self.run = Run()

    def score(self) -> Score:
        """Run everything and judge it."""
        start = time.monotonic()
        with Referee(self.release, self.seed) as referee:
            verdicts = Verdicts(self.release, self.submission, referee)
            self._static(verdicts)
            steps = self._steps(referee, verdicts)
            for _ in progress(steps, f"grading {self.release.lab}"):
                pass
            graded = [verdicts.graded(id) for id in self.release.graded]
        return self._score(tuple(graded), time.monotonic() - start)

    def _static(self, verdicts: Verdicts) -> None:
        """What can be said without running anything."""
        cells = [c.source for c in self.release.learner.cells if c.cell_type == "code"]
        aliases = rules.aliases_of(cells)
        for id, task in self.release.graded.items():
            source = self.submission.answers.get(id)
            artefact = self.submission.handed_in.artefacts.get(id)
            if artefact and isinstance(task, Challenge):
                verdicts.settle(id, Attempt(artefact=artefact))
            elif source is None:
                verdicts.fail(id, Kind.NOT_ATTEMPTED, "there is no answer yet")
            elif id in self.submission.broken:
                verdicts.fail(id, Kind.RAISED, self.submission.broken[id])
            elif isinstance(task, Exercise):
                said = rules.broken(source, task.forbids, aliases)
                if said:
                    verdicts.fail(id, Kind.FORBIDDEN, said)

    def _steps(self, referee: Referee, verdicts: Verdicts) -> Iterator[object]:
        """Everything that takes time, a step at a time."""
        open_ids = verdicts.open()
        if not open_ids:
            return
        self._ask_for_cases(referee, verdicts)
        together = verdicts.open()
        yield from self._run(together, verdicts)
        for id in verdicts.again(together):
            yield from self._run([id], verdicts)

    def _ask_for_cases(self, referee: Referee, verdicts: Verdicts) -> None:
        try:
            found = referee.cases()
        except (RefereeFailed, TimeoutError) as error:
            for id in verdicts.open():
                verdicts.fail(id, Kind.INTERNAL_ERROR, str(error))
            return
        for id, cases in found.items():
            if isinstance(cases, Cases):
                self.cases[id] = cases
                verdicts.cases[id] = cases
            elif id in verdicts.open():
                verdicts.fail(id, Kind.INTERNAL_ERROR, cases)

    def _run(self, ids: list[str], verdicts: Verdicts) -> Iterator[object]:
        """Run some tasks in one fresh kernel, and settle those that were reached."""
        if not ids:
            return
        answers = self.submission.answers
        usable = answers.keys() - self.submission.broken.keys()
        also = [n for id in ids for n in needs(self.release, id) if n in usable and n not in ids]
        steps = program(self.release, answers, self.cases, ids, also=also)
        run = Run()
        try:
            with Kernel(self.limits, strongest(), self.hidden) as kernel:
                yield from attempt(kernel, steps, self.release, run)
        except (NotStarted, GivenFailed) as error:
            for id in ids:
                verdicts.fail(id, Kind.INTERNAL_ERROR, str(error))
        for id in ids:
            if id in run.attempts:
                verdicts.settle(id, run.attempts[id])
        self.run.ran = {**run.ran, **self.run.ran}

    def ran(self, cell: str) -> Ran | None:
        """What running a cell of the release gave, the first time that it was run."""
        return self.run.ran.get(cell)

    def _score(self, graded: tuple[Graded, ...], seconds: float) -> Score:
        handed_in = self.submission.handed_in
        return Score(
            submission={
                "name": handed_in.name.encode("utf-8", "replace").decode(),
                "sha256": handed_in.sha256,
                "size_bytes": len(handed_in.data),
            },
            release={
                "lab": self.release.lab,
                "digest": self.release.digest,
                "version": efficientdl.__version__,
                "submitted": self.submission.release,
            },
            seed=self.seed,
            environment={
                "python": platform.python_version(),
                "system": f"{platform.system()} {platform.machine()}",
                "packages": {name: metadata.version(name) for name in _PACKAGES},
                "protections": strongest().protections(),
                "limits": vars(self.limits),
            },
            exercises=graded,
            written=tuple(
                WrittenAnswer(id=id, title=task.title, points=task.points, answer=answer)
                for id, task in self.release.tasks.items()
                if isinstance(task, Written)
                for answer in [self.submission.written.get(id, "")]
            ),
            notes=self.submission.notes,
            seconds=seconds,
        )


def read_key(path: Path | None) -> bytes:
    """The course key in a file; the practice key, which everybody knows, where there is none.

    Raises:
        BadValue: The file holds fewer than 16 bytes.
    """
    if path is None:
        return PRACTICE_KEY
    key = path.read_bytes().strip()
    if len(key) < _SHORTEST_KEY:
        rule = f"must be a file of at least {_SHORTEST_KEY} bytes that nobody can guess"
        _check.fail("grade", "key", rule, str(path))
    return key


def seed(key: bytes, handed_in: HandedIn, release: Release) -> str:
    """The name of the fresh inputs: who does not know the key cannot tell them beforehand."""
    about = f"{release.lab}\0{handed_in.sha256}".encode()
    return hmac.new(key, about, hashlib.sha256).hexdigest()[:32]
