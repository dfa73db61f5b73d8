"""A figure as plotly's own object, for whoever wants to work on it with plotly.

Plotly is imported when a figure is first turned into one, not before.
"""

from typing import TYPE_CHECKING, Any

from efficientdl.viz.plotly_spec import spec

if TYPE_CHECKING:
    from efficientdl.viz.figure import Figure


def plotly_figure(figure: "Figure") -> Any:  # noqa: ANN401  # naming the type would import plotly
    """A `plotly.graph_objects.Figure`."""
    from plotly import graph_objects

    traces, layout = spec(figure)
    return graph_objects.Figure(data=traces, layout={**layout, "template": "none"})
