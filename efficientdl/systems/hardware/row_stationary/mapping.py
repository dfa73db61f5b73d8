"""What a row-stationary array is told before it begins: how a convolution is cut and laid out.

A unit does one-dimensional convolutions: a row of a filter stays, a row of the input slides past,
a row of sums comes out. A *set* of them is a two-dimensional convolution: as many units down as
the filter has rows, one column of units for each row of the output. Filters go along the rows of a
set, inputs along its diagonals, sums up its columns.
"""

from dataclasses import astuple, dataclass, fields
from typing import Any, NamedTuple

import numpy as np

from efficientdl import _check
from efficientdl.systems.hardware.arch import Arch
from efficientdl.systems.hardware.conv import Conv

Whole = Any  # an int, or an array of them with one for each of many mappings


@dataclass(frozen=True)
class RowUnit:
    """What one unit can hold, in words, and what the buses bring it, in words a cycle.

    Attributes:
        x_words: Registers for the window of the input.
        weight_words: Registers for rows of filters.
        psum_words: Registers for sums.
        x_bus: Words of the input that the buffer sends in a cycle, each to all units of a diagonal.
        weight_bus: Weights, each to all units of a row.
        psum_bus: Sums that enter at the bottom, and as many that leave at the top.

    >>> RowUnit().weight_words
    224
    """

    x_words: int = 12  # JSSC 2017, Table IV: 24 bytes
    weight_words: int = 224  # JSSC 2017, Table IV: 448 bytes
    psum_words: int = 24  # JSSC 2017, Table IV: 48 bytes
    x_bus: int = 1  # assumed: 16 bits
    weight_bus: int = 4  # assumed: 64 bits
    psum_bus: int = 4  # assumed: 64 bits; the latencies of VGG-16 are those of this width

    def __post_init__(self) -> None:
        for field in fields(self):
            _check.whole("RowUnit", field.name, getattr(self, field.name), 1)


EYERISS_UNIT = RowUnit()


@dataclass(frozen=True)
class RowMapping:
    """How much of a convolution the array does in a pass; the paper's letter behind each.

    Attributes:
        strip: Rows of the output, e. A strip that is wider than the array is folded.
        filters: Filters that take turns in a unit, p.
        channels: Channels that take turns in a unit, q.
        channel_sets: Sets stacked on each other, whose sums run through, r.
        filter_sets: Sets beside each other with filters of their own, t.
        images: Images that follow each other while the filters stay, n.

    >>> RowMapping(strip=7, filters=16, filter_sets=2).images
    1
    """

    strip: int
    filters: int = 1
    channels: int = 1
    channel_sets: int = 1
    filter_sets: int = 1
    images: int = 1

    def __post_init__(self) -> None:
        for field in fields(self):
            _check.whole("RowMapping", field.name, getattr(self, field.name), 1)

    @property
    def cuts(self) -> "Cuts":
        """The numbers alone."""
        return Cuts(*astuple(self))

    @property
    def pass_filters(self) -> int:
        """Filters of a pass, p t."""
        return self.filters * self.filter_sets

    @property
    def pass_channels(self) -> int:
        """Channels of a pass, q r."""
        return self.channels * self.channel_sets


class Held(NamedTuple):
    """Bytes of the buffer that a mapping takes."""

    x: int
    psum: int


class Place(NamedTuple):
    """One unit in use, and what it is there for.

    Attributes:
        row: Its row in the array.
        col: Its column.
        chain: How many units are below it in its column of sums.
        filter_set: Which filters it has.
        channel_set: Which channels.
        tap: Which row of the filters.
        line: Which row of the strip its sums belong to.
    """

    row: int
    col: int
    chain: int
    filter_set: int
    channel_set: int
    tap: int
    line: int


class Cuts(NamedTuple):
    """A mapping's numbers, or an array in each place for many mappings at a time."""

    strip: Whole
    filters: Whole
    channels: Whole
    channel_sets: Whole
    filter_sets: Whole
    images: Whole


