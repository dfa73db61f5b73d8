"""Lab 13's panel of layouts: a corner of a real layer, and the order of its values in memory."""

from functools import cache

import numpy as np

from efficientdl import models
from efficientdl.viz import Axis, Choice, Figure, Heatmap, Panel, Slider, Table, View

_M, _K, _LEFT = 8, 16, 400  # rows and columns of the corner, and where it begins
_BLOCK, _HEIGHT, _OF = 8, 4, 4
VALUE, INDEX, SHORT = 4, 4, 2  # bytes of a value, of an index, and of a place within a block


@cache
def corner() -> np.ndarray:
    """Eight rows and sixteen columns of the first layer of LeNet-300-100."""
    weight = models.trained("lenet_300_100_mnist").get_parameter("fc1.weight").detach().numpy()
    return weight[:_M, _LEFT : _LEFT + _K].astype(np.float64)


def _largest(size: np.ndarray, kept: int) -> np.ndarray:
    """The given percentage of the entries, the largest; one at least."""
    n = max(1, round(size.size * kept / 100))
    mask = np.zeros(size.size, np.bool_)
    mask[np.argsort(-size, axis=None, kind="stable")[:n]] = True
    return mask.reshape(size.shape)


def dense(_: int) -> tuple[np.ndarray, float]:
    """All values, row by row, and no places."""
    return np.ones((_M, _K), np.bool_), 0.0


def compressed_rows(kept: int) -> tuple[np.ndarray, float]:
    """An index for each value, and where each row begins."""
    mask = _largest(np.abs(corner()), kept)
    return mask, INDEX * (mask.sum() + _M + 1)


def blocks(kept: int) -> tuple[np.ndarray, float]:
    """A short place for each value, and where each row of each block begins."""
    mask = _largest(np.abs(corner()), kept)
    return mask, SHORT * mask.sum() + INDEX * (_M * _K // _BLOCK + 1)


def vectors(kept: int) -> tuple[np.ndarray, float]:
    """A short place for four values, and where each group of rows begins."""
    size = np.linalg.norm(corner().reshape(-1, _HEIGHT, _K), axis=1)
    mask = _largest(size, kept)
    places = SHORT * mask.sum() + INDEX * (len(size) + 1)
    return mask.repeat(_HEIGHT, axis=0), places


def two_of_four(_: int) -> tuple[np.ndarray, float]:
    """Two bits for each value, and nothing else: every group has as many."""
    size = np.abs(corner()).reshape(_M, -1, _OF)
    mask = np.argsort(np.argsort(-size, axis=2), axis=2) < _OF // 2
    return mask.reshape(_M, _K), mask.sum() * 2 / 8


LAYOUTS = {
    "dense": dense,
    "compressed rows": compressed_rows,
    "blocks of columns": blocks,
    "four rows share": vectors,
    "2:4": two_of_four,
}


def order(name: str, mask: np.ndarray) -> list[tuple[int, int]]:
    """The entries that are kept, in the order in which they lie in memory."""
    keys = {
        "blocks of columns": lambda at: (at[1] // _BLOCK, at),
        "four rows share": lambda at: (at[0] // _HEIGHT, at[1], at[0]),
    }
    entries = [(int(row), int(column)) for row, column in zip(*mask.nonzero(), strict=True)]
    return sorted(entries, key=keys.get(name, lambda at: at))


def _layouts(layout: str, kept: int) -> View:
    mask, places = LAYOUTS[layout](kept)
    n = int(mask.sum())
    text = (
        f"{layout}: {n} of {mask.size} values, {VALUE * n} bytes, and {places:g} bytes for their "
        f"places: {(VALUE * n + places) / n:.1f} bytes a value. Dense: {VALUE * mask.size} bytes."
    )
    labels = [[""] * _K for _ in range(_M)]
    for number, (row, column) in enumerate(order(layout, mask)):
        labels[row][column] = str(number)
    figure = Figure(
        f"{layout}: the order in memory",
        Axis("column", categories=tuple(map(str, range(_K)))),
        Axis("row", categories=tuple(map(str, range(_M)))),
        (Heatmap("size of the weight", np.where(mask, np.abs(corner()), 0.0), labels),),
        alt=text,
        height=330,
    )
    rows = []
    for name, make in LAYOUTS.items():
        held, bytes_of_places = make(kept)
        m = int(held.sum())
        total = VALUE * m + bytes_of_places
        rows.append((name, m, VALUE * m, float(bytes_of_places), float(total), float(total / m)))
    head = ("layout", "values", "bytes of values", "of places", "of both", "bytes a value")
    return View(figure, Table("Five ways to write a matrix", head, tuple(rows)), text)


def layouts() -> Panel:
    """A corner of a real layer in five layouts; a number says when its value comes in memory."""
    controls = {
        "layout": Choice("Layout", tuple(LAYOUTS), value="compressed rows"),
        "kept": Slider("Weights kept", 10, 100, value=30, step=10, unit="%"),
    }
    stops = {"layout": ("blocks of columns", "four rows share", "2:4")}
    return Panel(_layouts, controls, title="How is a matrix with holes written?", stops=stops)
