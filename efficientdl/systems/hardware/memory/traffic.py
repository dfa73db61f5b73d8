"""Traffic: what each tile loads before it computes, and stores when it is done, by formula."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Int64

from efficientdl.systems.hardware.conv import Conv
from efficientdl.systems.hardware.dataflow.folds import Cut
from efficientdl.systems.hardware.gemm import Gemm
from efficientdl.systems.hardware.memory.tiling import Loop, Tiling, units

Counts = Int64[np.ndarray, " tiles"]
Indices = Int64[np.ndarray, " tiles"]


@dataclass(frozen=True)
class Traffic:
    """The tiles of a layer in the order in which they run.

    Attributes:
        group: To which group each tile belongs.
        index: Its place in each of the loops.
        loads: Words that must be in the buffer before it starts and are not there, by operand.
        stores: Words that leave the buffer when it is done: finished `y`, or `psum`.
    """

    group: Indices
    index: Mapping[Loop, Indices]
    loads: Mapping[str, Counts]
    stores: Mapping[str, Counts]

    @property
    def n_tiles(self) -> int:
        """Tiles of all groups."""
        return len(self.group)

    def words(self) -> dict[str, int]:
        """Words that DRAM moves, by operand."""
        moved = {"x": [self.loads["x"]], "weight": [self.loads["weight"]]}
        moved |= {"y": [self.stores["y"]], "psum": [self.loads["psum"], self.stores["psum"]]}
        words = {name: sum(int(n.sum()) for n in counts) for name, counts in moved.items()}
        return {name: n for name, n in words.items() if n or name != "psum"}


def traffic(layer: Gemm | Conv, tiling: Tiling) -> Traffic:
    """Count what each tile moves between DRAM and the buffer.

    A piece is loaded when the tile before used another one; one that is kept, when its group needs
    it for the first time. A sum is stored when the next tile adds to another one, and loaded again
    where more is added to it later; one that is kept leaves when it is finished.
    """
    (gemm,) = layer.gemms()
    cuts = cut(gemm, tiling)
    group, index = _walk(gemm.groups, cuts, tiling)
    at_m, at_k, at_n = (index[loop] for loop in Loop)
    sizes = {loop: np.fromiter(c, np.int64) for loop, c in cuts.items()}
    m, k, n = (sizes[loop][index[loop]] for loop in Loop)
    pixels, first_pixels = pixels_of(layer, tiling.m)
    seen, channels = first_pixels if "x" in tiling.kept else pixels, k // units(layer)[1]
    new_x = at_n == 0 if "x" in tiling.kept else _changes(group, at_m, at_k)
    new_weight = at_m == 0 if "weight" in tiling.kept else _changes(group, at_k, at_n)
    new_y, last = _changes(group, at_m, at_n), at_k == cuts[Loop.K].n - 1
    leaves, again = np.append(new_y[1:], True), new_y & (at_k > 0)
    if "y" in tiling.kept:
        leaves, again = last, np.zeros_like(last)
    return Traffic(
        group,
        index,
        loads={
            "x": np.where(new_x, seen[at_m] * channels, 0),
            "weight": np.where(new_weight, k * n, 0),
            "psum": np.where(again, m * n, 0),
        },
        stores={
            "y": np.where(leaves & last, m * n, 0),
            "psum": np.where(leaves & ~last, m * n, 0),
        },
    )


def cut(gemm: Gemm, tiling: Tiling) -> dict[Loop, Cut]:
    """How each loop is cut."""
    return {
        Loop.M: Cut(gemm.m, tiling.m),
        Loop.K: Cut(gemm.k, tiling.k),
        Loop.N: Cut(gemm.n, tiling.n),
    }


def places(layer: Gemm | Conv, tiling: Tiling) -> dict[str, int]:
    """Words of the buffer that each operand takes.

    An operand that is kept takes all its words of a group, and a piece more where another group
    follows; any other takes two pieces, or one where there is only one. A place is as large as the
    largest piece.

    >>> places(Gemm(8, 4, 6), Tiling(2, 4, 6))
    {'x': 16, 'weight': 24, 'y': 24}
    """
    (gemm,) = layer.gemms()
    n = {loop: c.n for loop, c in cut(gemm, tiling).items()}
    pixels, first_pixels = pixels_of(layer, tiling.m)
    taps = units(layer)[1]
    pieces = {
        "x": (n[Loop.M] * n[Loop.K], int(pixels.max()) * (tiling.k // taps)),
        "weight": (n[Loop.K] * n[Loop.N], tiling.k * tiling.n),
        "y": (n[Loop.M] * n[Loop.N], tiling.m * tiling.n),
    }
    all_words = {
        "x": int(first_pixels.sum()) * (gemm.k // taps),
        "weight": gemm.k * gemm.n,
        "y": gemm.m * gemm.n,
    }
    return {
        name: all_words[name] + (largest if gemm.groups > 1 else 0)
        if name in tiling.kept
        else min(2, gemm.groups * n_pieces) * largest
        for name, (n_pieces, largest) in pieces.items()
    }


def pixels_of(
    layer: Gemm | Conv, m: int
) -> tuple[Int64[np.ndarray, " parts"], Int64[np.ndarray, " parts"]]:
    """Words of one channel of x that each part of m rows needs, and those that none before needed.

    Windows of a convolution overlap, so that neighbouring parts need the same pixels.

    >>> every, new = pixels_of(Conv(c_in=1, h=6, w=6, c_out=1, kernel=3), m=8)
    >>> every.tolist(), new.tolist()  # two rows of windows look at four rows of six pixels
    ([24, 24], [24, 12])
    """
    if isinstance(layer, Gemm):
        sizes = np.fromiter(Cut(layer.m, m), np.int64)
        return sizes, sizes
    p, q = layer.outputs
    down, right = zip(*layer.pairs, strict=True)
    columns = len(np.setdiff1d(_seen(q, layer.w, right), -1))
    every, new = _rows(layer.batch, p, layer.h, down, m // q)
    return every * columns, new * columns


def _walk(
    groups: int, cuts: Mapping[Loop, Cut], tiling: Tiling
) -> tuple[Indices, dict[Loop, Indices]]:
    shape = (groups, *(cuts[loop].n for loop in tiling.order))
    group, *places = np.unravel_index(np.arange(int(np.prod(shape))), shape)
    return group, dict(zip(tiling.order, places, strict=True))


def _changes(*index: Indices) -> Bool[np.ndarray, " tiles"]:
    """Whether a tile has another piece than the tile before; the first one has."""
    differs = np.any([np.diff(places) != 0 for places in index], axis=0)
    return np.append(True, differs)


def _seen(n: int, side: int, geometry: tuple[int, ...]) -> Int64[np.ndarray, "n taps"]:
    """Lines of the input under each of n windows; -1 is padding."""
    kernel, stride, padding, dilation = geometry
    at = np.add.outer(np.arange(n) * stride, np.arange(kernel) * dilation) - padding
    return np.where((at >= 0) & (at < side), at, -1)


@lru_cache(maxsize=4096)
def _rows(
    batch: int, p: int, h: int, geometry: tuple[int, ...], rows: int
) -> tuple[Int64[np.ndarray, " parts"], Int64[np.ndarray, " parts"]]:
    """Rows of the input that each part of `rows` output rows sees, and those seen first."""
    seen, images = _seen(p, h, geometry), np.arange(batch)[:, None, None] * h
    lines = np.where(seen >= 0, seen + images, -1).reshape(batch * p, -1)
    part = np.repeat(np.arange(batch * p) // rows, lines.shape[1])
    at, all_rows, n_parts = lines.ravel(), batch * h, -(-batch * p // rows)
    pairs = np.unique(part[at >= 0] * all_rows + at[at >= 0])
    _, first = np.unique(pairs % all_rows, return_index=True)
    owner = pairs // all_rows
    return (
        np.bincount(owner, minlength=n_parts),
        np.bincount(owner[first], minlength=n_parts),
    )
