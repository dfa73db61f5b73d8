"""Sites of a grid as whole numbers: one key a site, so that a step on the grid is a sum.

All sites that can be asked for lie in a box. A site's key counts the cells of the box before it,
the last axis running fastest. As nothing leaves the box, two sites have one key only if they are
one site, and the neighbour at some offset is `key + step`, whatever the number of axes.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Int32, Int64

from efficientdl import _check
from efficientdl.kernels.compiled import compiled

Sites = Int32[np.ndarray, "n d"]
Keys = Int64[np.ndarray, " n"]

MOST_SITES = 2**27  # an index and its three bits fit 32
MOST_CELLS = 2**62
DIGIT_BITS = 11  # of a key, sorted by at a time: 2048 counters stay in the nearest cache
SPACE = 3  # axes that points mostly have
RUN = 3  # steps that follow one another and are looked up together


class Keyed(NamedTuple):
    """Points, places to look from, and offsets, all as keys in one box.

    Attributes:
        points: Key of each point.
        sites: Key of each site.
        steps: What each offset adds to a key.
        n_cells: How many cells the box has: keys are less.
    """

    points: Keys
    sites: Keys
    steps: Keys
    n_cells: int


class Runs(NamedTuple):
    """Offsets whose steps follow one another, up to three in a run: they are looked up together.

    Attributes:
        first: The least step of each run.
        members: The offset of each of its three steps; -1 where the run has fewer.
    """

    first: Keys
    members: Int64[np.ndarray, "runs 3"]


def keyed(caller: str, points: Sites, sites: Sites, offsets: Sites) -> Keyed:
    """Check three lists of coordinates, and number the cells of the box that holds what is asked.

    Raises:
        BadKind: One is not an array of int32.
        BadValue: One is no list of coordinates, or they span too large a box.
    """
    _demand(caller, points=points, sites=sites, offsets=offsets)
    lists = [np.ascontiguousarray(a) for a in (points, sites, offsets)]
    if not all(len(a) for a in lists):
        n_axes = points.shape[1]
        empty = [np.zeros(len(a), np.int64) for a in lists]
        return Keyed(empty[0], empty[1], np.arange(len(offsets)) * n_axes, 1)
    of_input = _corners(lists[0])
    corners = [of_input, of_input if sites is points else _corners(lists[1]), _corners(lists[2])]
    low = np.minimum(corners[0][0], corners[1][0] + corners[2][0])
    high = np.maximum(corners[0][1], corners[1][1] + corners[2][1])
    sizes = [int(size) for size in high - low + 1]
    scale, n_cells = np.empty(len(sizes), np.int64), 1
    for axis in reversed(range(len(sizes))):
        scale[axis] = min(n_cells, MOST_CELLS)
        n_cells *= sizes[axis]
    if n_cells > MOST_CELLS:
        rule = f"must span a box of at most {MOST_CELLS} cells"
        _check.fail(caller, "points, sites and offsets", rule, tuple(sizes))
    nowhere = np.zeros(len(sizes), np.int64)
    of_points = _keys(lists[0], low, scale)
    of_sites = of_points if sites is points else _keys(lists[1], low, scale)
    return Keyed(of_points, of_sites, _keys(lists[2], nowhere, scale), n_cells)


def runs_of(steps: Keys) -> Runs:
    """Gather steps into runs of up to three that follow one another.

    >>> runs_of(np.array([-1, 0, 1, 9])).members.tolist()
    [[0, 1, 2], [3, -1, -1]]
    """
    order = np.argsort(steps, kind="stable")
    members: list[list[int]] = []
    last = None
    for offset in order.tolist():
        step = int(steps[offset])
        if last is not None and step == last + 1 and len(members[-1]) < RUN:
            members[-1].append(offset)
        else:
            members.append([offset])
        last = step
    table = np.full((len(members), RUN), -1, np.int64)
    for row, found in zip(table, members, strict=True):
        row[: len(found)] = found
    return Runs(steps[table[:, 0]].astype(np.int64), table)


def in_order(keys: Keys, n_cells: int) -> tuple[Keys, Int32[np.ndarray, " n"]]:
    """Keys from the least to the largest, and which each of them was.

    Sorted by eleven bits after eleven, the lowest first: no key is compared with another.

    >>> in_order(np.array([5, 3, 4]), 6)
    (array([3, 4, 5]), array([1, 2, 0], dtype=int32))
    """
    order = np.arange(len(keys), dtype=np.int32)
    if len(keys) < 2 or bool((keys[:-1] <= keys[1:]).all()):
        return keys, order
    n_digits = -(-max((n_cells - 1).bit_length(), 1) // DIGIT_BITS)
    for digit in range(n_digits):
        new_keys, new_order = np.empty_like(keys), np.empty_like(order)
        _sort_digit(keys, order, DIGIT_BITS * digit, new_keys, new_order)
        keys, order = new_keys, new_order
    return keys, order


def _demand(caller: str, **lists: np.ndarray) -> None:
    for name, value in lists.items():
        _check.kind(caller, name, value, np.ndarray)
        if value.dtype != np.int32:
            raise _check.BadKind(f"{caller}: {name} must be int32, got {value.dtype}")
        if value.ndim != 2 or not value.shape[1]:
            _check.fail(caller, f"shape of {name}", "must be n d", value.shape)
        if len(value) > MOST_SITES:
            _check.fail(caller, name, f"must be at most {MOST_SITES}", len(value))
    n_axes = [value.shape[1] for value in lists.values()]
    if len(set(n_axes)) > 1:
        _check.fail(caller, "points, sites and offsets", "must have as many axes", tuple(n_axes))


def _corners(sites: Sites) -> tuple[Keys, Keys]:
    low, high = np.empty((2, sites.shape[1]), np.int64)
    _box(sites, low, high)
    return low, high


def _keys(sites: Sites, base: Keys, scale: Keys) -> Keys:
    keys = np.empty(len(sites), np.int64)
    _number(sites, base, scale, keys)
    return keys


@compiled
def _box(sites, low, high):
    if sites.shape[1] == SPACE:
        _box_in_space(sites, low, high)
        return
    for axis in range(sites.shape[1]):
        least = most = sites[0, axis]
        for i in range(len(sites)):
            least = min(least, sites[i, axis])
            most = max(most, sites[i, axis])
        low[axis], high[axis] = least, most


@compiled
def _box_in_space(sites, low, high):
    """Three axes at once: each site is read once."""
    x0 = x1 = sites[0, 0]
    y0 = y1 = sites[0, 1]
    z0 = z1 = sites[0, 2]
    for i in range(len(sites)):
        x, y, z = sites[i, 0], sites[i, 1], sites[i, 2]
        x0, y0, z0 = min(x0, x), min(y0, y), min(z0, z)
        x1, y1, z1 = max(x1, x), max(y1, y), max(z1, z)
    low[0], low[1], low[2], high[0], high[1], high[2] = x0, y0, z0, x1, y1, z1


@compiled
def _number(sites, base, scale, keys):
    if sites.shape[1] == SPACE:
        _number_in_space(sites, base, scale, keys)
        return
    for i in range(len(sites)):
        key = np.int64(0)
        for axis in range(sites.shape[1]):
            key += (np.int64(sites[i, axis]) - base[axis]) * scale[axis]
        keys[i] = key


@compiled
def _number_in_space(sites, base, scale, keys):
    (x0, y0, z0), (sx, sy, sz) = (base[0], base[1], base[2]), (scale[0], scale[1], scale[2])
    for i in range(len(sites)):
        x, y, z = np.int64(sites[i, 0]), np.int64(sites[i, 1]), np.int64(sites[i, 2])
        keys[i] = (x - x0) * sx + (y - y0) * sy + (z - z0) * sz


@compiled
def _sort_digit(keys, order, shift, new_keys, new_order):
    places = np.zeros((1 << DIGIT_BITS) + 1, np.int64)
    for key in keys:
        places[((key >> shift) & ((1 << DIGIT_BITS) - 1)) + 1] += 1
    for digit in range(1 << DIGIT_BITS):
        places[digit + 1] += places[digit]
    for i in range(len(keys)):
        digit = (keys[i] >> shift) & ((1 << DIGIT_BITS) - 1)
        new_keys[places[digit]], new_order[places[digit]] = keys[i], order[i]
        places[digit] += 1
