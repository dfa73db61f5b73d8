"""A window that moves over a picture: which of its taps lie inside, in Python and in C.

Along one axis, tap `t` of the window at place `p` is at `p * stride - padding + t * dilation` of
the input. The border stands for zeros, which add nothing to a sum and never win against -128: so
the C code skips what lies outside, and needs no padded copy of the picture.
"""

from dataclasses import dataclass
from functools import cached_property
from itertools import product

from efficientdl.models.layers.integer import Geometry
from efficientdl.systems.compiler.codegen.text import Lines, loop

# What the code of a padded window calls; `at` is where its first tap is.
TAPS_FROM = """\
/* Tap t of a window is at `at + t * step`. The first of them that is not before the picture. */
static int taps_from(int at, int step)
{
    return at < 0 ? (step - 1 - at) / step : 0;
}""".splitlines()
TAPS_TO = """\
/* The first tap that is beyond the picture, or their number. */
static int taps_to(int at, int step, int size, int taps)
{
    const int end = (size - at + step - 1) / step;
    return end < taps ? end : taps;
}""".splitlines()


@dataclass(frozen=True)
class Axis:
    """One axis of the picture and of the window.

    Attributes:
        size: Pixels of the picture.
        taps: Pixels of the window.
        stride: Pixels from one place to the next.
        padding: Pixels on each side.
        dilation: Pixels from one tap to the next.

    >>> axis = Axis(size=5, taps=3, stride=2, padding=1, dilation=1)
    >>> axis.places, axis.inside(0), axis.inside(1), axis.whole
    (3, range(0, 2), range(1, 4), range(1, 2))
    """

    size: int
    taps: int
    stride: int
    padding: int
    dilation: int

    @property
    def places(self) -> int:
        """Places that the window takes; 0 or less where it is larger than the padded picture."""
        extent = (self.taps - 1) * self.dilation + 1
        return (self.size + 2 * self.padding - extent) // self.stride + 1

    def inside(self, place: int) -> range:
        """The pixels that the window reads at a place."""
        at = place * self.stride - self.padding
        all_taps = range(at, at + self.taps * self.dilation, self.dilation)
        kept = [i for i, pixel in enumerate(all_taps) if 0 <= pixel < self.size]
        return all_taps[kept[0] : kept[-1] + 1] if kept else range(0)

    @cached_property
    def whole(self) -> range:
        """The places where every tap lies inside."""
        kept = [p for p in range(self.places) if len(self.inside(p)) == self.taps]
        return range(kept[0], kept[-1] + 1) if kept else range(0)

    def bounds(self, at: str, place: str, tap: str) -> Lines:
        """Where the first tap is, and, where there is a border, which taps lie inside.

        Args:
            at: The variable for the first tap's pixel.
            place: The variable of the place.
            tap: The variable of the tap.

        >>> print(*Axis(28, 3, 2, 1, 1).bounds("top", "p", "r"), sep="\\n")
        const int top = p * 2 - 1;
        const int r_from = taps_from(top, 1), r_to = taps_to(top, 1, 28, 3);
        """
        first = place if self.stride == 1 else f"{place} * {self.stride}"
        if not self.padding:
            return [f"const int {at} = {first};"]
        low = f"taps_from({at}, {self.dilation})"
        high = f"taps_to({at}, {self.dilation}, {self.size}, {self.taps})"
        return [
            f"const int {at} = {first} - {self.padding};",
            f"const int {tap}_from = {low}, {tap}_to = {high};",
        ]

    def pixel(self, at: str, tap: str) -> str:
        """Where a tap is, in C."""
        if self.taps == 1 and not self.padding:
            return at
        return f"{at} + {tap}" if self.dilation == 1 else f"{at} + {tap} * {self.dilation}"

    def loop(self, tap: str, body: Lines) -> Lines:
        """Go through the taps inside; a single one that is always there needs no loop."""
        if self.padding:
            return loop(tap, f"{tap}_to", body, start=f"{tap}_from")
        return loop(tap, self.taps, body) if self.taps > 1 else body


Axes = tuple[Axis, Axis]


def axes_of(geometry: Geometry, size: tuple[int, int]) -> Axes:
    """The two axes of a window over a picture of this height and width."""
    settings = (geometry.kernel, geometry.stride, geometry.padding, geometry.dilation)
    rows, columns = (Axis(n, *each) for n, *each in zip(size, *settings, strict=True))
    return rows, columns


def bounds(axes: Axes) -> tuple[Lines, Lines]:
    """The bounds of the rows at place `p`, and of the columns at place `q`."""
    rows, columns = axes
    return rows.bounds("top", "p", "r"), columns.bounds("left", "q", "s")


def taps(axes: Axes, body: Lines) -> Lines:
    """Go through the taps `r`, `s` of the window at `top`, `left` that lie inside."""
    rows, columns = axes
    return rows.loop("r", columns.loop("s", body))


def pixel(channel: str, axes: Axes) -> str:
    """The place of what tap `r`, `s` of the window at `top`, `left` reads.

    Args:
        channel: The channel, in C; empty where there is only one.
        axes: The window's.

    >>> pixel("c", (Axis(28, 3, 1, 1, 1), Axis(28, 1, 1, 0, 1)))
    '(c * 28 + top + r) * 28 + left'
    """
    rows, columns = axes
    row = rows.pixel("top", "r")
    row = f"{channel} * {rows.size} + {row}" if channel else row
    row = f"({row})" if " " in row else row
    return f"{row} * {columns.size} + {columns.pixel('left', 's')}"


def may_overwrite(axes: Axes) -> bool:
    """Whether each output may be put where the input lies, one after the other.

    That is so when no later output reads what an earlier one has written: output `i` of a channel
    goes to byte `i` of the channel, so it must be before all that is still to be read.

    >>> may_overwrite((Axis(4, 2, 2, 0, 1), Axis(4, 2, 2, 0, 1)))
    True
    >>> may_overwrite((Axis(4, 3, 1, 1, 1), Axis(4, 3, 1, 1, 1)))
    False
    """
    rows, columns = axes
    n_outputs = rows.places * columns.places
    if n_outputs > rows.size * columns.size:
        return False
    first = {axis: [axis.inside(p) for p in range(axis.places)] for axis in axes}
    reads = [r[0] * columns.size + c[0] if r and c else None for r, c in _pairs(first, axes)]
    still_to_read = rows.size * columns.size
    for i in reversed(range(n_outputs)):
        if still_to_read <= i:
            return False
        read = reads[i]
        still_to_read = still_to_read if read is None else min(still_to_read, read)
    return True


def _pairs(inside: dict[Axis, list[range]], axes: Axes) -> list[tuple[range, range]]:
    rows, columns = axes
    return list(product(inside[rows], inside[columns]))
