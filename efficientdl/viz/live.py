"""The live face of views and panels: widgets put together, none of them subclassed.

A `VBox` of one's own breaks in ways that are hard to see (`log`, for one, is a trait of every
widget), so these are plain classes that hold a `box` and keep it up to date.
"""

from functools import partial
from html import escape
from typing import TYPE_CHECKING, Any

import ipywidgets

from efficientdl.viz.controls import Slider
from efficientdl.viz.plotly_widget import LabFigure
from efficientdl.viz.view import View
from efficientdl.viz.widgets import LabControl, LabStatus

if TYPE_CHECKING:
    from efficientdl.viz.panel import Panel

_WRAP = {"flex_flow": "row wrap"}


class LiveView:
    """A view on the screen: sentence, figures, tables.

    Attributes:
        box: The widget to show.
        status: The sentence, and what went wrong.
        figures: A figure widget each.
        numbers: The tables.
    """

    def __init__(self, view: View) -> None:
        self.status = LabStatus()
        self.figures: list[LabFigure] = []
        self.numbers = ipywidgets.HTML()
        self._row = ipywidgets.HBox(layout=_WRAP)
        self.box = ipywidgets.VBox([self.status, self._row, self.numbers])
        self.update(view)

    def update(self, view: View) -> None:
        """Show another view, each figure changed in place."""
        if len(view.figures) == len(self.figures):
            for made, figure in zip(self.figures, view.figures, strict=True):
                made.show(figure)
        else:
            self.figures = [LabFigure(figure) for figure in view.figures]
            self._row.children = tuple(self.figures)
        tables = "".join(table.html() for table in view.tables)
        shown = "" if view.figures else " open"  # a table without a picture is the picture
        self.numbers.value = f"<details{shown}><summary>The numbers</summary>{tables}</details>"
        self.status.text = view.text
        self.status.alert = ""


class LivePanel:
    """A panel on the screen: its controls, and the view that they move.

    Attributes:
        box: The widget to show.
        controls: The control widgets, by name.
        view: The live view below them.
    """

    def __init__(self, panel: "Panel") -> None:
        self.panel = panel
        self.controls: dict[str, LabControl] = {
            name: control.widget() for name, control in panel.controls.items()
        }
        self._follow(panel.state)
        self.view = LiveView(panel.view)
        title = ipywidgets.HTML(f"<b>{escape(panel.title)}</b>")
        moved = ipywidgets.HBox(list(self.controls.values()), layout=_WRAP)
        self.box = ipywidgets.VBox([title, moved, self.view.box])
        for widget in self.controls.values():
            widget.observe(self._moved, names="value")
        self._listen()

    def _listen(self) -> None:
        """Hear clicks on the points that move a slider."""
        for series, control in self.panel.clicks.items():
            for figure in self.view.figures:
                figure.hear_clicks(series, partial(self._clicked, control))

    def _clicked(self, control: str, point: int) -> None:
        slider = self.panel.controls[control]
        assert isinstance(slider, Slider)
        self.panel.set(**{control: slider.clamped(slider.low + point * slider.step)})

    def _moved(self, _: object) -> None:
        self.panel.set(**{name: widget.chosen for name, widget in self.controls.items()})

    def _follow(self, state: dict[str, Any]) -> None:
        """Put the controls where the state is."""
        for name, widget in self.controls.items():
            widget.choose(state[name])

    def refresh(self) -> None:
        """Show the panel's state. An error is told where the learner looks, and then raised."""
        for widget in self.controls.values():
            widget.unobserve(self._moved, names="value")
        try:
            self._follow(self.panel.state)
        finally:
            for widget in self.controls.values():
                widget.observe(self._moved, names="value")
        self.view.status.busy = True
        try:
            self.view.update(self.panel.view)
        except Exception as error:
            self.view.status.alert = (
                f"{type(error).__name__}: {error} (at {self.panel.setting}; "
                "the picture still shows the setting before)"
            )
            raise
        finally:
            self.view.status.busy = False
        self._listen()
