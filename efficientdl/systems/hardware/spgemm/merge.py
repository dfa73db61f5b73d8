"""Merging partial products: lists in order of place, in which equal places become one sum.

A place is one number, `row x columns + column`, so that one comparison orders two entries. The
merge tree is what a merger of radix R is: R lists at the leaves, two to a node, and each node
compares the heads of its two lists. SpArch's merger compares several heads at once: that makes
it faster, and leaves its output what it is.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Int64, Num

from efficientdl.kernels.compiled import compiled


class Partial(NamedTuple):
    """A partial product: entries in order of place, no place twice.

    Attributes:
        places: Where each entry stands.
        values: The entries.
    """

    places: Int64[np.ndarray, " entries"]
    values: Num[np.ndarray, " entries"]


class Merged(NamedTuple):
    """What came out of the tree.

    Attributes:
        sum: The one list.
        n_in: Entries that entered the root: what it takes in, one place after the other.
        n_moved: Entries that entered any node.
    """

    sum: Partial
    n_in: int
    n_moved: int


def merge(partials: Sequence[Partial]) -> Merged:
    """Merge lists in a binary tree.

    >>> a, b = (Partial(np.array(p), np.array(v)) for p, v in [([1, 4], [5, 6]), ([4], [7])])
    >>> merge([a, b]).sum.values.tolist(), merge([a, b]).n_in
    ([5, 13], 3)
    """
    level, n_moved = list(partials), 0
    n_in = len(level[0].places)
    while len(level) > 1:
        n_in = sum(len(partial.places) for partial in level)
        n_moved += n_in
        pairs = zip(level[::2], level[1::2], strict=False)
        alone = level[-1:] if len(level) % 2 else []
        level = [Partial(*_merge_two(*a, *b)) for a, b in pairs] + alone
    return Merged(level[0], n_in, n_moved)


@compiled
def _merge_two(
    places_a: np.ndarray, values_a: np.ndarray, places_b: np.ndarray, values_b: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """A node of the tree: the smaller head moves on; equal heads are added."""
    most = len(places_a) + len(places_b)
    places, values = np.empty(most, np.int64), np.empty(most, values_a.dtype)
    a = b = n = 0
    while a < len(places_a) or b < len(places_b):
        takes_a = b == len(places_b) or (a < len(places_a) and places_a[a] <= places_b[b])
        takes_b = a == len(places_a) or (b < len(places_b) and places_b[b] <= places_a[a])
        places[n] = places_a[a] if takes_a else places_b[b]
        values[n] = 0
        if takes_a:
            values[n] += values_a[a]
            a += 1
        if takes_b:
            values[n] += values_b[b]
            b += 1
        n += 1
    return places[:n].copy(), values[:n].copy()
