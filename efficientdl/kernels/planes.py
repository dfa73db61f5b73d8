"""Activations as planes: a channel after the other, each at a cache line, as registers want them.

A product of a weight and the pixels of an image reads 64 pixels of every channel. Where each
channel begins at a cache line, all of these loads are aligned, and what the product writes lies as
the next one reads it: nothing is packed between two layers, and nothing is unpacked. What lies
between the end of a plane and the begin of the next one is read and written, but means nothing.
"""

from itertools import combinations
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32
from numpy.lib.stride_tricks import as_strided

from efficientdl import _check
from efficientdl.kernels.arrays import demand_array
from efficientdl.kernels.simd import aligned

Image = Float32[np.ndarray, "c h w"]
Floats = Float32[np.ndarray, " _"]  # of any number

LANES, WIDTH = 16, 64  # floats of a register, which is a cache line, and of a panel of four


class Planes(NamedTuple):
    """An image, plane by plane.

    Attributes:
        floats: Where the planes lie, from the first on.
        c: How many there are.
        height: Lines of a plane.
        width: Pixels of a line; lines follow each other without a gap.
    """

    floats: Floats
    c: int
    height: int
    width: int

    @property
    def pixels(self) -> int:
        """Pixels of a plane."""
        return self.height * self.width

    @property
    def step(self) -> int:
        """Floats from a plane to the next."""
        return step_of(self.pixels)

    @property
    def image(self) -> Image:
        """The image, as a view.

        >>> planes = planes_of(np.ones((2, 3, 5), np.float32))
        >>> planes.image.shape, planes.step, float(planes.image.sum())
        ((2, 3, 5), 48, 30.0)
        """
        shape = self.c, self.height, self.width
        return as_strided(self.floats, shape, (4 * self.step, 4 * self.width, 4))


class Finish(NamedTuple):
    """What is done to a sum before it is stored: it starts at a bias, and is kept within bounds.

    A ReLU is the bounds 0 and infinity, a ReLU6 0 and 6. What is no number stays so.

    Attributes:
        bias: One for each row of the product, padded ones included.
        low: The least that is stored.
        high: The most.
    """

    bias: Floats
    low: np.float32 = np.float32(-np.inf)
    high: np.float32 = np.float32(np.inf)

    def of(self, n_rows: int) -> "Finish":
        """The same for so many rows, those behind the last without a bias."""
        bias = np.zeros(n_rows, np.float32)
        bias[: len(self.bias)] = self.bias
        return self._replace(bias=bias)


def finish_of(bias: Floats, bounds: tuple[float, float] = (-float("inf"), float("inf"))) -> Finish:
    """The finish of these numbers, as loops take it.

    >>> finish_of(np.zeros(2, np.float32), (0, 6)).high
    np.float32(6.0)
    """
    return Finish(bias, np.float32(bounds[0]), np.float32(bounds[1]))


def step_of(pixels: int) -> int:
    """How far apart planes of so many pixels begin: an odd number of cache lines.

    An odd one spreads the planes over all of a cache. There is room for whole panels of 64, and for
    two registers that begin at the last pixel.

    >>> step_of(49), step_of(196)
    (80, 240)
    """
    n_wide, rest = divmod(pixels, WIDTH)
    covered = (n_wide + (rest > 32)) * WIDTH
    lines = -(-max(covered, pixels + 2 * LANES - 1) // LANES)
    return LANES * (lines | 1)


def floats_of(n_planes: int, pixels: int) -> int:
    """How many floats so many planes take.

    >>> floats_of(2, 49)
    160
    """
    return n_planes * step_of(pixels)


def planes_of(image: Image, into: Floats | None = None) -> Planes:
    """An image as planes.

    Args:
        image: Float32 of any layout.
        into: Where to put them; a new place if there is none.

    Raises:
        BadKind: The image is not float32.
        BadValue: It has not three axes with something in them, or there is too little room.

    >>> image = np.arange(30, dtype=np.float32).reshape(2, 3, 5)
    >>> np.array_equal(planes_of(image).image, image)
    True
    """
    demand_array("planes_of", "image", image, np.float32)
    if image.ndim != 3 or 0 in image.shape:
        _check.fail("planes_of", "shape of image", "must be c h w, not empty", image.shape)
    c, height, width = image.shape
    least = floats_of(c, height * width)
    planes = Planes(place_for("planes_of", into, least), c, height, width)
    planes.image[...] = image
    return planes


def demand_planes(caller: str, x: object, c: int) -> None:
    """Refuse what is not `c` planes, each of which is there."""
    _check.kind(caller, "x", x, Planes)
    assert isinstance(x, Planes)
    _check.whole(caller, "height of x", x.height, 1)
    _check.whole(caller, "width of x", x.width, 1)
    if x.c != c:
        _check.fail(caller, "x", f"must be {c} planes", x.c)
    _demand_floats(caller, "floats of x", x.floats, floats_of(c, x.pixels))


def place_for(caller: str, into: Floats | None, n_floats: int, name: str = "into") -> Floats:
    """The place given, if it holds so many floats; zeros where none is given."""
    if into is None:
        return aligned(n_floats, np.float32)
    _demand_floats(caller, name, into, n_floats)
    if not into.flags.writeable:
        _check.fail(caller, name, "must be writeable", into.flags.writeable)
    return into


def demand_apart(caller: str, **places: Floats) -> None:
    """Refuse places that overlap: what is written in one would change what another holds.

    >>> demand_apart("plane_matmul", x=np.zeros(3, np.float32), into=np.zeros(3, np.float32))
    """
    for (name, first), (other, second) in combinations(places.items(), 2):
        if np.may_share_memory(first, second):
            rule = f"must not overlap {name}"
            _check.fail(caller, other, rule, f"{len(second)} floats that do")


def finish_for(caller: str, finish: Finish | None, n_rows: int, least: int) -> Finish:
    """The finish with a bias for each of `n_rows` rows, of which at least `least` are given."""
    if finish is None:
        return finish_of(np.zeros(n_rows, np.float32))
    _check.kind(caller, "finish", finish, Finish)
    _demand_floats(caller, "bias", finish.bias, least)
    low, high = float(finish.low), float(finish.high)
    if not low <= high:
        _check.fail(caller, "bounds", "must rise", (low, high))
    finish = finish_of(finish.bias, (low, high))
    return finish if len(finish.bias) >= n_rows else finish.of(n_rows)


def _demand_floats(caller: str, name: str, array: object, n_floats: int) -> None:
    demand_array(caller, name, array, np.float32)
    assert isinstance(array, np.ndarray)
    if array.ndim != 1 or not array.flags.c_contiguous or len(array) < n_floats:
        rule = f"must be {n_floats} floats side by side"
        _check.fail(caller, name, rule, array.shape)
