"""`course_progress()`: every lab and task, and what it has earned so far."""

from efficientdl.course import cards, store
from efficientdl.course.exercise import Challenge, Exercise, Task, Written
from efficientdl.course.registry import tasks
from efficientdl.progress import ui_mode

_WORDS = {"correct": "right", "partial": "partly right", "not_attempted": "not begun"}
_BEGUN = ("right", "partly right", "not right yet", "handed in")


def course_progress() -> cards.Card:
    """The course as a table: lab, task, how it stands, points. Written answers are for a reader.

    The points are those of the public cases; a grader probes with fresh ones. On a page that is
    only read (static), tasks that were not begun are left out: a lab's page then stays the same
    when the course grows.
    """
    progress = store.everything()
    rows = [["task", "lab", "standing", "points"]]
    earned = total = 0
    for task in tasks().values():
        standing, points = _standing(task, progress)
        if ui_mode() == "static" and standing not in _BEGUN:
            continue
        rows.append([task.title, task.lab, standing, f"{points} of {task.points}"])
        earned, total = earned + points, total + task.points
    first = f"{earned} of {total} points, as far as this notebook can tell."
    table = cards.table_html("Your way through the course", rows)
    text = f"{first}\n\n{cards.table_text(rows)}"
    return cards.Card(text, cards.status(cards.paragraph(first), table))


def _standing(task: Task, progress: dict[str, dict[str, store.Entry]]) -> tuple[str, int]:
    """How a task stands, in words, and the points that it has earned."""
    if isinstance(task, Exercise):
        entry = progress["checks"].get(task.id)
        if entry is None:
            return "not begun", 0
        words = _WORDS.get(entry.get("outcome", ""), "not right yet")
        return words, int(task.points * float(entry.get("best", 0.0)))
    if isinstance(task, Challenge):
        entry = progress["artefacts"].get(task.id)
        share = float(entry.get("share", 0.0)) if entry else 0.0
        return "handed in" if entry else "not begun", int(task.points * share)
    return ("read by a person", 0) if isinstance(task, Written) else ("", 0)
