"""What a tiling may say, and which pixels a part of the rows needs."""

import numpy as np
import pytest
from hypothesis import given

from efficientdl.systems.hardware.memory.tiling import Loop, Tiling, units
from efficientdl.systems.hardware.memory.traffic import pixels_of
from tests.systems.hardware.drawn import convs
from tests.systems.hardware.memory.drawn import quick


@quick
@given(conv=convs())
def test_pixels_are_those_that_windows_look_at(conv):
    """Lower an image of addresses: what the rows of a part name is what it needs."""
    number = np.arange(1, np.prod(conv.x_shape) + 1).reshape(conv.x_shape)
    windows, _ = conv.lower(number, np.zeros(conv.weight_shape, int))
    pixels, taps = units(conv)
    for rows in range(1, conv.gemms()[0].m // pixels + 1):
        every, once = pixels_of(conv, rows * pixels)
        seen = set()
        for part, (needed, new) in enumerate(zip(every, once, strict=True)):
            at = slice(part * rows * pixels, (part + 1) * rows * pixels)
            one_channel = set(windows[0, at, :taps].ravel().tolist()) - {0}
            assert needed == len(one_channel)
            assert new == len(one_channel - seen)
            seen |= one_channel


def test_what_is_no_tiling():
    with pytest.raises(ValueError, match="Tiling: k must be a whole number, 1 or more, got 0"):
        Tiling(1, 0, 1)
    with pytest.raises(ValueError, match="Tiling: order must name each of the loops M, K, N once"):
        Tiling(1, 1, 1, order=(Loop.M, Loop.M, Loop.K))
    with pytest.raises(ValueError, match="Tiling: kept must be one of x, weight, y, got 'w'"):
        Tiling(1, 1, 1, kept={"w"})
    with pytest.raises(TypeError, match="Tiling: order must be a tuple, got 'mnk'"):
        Tiling(1, 1, 1, order="mnk")
