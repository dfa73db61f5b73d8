"""The frame in which an image lies while filters with holes pass over it.

A tap is read 64 outputs at a time, so neighbouring outputs must meet neighbouring numbers. With a
stride they do once the image is sorted into phases: at stride 2, even and odd columns apart.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Int32

from efficientdl.kernels.pattern_weight import TOGETHER, PatternWeight
from efficientdl.kernels.quads import LANES, WIDTH
from efficientdl.kernels.window import Window

MOST_COPIES = 8  # of the input, for kernels that many columns wide
NEAR = 2**17  # floats of an input that images share: they stay in the second cache


class Frame(NamedTuple):
    """The padded input as it lies in memory: planes of the channels and phases, line by line.

    Attributes:
        lines: Of a phase of an image; images follow each other.
        row: Floats from one line to the next.
        plane: Floats of a phase of all images.
        copies: How often the input lies there, each time a column further to the left, so that
            no load straddles two cache lines; a load that serves four filters has no need of it.
        n_together: How many images there are.
    """

    lines: int
    row: int
    plane: int
    copies: int
    n_together: int


def frame_of(x_shape: tuple[int, ...], weight: PatternWeight, window: Window) -> Frame:
    """The frame for images of a shape.

    >>> from efficientdl.kernels.pattern_weight import pack_pattern
    >>> ones = pack_pattern(np.ones((1, 1, 3, 3), np.float32))
    >>> frame_of((2, 1, 6, 7), ones, Window(padding=(1, 1)))[:2]
    (8, 16)
    """
    n, c_in, height, width = x_shape
    (down, right), (above, beside) = window.stride, window.padding
    lines = -(-(height + 2 * above) // down)
    # at stride one, the zeros at the end of a line are those at the begin of the next
    row = -(-(width + (beside if right == 1 else 2 * beside)) // right)
    widest = window.dilation[1] * (weight.kernel[1] - 1) // right
    copies = 1 if weight.group == TOGETHER or widest >= MOST_COPIES else widest + 1
    if copies > 1:
        row = LANES * -(-row // LANES)
    image = copies * c_in * down * right * lines * row
    n_together = min(max(NEAR // max(image, 1), 1), max(n, 1))
    return Frame(lines, row, odd(n_together * lines * row), copies, n_together)


def places_of(weight: PatternWeight, window: Window, frame: Frame) -> Int32[np.ndarray, " taps"]:
    """How far from an output each tap's number lies in the frame."""
    (down, right), c_in = window.stride, weight.shape[1]
    step = c_in * down * right * frame.plane if frame.copies > 1 else 1
    below, across = (d * np.arange(n) for d, n in zip(window.dilation, weight.kernel, strict=True))
    phase = (below % down)[:, None] * right + across % right
    within = (below // down)[:, None] * frame.row + across // right * step
    channel = np.arange(c_in)[:, None, None] * (down * right)
    places = (channel + phase) * frame.plane + within
    return places.astype(np.int32).reshape(-1)[weight.columns]


def odd(length: int) -> int:
    """The next odd multiple of 64: lines so long apart do not fall on the same place of a cache.

    >>> odd(64), odd(65)
    (64, 192)
    """
    return WIDTH * (-(-length // WIDTH) | 1)
