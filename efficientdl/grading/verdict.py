"""Verdicts: attempts are held against targets, and each task gets its outcome and its points."""

from collections.abc import Sequence

from efficientdl.course.artefacts import LARGEST_BYTES
from efficientdl.course.exercise import Challenge, Exercise
from efficientdl.course.outcome import Case, Kind, Outcome
from efficientdl.course.probe import judge
from efficientdl.grading.attempt import Attempt
from efficientdl.grading.line import Cases, Referee, RefereeFailed
from efficientdl.grading.release import Release
from efficientdl.grading.score import Figure, Graded
from efficientdl.grading.submission import Submission

# Which hint helps: a nudge where nothing was tried, nearly the code where only an edge is missing.
_HINT = {Kind.NOT_ATTEMPTED: 0, Kind.PARTIAL: 2}
_USUAL_HINT = 1
_LONGEST_MESSAGE, _LONGEST_VALUE = 800, 2000
_NO_HINT = (Kind.CORRECT, Kind.INTERNAL_ERROR)


class Verdicts:
    """The verdict of every task of a release, the best of its attempts."""

    def __init__(self, release: Release, submission: Submission, referee: Referee) -> None:
        self.release, self.submission, self.referee = release, submission, referee
        self.cases: dict[str, Cases] = {}
        self._found: dict[str, Graded] = {}
        self._alone: dict[str, bool] = {}

    def open(self) -> list[str]:
        """Tasks without a verdict, in the order of the lab."""
        return [id for id in self.release.graded if id not in self._found]

    def again(self, ids: Sequence[str]) -> list[str]:
        """Of these, the tasks to run alone: not reached, or not right in others' company."""
        return [
            id
            for id in ids
            if id not in self._found
            or (self._found[id].outcome is not Kind.CORRECT and not self._alone[id])
        ]

    def graded(self, id: str) -> Graded:
        """The verdict of a task; one that never came to it is the grader's fault."""
        if id not in self._found:
            self.fail(id, Kind.INTERNAL_ERROR, "it could not be run")
        return self._found[id]

    def fail(self, id: str, kind: Kind, said: str) -> None:
        """A task that gave nothing to judge."""
        self._keep(id, self._made(id, Outcome(kind, said, 0, 0), Attempt()), alone=True)

    def settle(self, id: str, attempt: Attempt) -> None:
        """Judge what a task gave."""
        task = self.release.graded[id]
        if attempt.failure:
            outcome = Outcome(attempt.failure, attempt.sentence, 0, 0)
            made = self._made(id, outcome, attempt)
        elif isinstance(task, Challenge):
            made = self._measured(task, attempt)
        else:
            made = self._made(id, self._judged(task, attempt), attempt)
        self._keep(id, made, alone=not attempt.company)

    def _keep(self, id: str, made: Graded, *, alone: bool) -> None:
        before = self._found.get(id)
        if before is None or made.outcome is Kind.INTERNAL_ERROR or _rank(made) >= _rank(before):
            self._found[id], self._alone[id] = made, alone

    def _judged(self, exercise: Exercise, attempt: Attempt) -> Outcome:
        """Points come from the fresh cases; what is said and shown, from public ones alone."""
        cases = self.cases[exercise.id]
        n = len(cases.public_inputs)
        public, fresh = attempt.answers[:n], attempt.answers[n:]
        found = judge(exercise, cases.inputs, cases.targets, fresh)
        if found.kind is Kind.CORRECT:
            return found
        names = self.release.arguments(exercise)
        seen = judge(exercise, cases.public_inputs, cases.public_targets, public, names=names)
        if seen.kind is not Kind.CORRECT:
            return Outcome(found.kind, seen.message, found.right, found.cases, seen.shown)
        wrong = found.cases - found.right
        said = (
            f"your function is right on every public case, and not right on {wrong} of "
            f"{found.cases} fresh ones: it may do what the public cases show, and not what is asked"
        )
        return Outcome(found.kind, said, found.right, found.cases)

    def _measured(self, challenge: Challenge, attempt: Attempt) -> Graded:
        """A challenge's artefact, measured by the referee."""
        if len(attempt.artefact) > LARGEST_BYTES:
            said = f"the artefact is larger than {LARGEST_BYTES:,} bytes"
            return self._made(challenge.id, Outcome(Kind.WRONG_SHAPE, said, 0, 0), attempt)
        try:
            found = self.referee.judge(challenge.id, attempt.artefact)
        except TimeoutError:
            outcome = Outcome(Kind.TIMEOUT, "measuring the artefact takes too long", 0, 0)
            return self._made(challenge.id, outcome, attempt)
        except RefereeFailed as error:
            outcome = Outcome(Kind.INTERNAL_ERROR, str(error), 0, 0)
            return self._made(challenge.id, outcome, attempt)
        if "refused" in found:
            outcome = Outcome(Kind.WRONG_SHAPE, found["refused"], 0, 0)
            return self._made(challenge.id, outcome, attempt)
        figures = tuple(Figure(**figure) for figure in found["figures"])
        return self._made(challenge.id, _kept(figures), attempt, figures)

    def _made(
        self, id: str, outcome: Outcome, attempt: Attempt, figures: tuple[Figure, ...] = ()
    ) -> Graded:
        task = self.release.graded[id]
        points = float(task.points) if outcome.kind is Kind.CORRECT else task.points * outcome.share
        return Graded(
            id=id,
            title=task.title,
            task="challenge" if isinstance(task, Challenge) else "exercise",
            points=task.points,
            earned=None if outcome.kind is Kind.INTERNAL_ERROR else round(points, 2),
            outcome=outcome.kind,
            message=_cut(outcome.message, _LONGEST_MESSAGE),
            right=outcome.right,
            cases=outcome.cases,
            seconds=attempt.seconds,
            peak_mb=attempt.peak_mb,
            shown=_case(outcome.shown) if outcome.shown else None,
            hint=_hint(task, outcome.kind),
            figures=figures,
        )


def _rank(graded: Graded) -> float:
    return graded.earned or 0.0


def _case(case: Case) -> Case:
    """A case to be written down: what a learner returned may be as long as a book."""
    return Case(case.inputs, case.target, _cut(case.yours, _LONGEST_VALUE))


def _cut(text: str, longest: int) -> str:
    text = text if len(text) <= longest else text[: longest - 2] + " …"
    return text.encode("utf-8", "replace").decode()


def _hint(task: Exercise | Challenge, kind: Kind) -> str:
    if kind in _NO_HINT or not task.hints:
        return ""
    return task.hints[min(_HINT.get(kind, _USUAL_HINT), len(task.hints) - 1)]


def _kept(figures: Sequence[Figure]) -> Outcome:
    met = sum(figure.met for figure in figures)
    if met == len(figures):
        return Outcome(Kind.CORRECT, "", met, met)
    broken = ", ".join(figure.name for figure in figures if not figure.met)
    kind = Kind.PARTIAL if met else Kind.WRONG_VALUE
    return Outcome(kind, f"not every limit is met: {broken}", met, len(figures))
