"""A convolution whose schedule is an argument: a product that reads its patches where they lie.

An output is a row of a matrix, a filter a column, and a tap of all channels a step. The matrix of
patches is never built: a step's element stands at the output's corner in the padded input, plus
the tap's distance from the corner.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from efficientdl import _check
from efficientdl.kernels.compiled import compiled
from efficientdl.kernels.scheduled.columns import (
    PackedColumns,
    demand_matrix,
    demand_width,
    pack_columns,
)
from efficientdl.kernels.scheduled.matmul import multiply
from efficientdl.kernels.scheduled.schedule import Schedule
from efficientdl.kernels.threads import deal, threads
from efficientdl.report import Cost

Images = Float32[np.ndarray, "n c h w"]
_PIXELS = 16  # a cache line of an output channel


@dataclass(frozen=True, eq=False)
class PackedFilters:
    """Filters in panels.

    Attributes:
        columns: A filter in each column, a tap of a channel in each row.
        c_in: Channels of the input.
        r: Rows of a filter.
        s: Columns of a filter.
    """

    columns: PackedColumns
    c_in: int
    r: int
    s: int

    def __post_init__(self) -> None:
        _check.kind("PackedFilters", "columns", self.columns, PackedColumns)
        for name in ("c_in", "r", "s"):
            _check.whole("PackedFilters", name, getattr(self, name), 1)
        if self.c_in * self.r * self.s != self.columns.k:
            rule = f"must be {self.c_in} x {self.r} x {self.s}"
            _check.fail("PackedFilters", "rows of columns", rule, self.columns.k)


def pack_filters(
    weight: Float32[np.ndarray, "c_out c_in r s"], schedule: Schedule
) -> PackedFilters:
    """Put filters into panels as wide as a schedule wants them.

    Args:
        weight: The filters.
        schedule: How they will be used.

    >>> schedule = Schedule("mnk", 64, 64, 64, inner=(1, 1), unroll=1)
    >>> pack_filters(np.ones((20, 3, 5, 5), np.float32), schedule).columns.panels.shape
    (2, 75, 16)
    """
    demand_matrix("pack_filters", "weight", weight, 4)
    c_out, c_in, r, s = weight.shape
    return PackedFilters(pack_columns(weight.reshape(c_out, -1).T, schedule), c_in, r, s)


def scheduled_conv2d(
    x: Images, weight: PackedFilters, schedule: Schedule, *, stride: int = 1, padding: int = 0
) -> Float32[np.ndarray, "n c_out p q"]:
    """Convolve with loops cut and ordered as the schedule says.

    Args:
        x: Images.
        weight: What `pack_filters` has made for a schedule with panels of this width.
        schedule: How. Its m is outputs, n filters, k taps of channels.
        stride: Rows and columns from one output to the next.
        padding: Rows and columns of zeros around each image.

    Raises:
        BadKind: An argument is of another kind.
        BadValue: The shapes do not fit, or the weight's panels the schedule.

    >>> schedule = Schedule("nkm", 16, 16, 16, inner=(2, 1), unroll=1)
    >>> weight = pack_filters(np.ones((1, 1, 2, 2), np.float32), schedule)
    >>> scheduled_conv2d(np.float32([[[[1, 2, 3], [4, 5, 6]]]]), weight, schedule)
    array([[[[12., 16.]]]], dtype=float32)

    Source: Georganas et al., "Anatomy of High-Performance Deep Learning Convolutions on SIMD
        Architectures", SC 2018; survey section 6.1; lab 13.
    """
    _demand("scheduled_conv2d", x, weight, stride, padding)
    _check.kind("scheduled_conv2d", "schedule", schedule, Schedule)
    demand_width("scheduled_conv2d", weight.columns, schedule)
    padded = _padded(x, padding)
    n, c_in, h, w = padded.shape
    p, q = (h - weight.r) // stride + 1, (w - weight.s) // stride + 1
    bases = _places((n, p, q), (c_in * h * w, stride * w, stride))
    offsets = _places((c_in, weight.r, weight.s), (h * w, w, 1))
    rows = multiply(padded, bases, offsets, weight.columns, schedule)
    y = np.empty((n, weight.columns.n, p, q), np.float32)
    n_pixels = p * q
    with threads(schedule.threads):
        n_tiles = -(-n_pixels // _PIXELS)
        deal(_to_channels, n_tiles, rows, y.reshape(n, weight.columns.n, n_pixels))
    return y


def _padded(x: Images, padding: int) -> Images:
    """Images with zeros around them, contiguous."""
    if padding == 0:
        return np.ascontiguousarray(x)
    n, c, h, w = x.shape
    padded = np.zeros((n, c, h + 2 * padding, w + 2 * padding), np.float32)
    padded[:, :, padding : padding + h, padding : padding + w] = x
    return padded


def _places(lengths: tuple[int, int, int], steps: tuple[int, int, int]) -> np.ndarray:
    """Where each of a box of elements stands, in order."""
    axes = (np.arange(n, dtype=np.int64) * step for n, step in zip(lengths, steps, strict=True))
    return sum(np.ix_(*axes), start=np.int64(0)).reshape(-1)


@compiled
def _to_channels(first, last, rows, y):
    """Rows of pixels into channels of images, for some pixels of every image."""
    n, c_out, n_pixels = y.shape
    for b in range(n):
        for tile in range(first, last):
            start, stop = tile * _PIXELS, min(tile * _PIXELS + _PIXELS, n_pixels)
            for j in range(c_out):
                for i in range(start, stop):
                    y[b, j, i] = rows[b * n_pixels + i, j]


def scheduled_conv2d_reference(
    x: Images, weight: PackedFilters, schedule: Schedule, *, stride: int = 1, padding: int = 0
) -> Float32[np.ndarray, "n c_out p q"]:
    """`scheduled_conv2d` in NumPy: each output's patch times the filters."""
    _demand("scheduled_conv2d_reference", x, weight, stride, padding)
    _check.kind("scheduled_conv2d_reference", "schedule", schedule, Schedule)
    patches = np.lib.stride_tricks.sliding_window_view(
        _padded(x, padding), (weight.r, weight.s), axis=(2, 3)
    )
    patches = patches[:, :, ::stride, ::stride]
    filters = weight.columns.matrix().reshape(weight.c_in, weight.r, weight.s, -1)
    found = np.einsum("ncpqrs,crsd->ndpq", patches.astype(np.float64), filters, optimize=True)
    return found.astype(np.float32)


