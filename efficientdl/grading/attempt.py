"""Attempts: a program is run in a kernel, and each task in it gives answers or a failure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from efficientdl.course.exercise import Challenge
from efficientdl.course.outcome import Kind
from efficientdl.course.parcel import unpack
from efficientdl.course.probe import Answer
from efficientdl.grading.kernel import Kernel
from efficientdl.grading.limits import Limits
from efficientdl.grading.messages import End, Ran
from efficientdl.grading.program import Part, Step
from efficientdl.grading.release import Release

# What an answer's failure may be: a learner's process cannot claim that the grader failed.
_FAILURES = (Kind.NOT_ATTEMPTED, Kind.RAISED, Kind.MEMORY, Kind.WRONG_SHAPE)
_LONGEST = 400
_CHANGED = "your code changed the notebook, so that your function could not be asked"

_STRANDED = "code that ran before it ended the notebook's process"


class GivenFailed(RuntimeError):
    """A handed-out cell failed before any answer had run: a fault of the machine or the lab."""


@dataclass
class Attempt:
    """What running one task gave.

    Attributes:
        failure: How it failed as a whole; None where there are answers or an artefact.
        sentence: The failure in words.
        answers: To the public cases, then to the fresh ones.
        artefact: The file that was handed in, for a challenge.
        seconds: Wall-clock time.
        peak_mb: Most memory meanwhile.
        company: Did answers to other tasks run before it in the same kernel?
    """

    failure: Kind | None = None
    sentence: str = ""
    answers: Sequence[Answer] = ()
    artefact: bytes = b""
    seconds: float = 0.0
    peak_mb: float | None = None
    company: bool = False


@dataclass
class Run:
    """One run of a program: what its tasks gave, and the cells' outputs.

    Tasks that were not reached have failed, because the kernel had ended.
    """

    attempts: dict[str, Attempt] = field(default_factory=dict)
    ran: dict[str, Ran] = field(default_factory=dict)


def attempt(kernel: Kernel, steps: Iterable[Step], release: Release, run: Run) -> Iterator[Step]:
    """Run a program step by step; yields each step when it is done.

    Args:
        kernel: A fresh one.
        steps: The program.
        release: Names the tasks.
        run: Is filled as it goes.

    Raises:
        GivenFailed: A handed-out cell failed before any answer had run.
    """
    begun: set[str] = set()
    for step in steps:
        if not kernel.alive:
            _strand(run, step)
            continue
        done = run.attempts.get(step.id)
        if done is not None and done.failure:
            continue
        ran = kernel.run(step.source, step.time_limit_s or kernel.limits.given_s)
        run.ran[step.cell] = ran
        if step.part is Part.GIVEN:
            if ran.end != End.OK and not begun and (step.sure or ran.end is not End.ERROR):
                raise GivenFailed(f"a cell of the lab ended in {ran.end} {ran.name} {ran.said}")
        else:
            begun.add(step.id)
            found = run.attempts.setdefault(step.id, Attempt(company=bool(begun - {step.id})))
            found.seconds += ran.seconds
            found.peak_mb = max(filter(None, (found.peak_mb, ran.peak_mb)), default=None)
            _take(found, step, ran, release, kernel.limits)
        yield step


def _strand(run: Run, step: Step) -> None:
    """A step that was not reached: its task fails, unless it has failed already."""
    if step.part is Part.ASK:
        found = run.attempts.setdefault(step.id, Attempt(company=True))
        if not found.failure:
            found.failure, found.sentence = Kind.KERNEL_DIED, _STRANDED


def _take(
    found: Attempt,
    step: Step,
    ran: Ran,
    release: Release,
    limits: Limits,
) -> None:
    what = "your cell" if step.part is Part.ANSWER else "your function"
    if ran.end != End.OK:
        found.failure, found.sentence = _failure(what, step, ran, limits)
    elif step.part is Part.ASK and isinstance(release.graded[step.id], Challenge):
        found.artefact = ran.payload or b""
        if not found.artefact:
            found.failure, found.sentence = Kind.RAISED, "your code handed nothing in"
    elif step.part is Part.ASK:
        answers = _answers(ran.payload, step.owes)
        if answers is None:
            found.failure, found.sentence = Kind.RAISED, _CHANGED
        else:
            found.answers = [*found.answers, *answers]


def _failure(what: str, step: Step, ran: Ran, limits: Limits) -> tuple[Kind, str]:
    if ran.end is End.TIMEOUT:
        after = f"{step.time_limit_s or limits.given_s:g} s"
        return Kind.TIMEOUT, f"{what} was stopped after {after}: does a loop never end?"
    if ran.end is End.MEMORY or ran.name == "MemoryError":
        return Kind.MEMORY, f"{what} needs more memory than the {limits.memory_mb} MB there are"
    if ran.end is not End.ERROR:
        return Kind.KERNEL_DIED, f"{what} {_ended(ran.end, limits)}"
    if ran.name == "NotImplementedError":
        return Kind.NOT_ATTEMPTED, "it is not written yet"
    if ran.name == "StdinNotImplementedError":
        return Kind.RAISED, f"{what} asks for input, and nobody is there to give it"
    if step.part is Part.ASK and step.hidden:  # its words may hold inputs that nobody may see
        return Kind.RAISED, _clean(f"{what} raised {ran.name if ran.name.isidentifier() else ''}")
    said = f"{ran.name}: {ran.said}".strip(": ").splitlines() or [""]
    return Kind.RAISED, _clean(f"{what} raised {said[0]}")


def _ended(end: End, limits: Limits) -> str:
    if end is End.PROCESSES:
        return f"started more than {limits.processes} processes, so it was ended"
    if end is End.DISK:
        return f"wrote more than {limits.disk_mb} MB to disk, so it was ended"
    return "ended the notebook's process"


def _answers(payload: bytes | None, size: int) -> list[Answer] | None:
    """The answers that a kernel sent; None where what it sent is none."""
    try:
        rows = unpack(payload or b"")
        found = [_one(row) for row in rows]
    except Exception:  # bytes of a stranger, in whatever way they are broken
        return None
    return found if len(found) == size else None


def _one(row: Mapping[str, object]) -> Answer:
    failure = Kind(row["failure"]) if row["failure"] else None
    if failure is not None and failure not in _FAILURES:
        raise ValueError(failure)
    return Answer(row["value"], failure, _clean(str(row["said"])))


def _clean(said: str) -> str:
    """A stranger's words: short, and such that they can be written down."""
    return said[:_LONGEST].encode("utf-8", "replace").decode()
