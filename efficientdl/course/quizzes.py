"""`quiz(...)`: one question with answers to choose from, checked at once, each one explained."""

from collections.abc import Mapping

from efficientdl import _check
from efficientdl.course import cards, store
from efficientdl.course.questions import offer
from efficientdl.progress import ui_mode


def quiz(
    id: str, question: str, options: Mapping[str, str], answer: str, *, choice: str | None = None
) -> None:
    """Ask a question; say of the answer chosen whether it is right, and why.

    Where nothing can be chosen (a page that is only read) every answer stands with its reason.

    Args:
        id: The question's name.
        question: One question.
        options: Two or more answers, each with the reason why it is right or wrong.
        answer: The right one.
        choice: One of them, where it is chosen in code.

    Raises:
        BadValue: There are fewer than two options, or `answer` or `choice` is none of them.
    """
    _check.kind("quiz", "id", id, str)
    if len(options) < 2:
        _check.fail("quiz", "options", "must be two or more", dict(options))
    _check.one_of("quiz", "answer", answer, options)

    def tell(picked: str) -> str:
        right = picked == answer
        tries = int((store.recall("quizzes", id) or {}).get("tries", 0)) + 1
        store.remember("quizzes", id, {"choice": picked, "right": right, "tries": tries})
        return f"{'Right' if right else 'Not right'}: {picked}. {options[picked]}"

    if choice is not None:
        _check.one_of("quiz", "choice", choice, options)
        cards.show(cards.message(question, tell(choice)))
    elif ui_mode() == "static":
        reasons = [f"{o}: {'right' if o == answer else 'wrong'}. {options[o]}" for o in options]
        cards.show(cards.listed(question, reasons))
    else:
        before = (store.recall("quizzes", id) or {}).get("choice")
        offer(question, list(options), tell, picked=before, how=f'quiz("{id}", ..., choice=...)')
