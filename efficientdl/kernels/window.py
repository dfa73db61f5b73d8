"""How the window of a convolution moves over a picture, and where its taps stand in memory."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from jaxtyping import Int64

from efficientdl import _check

Pair = tuple[int, int]


class Window(NamedTuple):
    """How a window moves.

    Attributes:
        stride: Pixels from one place to the next, down and to the right.
        padding: Pixels put on each side: above and below, left and right.
        dilation: Pixels from one tap to the next.
    """

    stride: Pair = (1, 1)
    padding: Pair = (0, 0)
    dilation: Pair = (1, 1)

    def outputs(self, caller: str, size: Pair, kernel: Pair) -> Pair:
        """How many places a picture has for a kernel of this size.

        Raises:
            BadValue: A number of the window is out of its range, or the kernel does not fit in.

        >>> Window(stride=(2, 2), padding=(1, 1)).outputs("conv", (7, 8), (3, 3))
        (4, 4)
        """
        return _outputs(caller, self, size, kernel)


@lru_cache(maxsize=512)
def _outputs(caller: str, window: Window, size: Pair, kernel: Pair) -> Pair:
    for name, pair, low in zip(window._fields, window, (1, 0, 1), strict=True):
        if len(pair) != 2:
            _check.fail(caller, name, "must be a pair", pair)
        for number in pair:
            _check.whole(caller, name, number, low, 2**16)
    p, q = (
        (side + 2 * pad - d * (taps - 1) - 1) // step + 1
        for side, taps, step, pad, d in zip(size, kernel, *window, strict=True)
    )
    if p < 1 or q < 1:
        rule = f"must be at least as large as the kernel, {kernel}"
        _check.fail(caller, "picture with its border", rule, size)
    return p, q


class Places(NamedTuple):
    """Where a window reads, in words of four bytes from the first of a padded picture.

    Attributes:
        pixels: For each output, the first tap.
        taps: How far from there a run of words begins.
        run: How many words a run has.
    """

    pixels: Int64[np.ndarray, " outputs"]
    taps: Int64[np.ndarray, " runs"]
    run: int


@lru_cache(maxsize=512)  # the same for every batch of one shape
def places(
    window: Window, outputs: Pair, kernel: Pair, *, pixel: int, row: int, channel_words: int
) -> Places:
    """The places of a window in a picture whose channels lie side by side.

    Taps next to each other are one run where the picture has nothing between them.

    Args:
        window: How it moves.
        outputs: How many places it has, down and to the right.
        kernel: How many taps.
        pixel: Words from a pixel to the next.
        row: Words from a line to the next.
        channel_words: Words of a pixel that a tap meets.

    >>> places(Window(), (1, 2), (2, 2), pixel=1, row=5, channel_words=1)
    Places(pixels=array([0, 1]), taps=array([0, 5]), run=2)
    """
    (p, q), (r, s) = outputs, kernel
    (down, right), _, (d, e) = window
    pixels = (np.arange(p) * (down * row))[:, None] + np.arange(q) * (right * pixel)
    whole = e == 1 and pixel == channel_words
    across = np.zeros(1, np.int64) if whole else np.arange(s) * (e * pixel)
    taps = (np.arange(r) * (d * row))[:, None] + across
    run = channel_words * s if whole else channel_words
    return Places(pixels.reshape(-1), taps.reshape(-1), run)
