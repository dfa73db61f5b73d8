"""What the course says, as text and as HTML that a screen reader can follow.

Every message stands in words: nothing is told by colour or position alone.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import zip_longest
from typing import Any

from efficientdl.progress import ui_mode

# Notebooks set table cells to the right, which tears the lines of an array apart.
_CELL = "text-align: left; vertical-align: top"
_LINES = "font-family: monospace; font-weight: normal; margin: 0; white-space: pre"


@dataclass(frozen=True)
class Card:
    """One message in two forms. A notebook shows the HTML, everything else the text."""

    text: str
    html: str

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        return {"text/plain": self.text, "text/html": self.html}

    def __repr__(self) -> str:
        return self.text


def show(card: object, *, text: str | None = None) -> None:
    """Show a card, or a widget with its text, in a notebook; print the text elsewhere.

    In grading (`EFFICIENTDL_UI=silent`) nothing is shown.
    """
    if ui_mode() == "silent":
        return
    if in_notebook():
        from IPython.display import display

        display(card)
    else:
        sys.stdout.write(f"{card if text is None else text}\n")


def in_notebook() -> bool:
    """Is this running in IPython, which can display more than text?"""
    ipython: Any = sys.modules.get("IPython")
    return ipython is not None and ipython.get_ipython() is not None


def status(*parts: str) -> str:
    """Parts of HTML as one block that a screen reader announces."""
    return f'<div role="status">{"".join(parts)}</div>'


def paragraph(text: str) -> str:
    """A paragraph of HTML; words between backquotes become code."""
    pieces = escape(text, quote=False).split("`")
    marked = [f"<code>{p}</code>" if i % 2 else p for i, p in enumerate(pieces)]
    return f"<p>{''.join(marked)}</p>" if len(pieces) % 2 else f"<p>{escape(text)}</p>"


def listed(first: str, items: Sequence[str], *last: str) -> Card:
    """A card of a line and a lettered list, with perhaps more lines below.

    >>> print(listed("Which?", ["this", "that"]))
    Which?
    a. this
    b. that
    """
    letters = [f"{chr(97 + i)}. {item}" for i, item in enumerate(items)]
    entries = "".join(f"<li>{escape(item, quote=False)}</li>" for item in items)
    html = [paragraph(first), f'<ol type="a">{entries}</ol>', *map(paragraph, last)]
    return Card("\n".join([first, *letters, *last]), status(*html))


def message(*lines: str) -> Card:
    """A card of plain lines."""
    return Card("\n".join(lines), status(*map(paragraph, lines)))


def table_html(caption: str, rows: Sequence[Sequence[str]]) -> str:
    """A table with a caption; the first row and the first column are headings."""
    head, *body = rows
    top = "".join(f'<th scope="col" style="{_CELL}">{escape(cell)}</th>' for cell in head)
    lines = "".join(
        f'<tr><th scope="row" style="{_CELL}">{_lines_html(row[0])}</th>'
        + "".join(f'<td style="{_CELL}">{_lines_html(cell)}</td>' for cell in row[1:])
        + "</tr>"
        for row in body
    )
    return (
        f"<table><caption>{escape(caption)}</caption>"
        f"<thead><tr>{top}</tr></thead><tbody>{lines}</tbody></table>"
    )


def _lines_html(cell: str) -> str:
    text = escape(cell)
    return f'<pre style="{_LINES}">{text}</pre>' if "\n" in cell else text


def table_text(rows: Sequence[Sequence[str]]) -> str:
    """A table as text; a cell may have several lines.

    >>> print(table_text([["input", "target"], ["x = 2", "4"]]))
    input  target
    -----  ------
    x = 2  4
    """
    split = [[cell.split("\n") for cell in row] for row in rows]
    columns = list(zip(*split, strict=True))
    widths = [max(len(line) for cell in column for line in cell) for column in columns]
    lines: list[str] = []
    for i, row in enumerate(split):
        for pieces in zip_longest(*row, fillvalue=""):
            padded = (piece.ljust(w) for piece, w in zip(pieces, widths, strict=True))
            lines.append("  ".join(padded).rstrip())
        if i == 0:
            lines.append("  ".join("-" * w for w in widths))
    return "\n".join(lines)