def ceil(a: Whole, b: Whole) -> Whole:
    """a / b, rounded up.

    >>> ceil(7, 2)
    4
    """
    return -(-a // b)


def lines(conv: Conv, strip: int) -> int:
    """Distinct rows of the input that a strip of so many output rows looks at.

    >>> lines(Conv(1, 227, 227, 1, kernel=11, stride=4), 7)
    35
    """
    (r, _), (down, _), _, (apart, _) = conv.pairs
    return len({j * down + i * apart for j in range(strip) for i in range(r)})


def window(conv: Conv) -> tuple[int, int]:
    """Words of a row that a unit needs for the first output, and anew for each further one."""
    (_, s), (_, right), _, (_, apart) = conv.pairs
    span = apart * (s - 1) + 1
    return span, min(right, span)


def n_active(conv: Conv, mapping: RowMapping) -> int:
    """Units at work in a full pass.

    >>> n_active(Conv(48, 27, 27, 128, kernel=5, padding=2), RowMapping(strip=27))
    135
    """
    m = mapping
    return conv.pairs.kernel[0] * m.strip * m.channel_sets * m.filter_sets


def capacity(rows: int, cols: int, depth: Whole, strip: Whole) -> Whole:
    """Sets of `depth` x `strip` units that an array has room for, folded where they are wide.

    >>> int(capacity(12, 14, depth=5, strip=27)), int(capacity(12, 14, depth=3, strip=13))
    (1, 4)
    """
    return rows // depth * (cols // np.minimum(strip, cols)) // ceil(strip, cols)


def held(conv: Conv, mapping: RowMapping, *, kept: int | None = None) -> Held:
    """Bytes that the strips of a pass take in the buffer, and the sums that wait there.

    Args:
        conv: The layer.
        mapping: How it is cut.
        kept: Filters whose sums wait at a time, the paper's m; those of one pass if not said.
    """
    kept, images = mapping.pass_filters if kept is None else kept, mapping.images
    width = conv.w + 2 * conv.pairs.padding[1]
    x = images * mapping.pass_channels * lines(conv, mapping.strip) * width
    psum = images * kept * mapping.strip * conv.outputs[1]
    return Held(ceil(x * conv.bits.x, 8), ceil(psum * conv.bits.y, 8))


def places(conv: Conv, mapping: RowMapping, cols: int) -> list[Place]:
    """Where each unit of a pass lies; the top of each column of sums comes first.

    Sets fill the array from the top left; a folded set takes the places of several.
    """
    r, side = conv.pairs.kernel[0], min(mapping.strip, cols)
    depth, beside = r * mapping.channel_sets, cols // side
    folds = ceil(mapping.strip, cols)
    found = []
    for chain in reversed(range(depth)):
        for filter_set in range(mapping.filter_sets):
            for line in range(mapping.strip):
                down, right = divmod(filter_set * folds + line // side, beside)
                row, col = (down + 1) * depth - 1 - chain, right * side + line % side
                found.append(Place(row, col, chain, filter_set, chain // r, chain % r, line))
    return found


def check_machine(caller: str, conv: Conv, arch: Arch) -> None:
    """Demand a convolution, and an array as high as its filters."""
    _check.kind(caller, "layer", conv, Conv)
    _check.kind(caller, "arch", arch, Arch)
    rows, r = arch.array.rows, conv.pairs.kernel[0]
    if r > rows:
        _check.fail(caller, "layer.kernel", f"must have at most array.rows = {rows} rows", r)


def check_mapping(caller: str, conv: Conv, arch: Arch, mapping: RowMapping, unit: RowUnit) -> None:
    """Demand that a mapping is no larger than the layer, the array, the units and the buffer."""
    check_machine(caller, conv, arch)
    _check.kind(caller, "mapping", mapping, RowMapping)
    _check.kind(caller, "unit", unit, RowUnit)
    (r, s), span = conv.pairs.kernel, window(conv)[0]
    rows, cols = arch.array.rows, arch.array.cols
    room = capacity(rows, cols, r * mapping.channel_sets, mapping.strip)
    filters, channels = conv.c_out // conv.groups, conv.c_in // conv.groups
    limits = {
        "strip": (mapping.strip, "rows of the output", conv.outputs[0]),
        "images": (mapping.images, "images of the batch", conv.batch),
        "filters * (filter_sets - 1)": (
            mapping.pass_filters - mapping.filters, "filters but one", filters - 1
        ),
        "channels * (channel_sets - 1)": (
            mapping.pass_channels - mapping.channels, "channels but one", channels - 1
        ),
        "filter_sets": (mapping.filter_sets, f"sets in {rows} x {cols} units", room),
        "filters": (mapping.filters, "psum_words of a unit", unit.psum_words),
        "channels * span": (mapping.channels * span, "x_words of a unit", unit.x_words),
        "filters * channels * s": (
            mapping.filters * mapping.channels * s, "weight_words of a unit", unit.weight_words
        ),
        "held": (sum(held(conv, mapping)), "bytes of the buffer", arch.buffer.bytes),
    }  # fmt: skip
    for name, (value, what, most) in limits.items():
        if value > most:
            _check.fail(caller, f"mapping.{name}", f"must be at most the {what}, {most}", value)
