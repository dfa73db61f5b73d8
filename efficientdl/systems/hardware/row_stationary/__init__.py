"""Row stationary: Eyeriss's dataflow, with its mapping, in closed form and cycle by cycle.

`mapping.py` says how a convolution is cut and laid out on the array, `passes.py` counts what one
such part takes, `formula.py` a layer, and `search.py` finds the mapping with the fewest cycles.
`simulate.py` runs the layer on the array of `engine.py`, in which every word moves from one of its
`registers.py` to another; `eyeriss.py` holds the chip's published tables against both.
"""

from efficientdl.systems.hardware.row_stationary.eyeriss import (
    ALEXNET,
    VGG16,
    Published,
    eyeriss_table,
)
from efficientdl.systems.hardware.row_stationary.formula import as_conv, row_stationary
from efficientdl.systems.hardware.row_stationary.mapping import (
    EYERISS_UNIT,
    Held,
    RowMapping,
    RowUnit,
    held,
    n_active,
)
from efficientdl.systems.hardware.row_stationary.search import map_rows
from efficientdl.systems.hardware.row_stationary.simulate import simulate_rows

__all__ = [
    "RowMapping",
    "RowUnit",
    "EYERISS_UNIT",
    "Held",
    "held",
    "n_active",
    "map_rows",
    "row_stationary",
    "as_conv",
    "simulate_rows",
    "Published",
    "ALEXNET",
    "VGG16",
    "eyeriss_table",
]
