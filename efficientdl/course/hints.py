"""`hint("id")`: help in three stages, a nudge, the idea, nearly the code. It costs no points."""

from efficientdl import _check
from efficientdl.course import cards, store
from efficientdl.course.exercise import Challenge, Exercise, Task
from efficientdl.course.registry import find


def hint(id: str) -> None:
    """Open the next hint of an exercise and show all that are open.

    Args:
        id: The exercise, `conv-macs`.

    Raises:
        BadValue: There is no such exercise, or it has no hints.
    """
    hints = _hints(find("hint", id, Task))
    if not hints:
        _check.fail("hint", "id", "must be of an exercise with hints", id)
    seen = (store.recall("hints", id) or {}).get("stage", 0)
    stage = min(seen + 1, len(hints))
    store.remember("hints", id, {"stage": stage})
    lines = [f"Hint {i + 1} of {len(hints)}: {hints[i]}" for i in range(stage)]
    if stage < len(hints):
        lines.append(f'Once more, `hint("{id}")` opens the next.')
    cards.show(cards.message(*lines))


def _hints(task: Task) -> tuple[str, ...]:
    return task.hints if isinstance(task, Exercise | Challenge) else ()
