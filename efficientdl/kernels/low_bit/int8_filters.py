"""Filters of bytes as the int8 convolution wants them: packed once, and checked once."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int8, Int32

from efficientdl import _check
from efficientdl.kernels.arrays import demand_array
from efficientdl.kernels.simd import aligned

PANEL, LANES, DEPTH = 32, 16, 4
LARGEST_SUM = 2**31 - 1
Shape4 = tuple[int, int, int, int]


@dataclass(frozen=True, eq=False)
class Int8Filters:
    """Filters in int8, as `pack_filters` makes them.

    Attributes:
        codes: Weights by panels of 32 filters, four bytes deep; depthwise ones by 16 channels.
        columns: `sum (w - z_w)` of each filter, zeros where a panel is not full.
        shape: `c_out, c_in of a group, r, s`.
        groups: Into how many groups the channels fall.
        copies: How many bytes a weight has: more than one where zero points make it need them.
        farthest: How far from the code of zero an input's code may be.
    """

    codes: Int8[np.ndarray, " bytes"]
    columns: Int32[np.ndarray, " width"]
    shape: Shape4
    groups: int
    copies: int
    farthest: int = 255

    def __post_init__(self) -> None:
        for number in (*self.shape, self.groups, self.copies):
            _check.whole("Int8Filters", "shape, groups and copies", number, 1)
        wanted = {
            "codes": (np.dtype(np.int8), (self.width * self.depth,)),
            "columns": (np.dtype(np.int32), (self.width,)),
        }
        for name, (dtype, shape) in wanted.items():
            array = getattr(self, name)
            _check.kind("Int8Filters", name, array, np.ndarray)
            if (array.dtype, array.shape) != (dtype, shape) or not array.flags.c_contiguous:
                rule = f"must be {dtype} of shape {shape}, in one piece"
                _check.fail("Int8Filters", name, rule, (array.dtype.name, array.shape))
            array.flags.writeable = False

    @property
    def depthwise(self) -> bool:
        """Whether every filter has a channel to itself."""
        return self.shape[1] == 1 and self.groups > 1

    @property
    def per_group(self) -> int:
        """Filters of a group."""
        return self.shape[0] // self.groups

    @property
    def channel_words(self) -> int:
        """Words of four bytes that hold a pixel's channels of a group."""
        return -(-self.shape[1] // DEPTH)

    @property
    def width(self) -> int:
        """Filters with those that fill up panels."""
        if self.depthwise:
            return -(-self.shape[0] // LANES) * LANES
        return self.groups * self.n_panels * PANEL

    @property
    def n_panels(self) -> int:
        """Panels of a group."""
        return -(-self.per_group // PANEL)

    @property
    def depth(self) -> int:
        """Bytes of one filter."""
        _, _, r, s = self.shape
        if self.depthwise:
            return s * -(-r * self.copies // DEPTH) * DEPTH
        return self.copies * r * s * self.channel_words * DEPTH

    def by_column(self, array: np.ndarray, fill: float = 0) -> np.ndarray:
        """One number for each filter, in the order of the panels.

        >>> filters = pack_filters(np.ones((2, 3, 1, 1), np.int8))
        >>> filters.by_column(np.float32([5, 7]))[:4]
        array([5., 7., 0., 0.], dtype=float32)
        """
        out = aligned(self.width, array.dtype)
        groups = 1 if self.depthwise else self.groups
        rows = out.reshape(groups, -1)
        rows[...] = fill
        rows[:, : self.shape[0] // groups] = array.reshape(groups, -1)
        return out


def pack_filters(
    weight: Int8[np.ndarray, "c_out c_in r s"],
    zero_points: Int32[np.ndarray, " c_out"] | None = None,
    *,
    groups: int = 1,
    farthest: int = 255,
) -> Int8Filters:
    """Put int8 filters into panels, and add them up.

    What is packed is the steps `w - z_w`. Where a zero point lets one leave a byte, each becomes
    the sum of two or three bytes, which meet the same input: filters are deeper, and no product
    has to know of zero points.

    Args:
        weight: The codes, a filter for each output.
        zero_points: The code of zero in each filter; all are 0 where there is none.
        groups: Into how many groups the channels fall.
        farthest: How far from the code of zero an input's code may be, 1 to 255.

    Raises:
        BadKind: The weight is not int8, or the zero points are not int32.
        BadValue: A shape does not fit, or a sum could leave 32 bits.

    >>> filters = pack_filters(np.ones((5, 3, 2, 2), np.int8))
    >>> filters.columns[:6].tolist(), filters.width, filters.depth
    ([12, 12, 12, 12, 12, 0], 32, 16)
    """
    _demand(weight, zero_points, groups)
    _check.whole("pack_filters", "farthest", farthest, 1, 255)
    zeros = np.zeros(len(weight), np.int32) if zero_points is None else zero_points
    steps = weight.astype(np.int32) - zeros[:, None, None, None]
    largest = farthest * int(np.abs(steps.astype(np.int64)).sum(axis=(1, 2, 3)).max())
    if largest > LARGEST_SUM:
        rule = f"must be so small that {farthest} times a filter's magnitudes is below 2**31"
        _check.fail("pack_filters", "weight", rule, largest)
    copies = _in_bytes(steps)
    shape = (weight.shape[0], weight.shape[1], weight.shape[2], weight.shape[3])
    depthwise = shape[1] == 1 and groups > 1
    codes = _by_channel(copies) if depthwise else _by_panel(copies, groups)
    width = codes.size // codes.shape[-1]
    columns = aligned(width, np.int32)
    sums = steps.sum(axis=(1, 2, 3), dtype=np.int32)
    rows = columns.reshape(1 if depthwise else groups, -1)
    rows[:, : sums.size // len(rows)] = sums.reshape(len(rows), -1)
    flat = aligned(codes.size, np.int8)
    flat[...] = _in_lanes(codes, LANES if depthwise else PANEL)
    return Int8Filters(flat, columns, shape, groups, copies.shape[1], farthest)


def unpack_steps(filters: Int8Filters) -> Int32[np.ndarray, "c_out c_in r s"]:
    """The steps `w - z_w` that `pack_filters` packed.

    >>> weight = np.arange(24, dtype=np.int8).reshape(2, 3, 2, 2)
    >>> bool((unpack_steps(pack_filters(weight)) == weight).all())
    True
    """
    c_out, c_in, r, s = filters.shape
    lanes = LANES if filters.depthwise else PANEL
    words = filters.codes.reshape(filters.width // lanes, -1, lanes, DEPTH).transpose(0, 2, 1, 3)
    whole = words.reshape(filters.width, filters.depth).astype(np.int32)
    if filters.depthwise:
        rows = whole[:c_out].reshape(c_out, s, -1)[..., : filters.copies * r]
        return rows.reshape(c_out, s, filters.copies, r).sum(axis=2).swapaxes(1, 2)[:, None]
    whole = whole.reshape(filters.groups, -1, filters.copies, r, s, filters.channel_words * DEPTH)
    steps = whole[:, : filters.per_group, ..., :c_in].sum(axis=2)
    return steps.reshape(c_out, r, s, c_in).transpose(0, 3, 1, 2)


def columns_of_filters(
    filters: Int8Filters, biases: Int32[np.ndarray, " width"]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Filters as the tiles take them: codes, sums, and what each output starts with."""
    return filters.codes, filters.columns, biases


def _in_bytes(steps: Int32[np.ndarray, "c_out c_in r s"]) -> Int8[np.ndarray, "c_out n c_in r s"]:
    """As many bytes as the farthest step needs, whose sum is the step."""
    parts: list[np.ndarray] = []
    while not parts or steps.any():
        parts.append(np.clip(steps, -128, 127))
        steps = steps - parts[-1]
    return np.stack(parts, axis=1).astype(np.int8)


def _by_panel(copies: np.ndarray, groups: int) -> Int8[np.ndarray, "filters depth"]:
    """Each filter's bytes by copy, tap and channel, and zeros that fill up a group's last panel."""
    c_out, n_copies, c_in, r, s = copies.shape
    per_group = c_out // groups
    filters, channels = -(-per_group // PANEL) * PANEL, -(-c_in // DEPTH) * DEPTH
    whole = np.zeros((groups, filters, n_copies, r, s, channels), np.int8)
    taps = copies.transpose(0, 1, 3, 4, 2)
    whole[:, :per_group, ..., :c_in] = taps.reshape(groups, per_group, *taps.shape[1:])
    return whole.reshape(groups * filters, -1)


def _by_channel(copies: np.ndarray) -> Int8[np.ndarray, "filters depth"]:
    """Each filter's bytes by column, then by row, four rows in a word."""
    c_out, n_copies, _, r, s = copies.shape
    rows = -(-n_copies * r // DEPTH) * DEPTH
    whole = np.zeros((-(-c_out // LANES) * LANES, s, rows), np.int8)
    columns = copies[:, :, 0].transpose(0, 3, 1, 2).reshape(c_out, s, n_copies * r)
    whole[:c_out, :, : n_copies * r] = columns
    return whole.reshape(len(whole), -1)


def _in_lanes(codes: np.ndarray, lanes: int) -> Int8[np.ndarray, " bytes"]:
    """Words of four bytes, those of so many filters side by side."""
    width, depth = codes.shape
    words = codes.reshape(width // lanes, lanes, depth // DEPTH, DEPTH)
    return words.transpose(0, 2, 1, 3).reshape(-1)


def _demand(weight: np.ndarray, zero_points: np.ndarray | None, groups: int) -> None:
    caller = "pack_filters"
    demand_array(caller, "weight", weight, np.int8)
    if weight.ndim != 4 or 0 in weight.shape:
        _check.fail(caller, "shape of weight", "must be c_out c_in r s, not empty", weight.shape)
    _check.divides(caller, "groups", groups, "c_out", len(weight))
    if zero_points is None:
        return
    demand_array(caller, "zero_points", zero_points, np.int32)
    if zero_points.shape != weight.shape[:1]:
        rule = f"must be one for each of {len(weight)} filters"
        _check.fail(caller, "zero_points", rule, zero_points.shape)
    if not (zero_points.min() >= -128 and zero_points.max() <= 127):
        ends = int(zero_points.min()), int(zero_points.max())
        _check.fail(caller, "zero_points", "must be in [-128, 127]", ends)
