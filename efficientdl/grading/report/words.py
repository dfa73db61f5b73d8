"""What both forms of a report say: outcomes, points and figures in words."""

from collections.abc import Mapping
from dataclasses import dataclass

from efficientdl.course.cards import table_text
from efficientdl.course.exercise import figure_text
from efficientdl.course.outcome import Kind
from efficientdl.grading.release import Release
from efficientdl.grading.report.quoting import LONGEST_ANSWER, clean, one_line
from efficientdl.grading.score import Figure, Graded, Score, WrittenAnswer


@dataclass(frozen=True)
class Said:
    """How an outcome is told.

    Attributes:
        words: The outcome, in two or three words.
        glyph: A sign that stands beside the words, never instead of them.
        tone: Which of the report's colours goes with it.
        meaning: What it means, for somebody who reads it for the first time.
    """

    words: str
    glyph: str
    tone: str
    meaning: str


OUTCOMES: Mapping[Kind, Said] = {
    Kind.CORRECT: Said("correct", "✓", "right", "Every case came out right."),
    Kind.PARTIAL: Said("partly right", "◐", "part", "Some cases came out right, others did not."),
    Kind.WRONG_VALUE: Said(
        "wrong value", "✗", "wrong", "The answer runs, and what it gives is not the target."
    ),
    Kind.WRONG_SHAPE: Said(
        "wrong kind or shape", "✗", "wrong", "What comes back is not of the kind that was asked."
    ),
    Kind.NOT_ATTEMPTED: Said(
        "not attempted", "○", "none", "The cell is as it was handed out, or defines no answer."
    ),
    Kind.RAISED: Said("raised an error", "!", "wrong", "The code stopped with an error."),
    Kind.TIMEOUT: Said(
        "took too long", "!", "wrong", "The code was stopped at the end of the time it may take."
    ),
    Kind.MEMORY: Said(
        "too much memory", "!", "wrong", "The code was stopped when it asked for more than it may."
    ),
    Kind.KERNEL_DIED: Said(
        "the kernel died", "!", "wrong", "The process that ran the code ended before it answered."
    ),
    Kind.FORBIDDEN: Said(
        "against the rules", "!", "wrong", "The answer uses what this exercise does not allow."
    ),
    Kind.INTERNAL_ERROR: Said(
        "could not be graded", "?", "ours", "The grader failed here, not you."
    ),
}
OVERVIEW = ["Exercise", "Outcome", "Points", "Came out right"]
FAILED = (
    "The grader itself failed on this one, so it says nothing about your answer. It costs no "
    "points: they are left out of the total. The run ended with an error code, so whoever ran it "
    "knows, and can grade it again."
)
NOT_SHOWN = (
    "Inputs used for points are not shown. Try sizes and values of your own, the smallest and the "
    "odd ones first."
)
SHOWN = "One public case that did not come out right"
ALL_RIGHT = "Everything is right. Well done."


def title_of(release: Release) -> str:
    """The lab's title: the first heading of the notebook that was handed out."""
    for cell in release.learner.cells:
        first = cell.source.lstrip().split("\n")[0]
        if cell.cell_type == "markdown" and first.startswith("# "):
            return one_line(first[2:])
    return release.lab


def all_right(score: Score) -> bool:
    """Is every task right?"""
    return all(task.outcome is Kind.CORRECT for task in score.exercises)


def points_text(earned: float | None, points: int) -> str:
    """Points in words.

    >>> points_text(61.5, 100), points_text(None, 10)
    ('61.5 of 100 points', '10 points not counted')
    """
    if earned is None:
        return f"{_points(points)} not counted"
    return f"{number(earned)} of {_points(points)}"


def number(value: float) -> str:
    """Points as they are printed, to two digits after the point where there are any.

    >>> number(61.50), number(10.0)
    ('61.5', '10')
    """
    return f"{value:.2f}".rstrip("0").rstrip(".")


def standing(score: Score) -> str:
    """The whole submission in a sentence or two."""
    if not score.exercises:
        return "Nothing in it could be graded."
    if all_right(score):
        return ALL_RIGHT
    kinds = [task.outcome for task in score.exercises]
    right = kinds.count(Kind.CORRECT)
    said = f"{right} of {len(kinds)} exercises {'is' if right == 1 else 'are'} right"
    untouched = kinds.count(Kind.NOT_ATTEMPTED)
    said += f", {untouched} not attempted yet." if untouched else "."
    if score.ungraded:
        said += f" Left out: {_points(score.ungraded)} that could not be graded."
    return said


def overview_text(score: Score) -> str:
    """The score as a table for a terminal."""
    rows = [OVERVIEW]
    for task in score.exercises:
        words, points = OUTCOMES[task.outcome].words, points_text(task.earned, task.points)
        rows.append([one_line(task.title), words, points, cases_text(task)])
    notes = [f"Note: {clean(note)}" for note in score.notes]
    return "\n".join([table_text(rows), "", standing(score), *notes])


