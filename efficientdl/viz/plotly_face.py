"""The live face of a figure: plotly's, updated in place.

Plotly is imported when a figure is first shown, not before. Its bar of buttons stays away: it
adds a dozen stops for the tab key, and one of its buttons sends data out.
"""

from functools import cache
from typing import TYPE_CHECKING, Any

from efficientdl.viz.plotly_spec import spec

if TYPE_CHECKING:
    from efficientdl.viz.figure import Figure

CONFIG = {"displayModeBar": False, "displaylogo": False, "scrollZoom": False}


def plotly_figure(figure: "Figure") -> Any:  # noqa: ANN401  # naming the type would import plotly
    """A `plotly.graph_objects.Figure`."""
    from plotly import graph_objects

    traces, layout = spec(figure)
    return graph_objects.Figure(data=traces, layout={**layout, "template": "none"})


def widget(figure: "Figure") -> Any:  # noqa: ANN401
    """A `plotly.graph_objects.FigureWidget`, for a kernel with a front end."""
    traces, layout = spec(figure)
    made = _whole_widget()(data=traces, layout={**layout, "template": "none"})
    made._config = CONFIG
    made.whole = True
    made.open()
    return made


@cache
def _whole_widget() -> Any:  # noqa: ANN401
    """A figure widget that speaks to the front end once it has its data, and not before.

    Plotly's own opens its channel empty and fills it afterwards. A front end that draws in between
    draws nothing, and is told of the data only where they change.
    """
    from plotly import graph_objects

    class Whole(graph_objects.FigureWidget):
        whole = False

        def open(self) -> None:
            if self.whole:
                super().open()

    return Whole


def update(made: Any, figure: "Figure") -> None:  # noqa: ANN401
    """Turn a figure widget into another figure, in place."""
    traces, layout = spec(figure)
    with made.batch_update():
        if [trace.type for trace in made.data] != [trace["type"] for trace in traces]:
            made.data = ()
            made.add_traces(traces)
        else:
            for trace, new in zip(made.data, traces, strict=True):
                trace.update(new)
        made.layout.update(layout)
