"""Showing figures: where a notebook looks, or as text where there is none."""

import sys

from efficientdl import _check
from efficientdl.progress import ui_mode
from efficientdl.viz.figure import Figure
from efficientdl.viz.panel import Panel
from efficientdl.viz.view import View


def show(*figures: Figure | View | Panel, text: str = "") -> None:
    """Show figures side by side, or one view or panel, in the face that fits the place.

    Live they are plotly's, with their numbers below; static a picture, a sentence and a table.
    Outside a notebook the sentence and the table are printed. In grading nothing is shown.

    Args:
        figures: What to show.
        text: What there is to see; the figures' own sentences where it is empty.
    """
    if not figures:
        _check.fail("show", "figures", "must be at least one", figures)
    if ui_mode() == "silent":
        return
    shown = _shown(figures, text)
    ipython = sys.modules.get("IPython")
    if ipython is not None and ipython.get_ipython() is not None:
        from IPython.display import display

        display(shown)
    else:
        sys.stdout.write(f"{shown}\n")


def _shown(figures: tuple[Figure | View | Panel, ...], text: str) -> View | Panel:
    if len(figures) == 1 and isinstance(figures[0], View | Panel):
        return figures[0]
    plain: list[Figure] = []
    for figure in figures:
        if not isinstance(figure, Figure):
            _check.kind("show", "figures", figure, Figure)
        else:
            plain.append(figure)
    return View(tuple(plain), None, text or " ".join(figure.alt for figure in plain))
