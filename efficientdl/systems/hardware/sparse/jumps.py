"""Distances instead of places: how sparse formats say where a word belongs."""

import numpy as np
from jaxtyping import Int64


def jumps(
    line: Int64[np.ndarray, " kept"], place: Int64[np.ndarray, " kept"]
) -> Int64[np.ndarray, " kept"]:
    """How many places are jumped over before each word, from the one before it in its line.

    Args:
        line: To which column, or window, each word belongs, in rising order.
        place: Where it stands there, rising within a line.

    >>> jumps(np.array([0, 0, 0, 2]), np.array([1, 2, 5, 3])).tolist()
    [1, 0, 2, 3]

    Source: Han et al., "EIE", ISCA 2016, section III; survey section 6.2; lab 14.
    """
    first = np.diff(line, prepend=-1) != 0
    return place - np.where(first, 0, np.roll(place, 1) + 1)
