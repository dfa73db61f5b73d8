"""A question with options, in the face that fits: buttons to choose with, or text to read."""

from collections.abc import Callable, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from efficientdl.course import cards
from efficientdl.progress import ui_mode

if TYPE_CHECKING:
    import ipywidgets


def offer(
    question: str,
    options: Sequence[str],
    respond: Callable[[str], str],
    *,
    picked: str | None,
    how: str,
) -> None:
    """Show a question and let the reader choose.

    Args:
        question: The question.
        options: The answers to choose from.
        respond: Called with the answer chosen; what it returns is shown below.
        picked: The answer chosen earlier, if any.
        how: How to answer in code, where there is nothing to click.
    """
    if ui_mode() == "live" and cards.in_notebook():
        cards.show(Question(question, options, respond, picked=picked))
    elif ui_mode() == "live":
        cards.show(cards.listed(question, options, f"Answer with `{how}`."))
    else:
        cards.show(cards.listed(question, options))


class Question:
    """A question in a notebook: a button for each answer, and below them the response.

    Buttons are reached with Tab and pressed with Enter or the space bar, and their names are
    the answers, so that neither a mouse nor eyes are needed.
    """

    def __init__(
        self,
        question: str,
        options: Sequence[str],
        respond: Callable[[str], str],
        *,
        picked: str | None,
    ) -> None:
        import ipywidgets as widgets

        self.question, self._respond = question, respond
        fitting = widgets.Layout(width="auto", height="auto")
        self.buttons = [widgets.Button(description=o, layout=fitting) for o in options]
        for button in self.buttons:
            button.on_click(self._pick)
        before = f"You chose: {picked}" if picked in options else ""
        self.reply = widgets.HTML(_announced(before))
        asked = widgets.HTML(cards.paragraph(question))
        column = widgets.Layout(align_items="flex-start")
        self.view = widgets.VBox([asked, *self.buttons, self.reply], layout=column)

    def _pick(self, button: "ipywidgets.Button") -> None:
        try:
            said = self._respond(button.description)
        except Exception as error:  # a button's callback would lose it without a word
            self.reply.value = f'<p role="alert">{escape(str(error))}</p>'
            raise
        self.reply.value = _announced(said)

    def _repr_mimebundle_(self, **options: Any) -> dict[str, Any]:  # noqa: ANN401 - IPython's own
        bundle = dict(self.view._repr_mimebundle_(**options) or {})
        return {**bundle, "text/plain": self.question}


def _announced(text: str) -> str:
    return f'<p role="status" aria-live="polite">{escape(text)}</p>'
