"""Say what will happen before it happens: `predict`, and later `compare`.

A prediction earns nothing and costs nothing. It is stored, so that what came out can be set
beside it.
"""

from collections.abc import Sequence

from efficientdl import _check
from efficientdl.course import cards, store
from efficientdl.course.questions import offer
from efficientdl.progress import ui_mode


def predict(id: str, question: str, options: Sequence[str], *, choice: str | None = None) -> None:
    """Ask what will happen and store the answer.

    In a notebook the options stand in a list to choose from; `choice` says it in code instead.

    Args:
        id: The prediction's name, for `compare`.
        question: One question.
        options: Two or more answers.
        choice: One of them, where it is made in code.

    Raises:
        BadValue: There are fewer than two options, two are the same, or `choice` is none of them.
    """
    _check.kind("predict", "id", id, str)
    if len(options) < 2 or len(set(options)) < len(options):
        _check.fail("predict", "options", "must be two or more, all different", list(options))

    def keep(picked: str) -> str:
        entry = {"question": question, "options": list(options), "choice": picked}
        store.remember("predictions", id, entry)
        return f"Stored. You predict: {picked}"

    if choice is not None:
        _check.one_of("predict", "choice", choice, options)
        cards.show(cards.message(question, keep(choice)))
        return
    before = (store.recall("predictions", id) or {}).get("choice")
    offer(question, options, keep, picked=before, how=f'predict("{id}", ..., choice=...)')


def compare(id: str, outcome: str, explanation: str) -> None:
    """Set what came out beside what was predicted.

    Args:
        id: The prediction's name.
        outcome: What came out, in the words of one of the options.
        explanation: Why, in a sentence or two.

    Raises:
        BadValue: The outcome is none of the options of the prediction.
    """
    before = store.recall("predictions", id)
    came_out = f"It came out: {outcome}"
    if before is None or ui_mode() == "static":
        cards.show(cards.message("No prediction was stored.", came_out, explanation))
        return
    _check.one_of("compare", "outcome", outcome, before["options"])
    agrees = "That is as you predicted." if before["choice"] == outcome else "You expected another."
    lines = (f"You predicted: {before['choice']}", came_out, agrees, explanation)
    cards.show(cards.message(*lines))
