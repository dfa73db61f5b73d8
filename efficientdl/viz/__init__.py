"""Pictures that everyone can read, and controls that everyone can move.

A `Figure` is data: arrays go in, and it comes out as SVG, as plotly's, and as a table. A
`Panel` puts at most three controls on a pure function from their values to a `View`: figures, a
table, a sentence. `figures` has the pictures that the labs share. Nothing here imports torch,
and nothing imports plotly or widgets before something live is shown.
"""

from efficientdl.viz import figures
from efficientdl.viz.bar import use_widgets
from efficientdl.viz.controls import Choice, Control, Slider, Toggle
from efficientdl.viz.figure import Axis, Figure
from efficientdl.viz.panel import Panel
from efficientdl.viz.series import Bars, Heatmap, Histogram, HLine, Line, Points, Series, VLine
from efficientdl.viz.show import show
from efficientdl.viz.table import Table
from efficientdl.viz.view import View

__all__ = [
    "Figure",
    "Axis",
    "Line",
    "Points",
    "Bars",
    "Histogram",
    "Heatmap",
    "HLine",
    "VLine",
    "Series",
    "Table",
    "View",
    "Panel",
    "Slider",
    "Choice",
    "Toggle",
    "Control",
    "figures",
    "show",
    "use_widgets",
]

use_widgets()
