"""The cells of a heat map: the colour of each, and what is written in it."""

from efficientdl.viz.palette import shade
from efficientdl.viz.series import Heatmap
from efficientdl.viz.ticks import number_text


def shades(series: Heatmap) -> list[list[str]]:
    """The colour of each cell, from the least value (dark) to the largest (light)."""
    flat = [value for row in series.values for value in row]
    low, span = min(flat), (max(flat) - min(flat)) or 1.0
    return [[shade((value - low) / span) for value in row] for row in series.values]


def cell_labels(series: Heatmap) -> list[list[str]]:
    """What is written in each cell."""
    if series.labels:
        return [list(row) for row in series.labels]
    return [[number_text(value) for value in row] for row in series.values]
