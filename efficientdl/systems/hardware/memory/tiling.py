"""Tilings: how a layer is cut so that a piece of each operand fits the buffer, and in which order.

A product has three loops, over rows m, columns n and what is summed over, k. Each operand lies
along two of them, and is free of the third: while that one is innermost, the operand *stays* in
the buffer. `x` is free of n, `weight` of m, `y` of k.
"""

from dataclasses import dataclass
from enum import Enum

from efficientdl import _check
from efficientdl.systems.hardware.conv import Conv
from efficientdl.systems.hardware.gemm import Gemm

OPERANDS = ("x", "weight", "y")


class Loop(Enum):
    """A loop over the tiles of a product."""

    M = "m"
    K = "k"
    N = "n"


Order = tuple[Loop, Loop, Loop]
X_STAYS: Order = (Loop.M, Loop.K, Loop.N)
WEIGHT_STAYS: Order = (Loop.N, Loop.K, Loop.M)
SUMS_STAY: Order = (Loop.M, Loop.N, Loop.K)


@dataclass(frozen=True)
class Tiling:
    """The size of a tile, the order of the tiles, and what is kept whole.

    An operand that is not kept has two places in the buffer: one in use, one that is filled or
    emptied meanwhile. One that is kept stays until its group is done, and each of its words is
    loaded once. The last tiles of a loop may be smaller.

    Attributes:
        m: Rows of a tile. Of a convolution, whole rows of the output.
        k: What a tile sums over. Of a convolution, whole channels.
        n: Columns, or filters.
        order: The loops over the tiles, outermost first. Groups are outside of all.
        kept: Operands that the buffer keeps whole: any of x, weight and y.

    >>> Tiling(8, 16, 4).order == SUMS_STAY
    True
    """

    m: int
    k: int
    n: int
    order: Order = SUMS_STAY
    kept: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        for name in ("m", "k", "n"):
            _check.whole("Tiling", name, getattr(self, name), 1)
        _check.kind("Tiling", "order", self.order, tuple)
        if len(self.order) != 3 or set(self.order) != set(Loop):
            _check.fail("Tiling", "order", "must name each of the loops M, K, N once", self.order)
        object.__setattr__(self, "kept", frozenset(self.kept))
        for name in self.kept:
            _check.one_of("Tiling", "kept", name, OPERANDS)


def units(layer: Gemm | Conv) -> tuple[int, int]:
    """What a tile's m and k are cut to: a row of the output, and the taps of a channel.

    >>> units(Conv(c_in=3, h=8, w=10, c_out=4, kernel=3))
    (8, 9)
    """
    if isinstance(layer, Gemm):
        return 1, 1
    r, s = layer.pairs.kernel
    return layer.outputs[1], r * s


def whole(layer: Gemm | Conv) -> Tiling:
    """One tile for each group: what a buffer lets the machine do that holds all.

    >>> whole(Gemm(4, 5, 6, groups=2))
    Tiling(m=4, k=5, n=6, order=(<Loop.M: 'm'>, <Loop.N: 'n'>, <Loop.K: 'k'>), kept=frozenset())
    """
    (gemm,) = layer.gemms()
    return Tiling(gemm.m, gemm.k, gemm.n)


def check_tiling(caller: str, layer: Gemm | Conv, tiling: Tiling) -> None:
    """Demand tiles that lie within the layer, and cut no row of pixels and no channel."""
    _check.kind(caller, "layer", layer, (Gemm, Conv))
    _check.kind(caller, "tiling", tiling, Tiling)
    (gemm,) = layer.gemms()
    pixels, taps = units(layer)
    rules = [("m", gemm.m, pixels), ("k", gemm.k, taps), ("n", gemm.n, 1)]
    for name, total, unit in rules:
        size = getattr(tiling, name)
        _check.whole(caller, f"tiling.{name}", size, 1, total)
        if size % unit:
            part = "a row of the output" if name == "m" else "a channel's taps"
            _check.fail(caller, f"tiling.{name}", f"must be a multiple of {unit}, {part}", size)
