"""From registers of packed codes to runs: 64 codes of a row, one in each byte.

What is above a code in its byte may be the code of another run, which a look-up of the lowest bits
does not see and a mask takes away.
"""

import numpy as np
from jaxtyping import UInt32

from efficientdl.kernels.compiled import compiled
from efficientdl.kernels.simd import load, prefetch, splat

Words = UInt32[np.ndarray, " 16"]
AHEAD = 1024  # words that are asked for before they are needed


@compiled
def runs_of_4(words, place) -> tuple[Words, ...]:
    """Two runs of one register."""
    a = load(words, place)
    prefetch(words, place + AHEAD)
    return a, a >> 4


@compiled
def runs_of_2(words, place) -> tuple[Words, ...]:
    """Four runs of one register."""
    a = load(words, place)
    prefetch(words, place + AHEAD)
    return a, a >> 2, a >> 4, a >> 6


@compiled
def runs_of_3(words, place) -> tuple[Words, ...]:
    """Eight runs: two bits of four in either of two registers, the third bits in the next."""
    a, b, c = load(words, place), load(words, place + 16), load(words, place + 32)
    prefetch(words, place + AHEAD)
    prefetch(words, place + AHEAD + 16)
    prefetch(words, place + AHEAD + 32)
    low, high = splat(np.uint32(0x03030303)), splat(np.uint32(0x04040404))
    twice = c + c
    return (
        (a & low) | ((twice + twice) & high),
        ((a >> 2) & low) | (twice & high),
        ((a >> 4) & low) | (c & high),
        ((a >> 6) & low) | ((c >> 1) & high),
        (b & low) | ((c >> 2) & high),
        ((b >> 2) & low) | ((c >> 3) & high),
        ((b >> 4) & low) | ((c >> 4) & high),
        ((b >> 6) & low) | ((c >> 5) & high),
    )
