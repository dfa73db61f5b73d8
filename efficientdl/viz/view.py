"""What a panel shows at one setting: pictures, exact numbers, a sentence."""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from efficientdl import _check
from efficientdl.progress import ui_mode
from efficientdl.viz.figure import Figure
from efficientdl.viz.table import Table


@dataclass(frozen=True, slots=True)
class View:
    """Figures, a table and a sentence that say the same thing.

    Attributes:
        figure: One figure, several that stand side by side, or none.
        table: The exact numbers; those of the figures where it is None.
        text: What there is to see, in a sentence; it is read out when a control moves.
    """

    figure: Figure | Sequence[Figure] | None
    table: Table | None
    text: str

    def __post_init__(self) -> None:
        for figure in self.figures:
            _check.kind("View", "figure", figure, Figure)
        if self.table is not None:
            _check.kind("View", "table", self.table, Table)
        if not self.text.strip():
            _check.fail("View", "text", "must be a sentence", self.text)

    @property
    def figures(self) -> tuple[Figure, ...]:
        """The figures, however many."""
        if self.figure is None:
            return ()
        return (self.figure,) if isinstance(self.figure, Figure) else tuple(self.figure)

    @property
    def tables(self) -> tuple[Table, ...]:
        """The table, or those of the figures."""
        return (self.table,) if self.table else tuple(figure.table() for figure in self.figures)

    def __str__(self) -> str:
        return "\n\n".join([self.text, *map(str, self.tables)])

    def html(self) -> str:
        """The view as a static page: pictures, sentence, tables."""
        pictures = "".join(picture(figure) for figure in self.figures)
        tables = "".join(table.html() for table in self.tables)
        return f"<div>{pictures}</div><p>{escape(self.text, quote=False)}</p>{tables}"

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        mode = ui_mode()
        if mode == "live":
            from efficientdl.viz.live import LiveView

            return bundle(LiveView(self).box, str(self))
        if mode == "silent":
            return {"text/plain": str(self)}
        return {"text/plain": str(self), "text/html": self.html()}


def picture(figure: Figure) -> str:
    """A figure as an `<img>` that carries its SVG.

    Inline SVG is thrown away wherever pages distrust what they show, a notebook's stored output
    among them; an image with its alternative text is kept.
    """
    source = f"data:image/svg+xml;base64,{b64encode(figure.svg().encode()).decode()}"
    alt = escape(f"{figure.title}. {figure.alt}")
    return f'<img src="{source}" alt="{alt}" width="{figure.width}" height="{figure.height}"/>'


def bundle(box: Any, text: str) -> dict[str, Any]:  # noqa: ANN401
    """A widget, with the text for whoever cannot show it."""
    shown = box._repr_mimebundle_()
    return {**(shown[0] if isinstance(shown, tuple) else shown), "text/plain": text}
