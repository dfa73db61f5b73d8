"""Lab 13's panel of a real laser scan: how empty space is."""

from functools import cache

import numpy as np

from efficientdl import datasets
from efficientdl.kernels.points import cube, kernel_map_by_sorting
from efficientdl.viz import Axis, Figure, Heatmap, Panel, Slider, Table, View

_TILES, _WITHIN = 40, 30  # squares of the picture's side; how far from the scanner, in metres


@cache
def _places() -> np.ndarray:
    return datasets.load("vlp16").xyz.numpy()


@cache
def counted(size: float) -> tuple[np.ndarray, int, int]:
    """The cells that hold a point, the cells of the box around them, and pairs of neighbours."""
    cells = np.unique(np.floor(_places() / np.float32(size)).astype(np.int32), axis=0)
    box = int(np.prod(np.ptp(cells, axis=0).astype(np.int64) + 1))
    return cells, box, len(kernel_map_by_sorting(cells, cells, cube(3, 3)).inputs)


def _scan(size: float) -> View:
    cells, box, pairs = counted(size)
    text = (
        f"With cells of {size:.1f} m the scan's {len(_places()):,} points fill {len(cells):,} of "
        f"{box:,} cells, {100 * len(cells) / box:.2g} %. A cell has {pairs / len(cells):.1f} of 27 "
        "neighbours, itself among them."
    )
    edges = np.linspace(-_WITHIN, _WITHIN, _TILES + 1)
    seen, *_ = np.histogram2d(cells[:, 1] * size, cells[:, 0] * size, bins=[edges, edges])
    metres = tuple(f"{edge:.0f}" if i % 8 == 0 else "" for i, edge in enumerate(edges[:-1]))
    figure = Figure(
        f"The scan from above, up to {_WITHIN} m away",
        Axis("to the front", "m", categories=metres),
        Axis("to the left", "m", categories=metres[::-1]),
        (Heatmap("full cells (log)", np.log1p(seen)[::-1], [[""] * _TILES] * _TILES),),
        alt=text,
        width=460,
        height=440,
    )
    rows = (
        ("points", len(_places())),
        ("full cells", len(cells)),
        ("cells of the box", box),
        ("neighbours of a cell", pairs / len(cells)),
        ("MACs of a dense convolution, of a sparse one", 27 * box / pairs),
    )
    return View(figure, Table("How empty space is", ("figure", "value"), rows), text)


def scan() -> Panel:
    """A real laser scan from above, cut into cells of any size."""
    controls = {"size": Slider("Side of a cell", 0.2, 2.0, value=0.4, step=0.2, unit="m")}
    return Panel(_scan, controls, title="How empty is space?", stops={"size": (0.2, 2.0)})
