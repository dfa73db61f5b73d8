"""Pieces of the class page: tables, pictures with their numbers, text that others wrote."""

from collections.abc import Iterable, Sequence
from html import escape

from efficientdl.grading.report.quoting import clean, one_line
from efficientdl.viz.figure import Figure
from efficientdl.viz.view import picture

SHEET = """
header, main, footer { max-width: 66rem; }
section { margin: 0; }
h3 { margin: 2.5rem 0 .6rem; }
h4 { font-size: 1rem; color: var(--ink); margin: 0; overflow-wrap: anywhere; }
.lead { color: var(--soft); max-width: 48rem; }
.facts { display: flex; flex-wrap: wrap; gap: .6rem 2.5rem; margin: 1.5rem 0 0; }
.facts div { display: flex; flex-direction: column-reverse; }
.facts dd { font-size: 2.1rem; line-height: 1.1; font-weight: 680; letter-spacing: -.02em;
  font-variant-numeric: tabular-nums; }
.facts dt { font-size: .85rem; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: .9rem;
  padding: 1rem 1.5rem; margin: .8rem 0; }
.card img { display: block; margin: 0 auto; max-width: 100%; height: auto; border-radius: .5rem;
  background: #fff; }
.card p { max-width: 48rem; }
.pair table { table-layout: fixed; min-width: 34rem; margin-top: .9rem; }
.pair td { padding: .6rem .5rem .6rem 0; }
.pair pre { background: var(--code); border-radius: .5rem; padding: .6rem .7rem; font-size: .78rem;
  white-space: pre-wrap; overflow-wrap: anywhere; }
mark { background: var(--part-tint); color: var(--ink); }
.figures td { white-space: nowrap; }
.figures th[scope="row"] { min-width: 12rem; }
.words th[scope="row"] { min-width: 15rem; overflow-wrap: anywhere; }
.counts th[scope="row"] { min-width: 13rem; }
.words td { min-width: 14rem; overflow-wrap: anywhere; }
.counts td, .counts thead th + th { text-align: right; padding: .5rem .5rem; }
@media (max-width: 36rem) {
  .card { padding: .8rem 1rem; }
  .facts { display: grid; grid-template-columns: 1fr 1fr; }
  .words th[scope="row"] { min-width: 8rem; }
}
@media print { .card { border-radius: 0; border-width: 1px 0 0; padding: .6rem 0;
  break-inside: avoid; } }
"""


def text(value: object) -> str:
    """One line of text that somebody else wrote, as HTML."""
    return escape(one_line(str(value))) or "(no name)"


def said(value: str) -> str:
    """A name, kept from turning the direction of what stands around it."""
    return f"<bdi>{text(value)}</bdi>"


def code_line(line: str) -> str:
    """One line of an answer as HTML, its spaces kept."""
    return escape(clean(line, longest=200, lines=1))


def table(caption: str, head: Sequence[str], rows: Iterable[Sequence[str]], kind: str = "") -> str:
    """A table of cells that are HTML already; the first of each row is its heading."""
    top = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in head)
    body = "".join(
        f'<tr><th scope="row">{first}</th>{"".join(f"<td>{cell}</td>" for cell in rest)}</tr>'
        for first, *rest in rows
    )
    return (
        f'<div class="scroll {kind}" role="region" aria-label="{escape(caption)}" tabindex="0">'
        f"<table><caption>{escape(caption)}</caption>"
        f"<thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def drawn(figure: Figure) -> str:
    """A picture, its sentence, and its numbers as a table that can be opened."""
    return (
        f'<div class="card">{picture(figure)}<p>{escape(figure.alt, quote=False)}</p>'
        f'<details><summary>The same as a table</summary><div class="scroll">'
        f"{figure.table().html()}</div></details></div>"
    )


def percent(share: float) -> str:
    """A share as a whole percentage.

    >>> percent(0.955)
    '96 %'
    """
    return f"{100 * share:.0f} %"


def signed(value: float | None) -> str:
    """A figure between -1 and 1 with its sign, or that there is none.

    >>> signed(-0.25), signed(None)
    ('-0.25', 'none')
    """
    return "none" if value is None else f"{value:+.2f}"