def scheduled_conv2d_cost(
    x: tuple[int, int, int, int],
    weight: PackedFilters,
    schedule: Schedule,
    *,
    stride: int = 1,
    padding: int = 0,
) -> Cost:
    """Cost of the convolution: what a schedule rounds up is counted, since it is computed.

    Args:
        x: Shape of the images.
        weight: The filters.
        schedule: How.
        stride: Rows and columns from one output to the next.
        padding: Rows and columns of zeros around each image.
    """
    n, c_in, h, w = x
    p = (h + 2 * padding - weight.r) // stride + 1
    q = (w + 2 * padding - weight.s) // stride + 1
    m, panels = n * p * q, weight.columns.panels
    return Cost(
        params=weight.columns.k * weight.columns.n,
        macs=-(-m // schedule.rows) * schedule.rows * panels.size,
        weight_bits=8 * panels.nbytes,
        traffic_bytes=4 * (n * c_in * h * w + panels.size + m * weight.columns.n),
    )


def _demand(caller: str, x: object, weight: object, stride: int, padding: int) -> None:
    demand_matrix(caller, "x", x, 4)
    _check.kind(caller, "weight", weight, PackedFilters)
    _check.whole(caller, "stride", stride, 1)
    _check.whole(caller, "padding", padding, 0)
    assert isinstance(x, np.ndarray)
    assert isinstance(weight, PackedFilters)
    if x.shape[1] != weight.c_in:
        _check.fail(caller, "channels of x", f"must be the weight's {weight.c_in}", x.shape[1])
    if x.shape[2] + 2 * padding < weight.r or x.shape[3] + 2 * padding < weight.s:
        rule = f"must have room for filters of {weight.r} x {weight.s}"
        _check.fail(caller, "x with its padding", rule, x.shape)