def in_short(task: Graded) -> tuple[str, str]:
    """Points, and what came out right, for a column of a table."""
    points = "not counted" if task.earned is None else f"{number(task.earned)} of {task.points}"
    return points, cases_text(task).removesuffix(" right").removesuffix(" met")


def cases_text(task: Graded) -> str:
    """How many cases came out right, or limits were met."""
    if task.outcome is Kind.INTERNAL_ERROR:
        return "not known"
    if not task.cases:
        return "none asked"
    what = "limits met" if task.task == "challenge" else "cases right"
    return f"{task.right} of {task.cases} {what}"


def message_of(task: Graded) -> str:
    """The sentence for the learner. What the grader says about itself stays out of it."""
    if task.outcome in (Kind.INTERNAL_ERROR, Kind.CORRECT):
        return ""
    said = clean(task.message).strip()
    if not said:
        return ""
    return said[:1].upper() + said[1:] + ("" if said[-1] in ".!?…" else ".")


def hint_of(task: Graded) -> str:
    """The hint that fits the failure."""
    return clean(task.hint).strip()


def shown_rows(task: Graded) -> list[list[str]]:
    """The public case as a table: headings, then one row; empty where none is shown."""
    if task.shown is None or task.outcome is Kind.INTERNAL_ERROR:
        return []
    head, cells = task.shown.rows()
    return [head, [clean(cell) for cell in cells]]


def hides_a_case(task: Graded) -> bool:
    """Did a case fail that the report must not show?"""
    about_values = task.outcome in (Kind.PARTIAL, Kind.WRONG_VALUE, Kind.WRONG_SHAPE)
    return about_values and task.task == "exercise" and task.shown is None


def figure_rows(figures: tuple[Figure, ...]) -> list[list[str]]:
    """The budget as a table; the last column says in words whether a limit is met."""
    rows = [
        [
            one_line(f.name),
            figure_text(f.value),
            f"{f.words} {figure_text(f.limit)}",
            f.unit,
            "✓ met" if f.met else "✗ not met",
        ]
        for f in figures
    ]
    return [["figure", "value", "limit", "unit", "met?"], *rows]


def answer_of(answer: WrittenAnswer) -> str:
    """What was answered in words, or that nothing was."""
    return clean(answer.answer, longest=LONGEST_ANSWER, lines=400).strip("\n") or "(no answer)"


def written_line(answer: WrittenAnswer) -> str:
    """Who marks a written answer, and for how much."""
    worth = _points(answer.points) if answer.points else "for practice, no points"
    return f"read by a person · {worth}"


def small_print(task: Graded) -> str:
    """Time and memory of one task."""
    said = f"Took {task.seconds:.2f} s"
    return said if task.peak_mb is None else f"{said} and at most {task.peak_mb:,.0f} MiB of memory"


def how_to_go_on(score: Score) -> list[str]:
    """Next steps, with code between backquotes."""
    left = [t for t in score.exercises if t.outcome not in (Kind.CORRECT, Kind.INTERNAL_ERROR)]
    again = ["Ask for the part that could not be graded to be graded again."]
    if not left:
        steps = again if score.ungraded else []
        return [
            *steps,
            "`progress()` in any lab shows where you are in the course, and what is next.",
        ]
    first = next((task for task in left if task.task == "exercise"), None)
    steps = [f"Open your notebook of `{score.lab}` and run its cells from the top."]
    if first:
        steps += [
            f'`check("{first.id}")` tries your answer on public inputs and shows target and yours '
            "side by side.",
            f'`hint("{first.id}")` opens one hint at a time; each says more than the one before.',
        ]
    return [*steps, "Save the notebook and hand it in again."]


def measured(score: Score) -> list[tuple[str, str]]:
    """What the score was measured with, by name. Nothing here tells of hidden inputs."""
    made_from, found = score.release["submitted"], score.environment
    lines = [
        ("Lab", f"{score.lab}, release {score.release['digest'][:16] or 'without a digest'}"),
        ("efficientdl", str(score.release["version"])),
        ("Python", f"{found['python']} on {found['system']}"),
        ("Packages", ", ".join(f"{k} {v}" for k, v in sorted(found.get("packages", {}).items()))),
        ("Kept apart by", ", ".join(found["protections"]) or "nothing"),
        ("Limits", ", ".join(f"{k} {figure_text(v)}" for k, v in sorted(found["limits"].items()))),
        ("File", f"{score.submission['size_bytes']:,} bytes, sha256 {score.submission['sha256']}"),
        ("Time", f"{score.seconds:.1f} s"),
    ]
    if made_from and made_from != score.release["digest"]:
        lines.insert(1, ("Made from", f"another release, {made_from[:16]}"))
    return [(name, one_line(text)) for name, text in lines if text]


def _points(points: int) -> str:
    return "1 point" if points == 1 else f"{points} points"
