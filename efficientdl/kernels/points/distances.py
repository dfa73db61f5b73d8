"""The loops behind neighbours: sixty-four distances at a time, axis by axis, kept in registers."""

import numpy as np
from jaxtyping import Float32

from efficientdl.kernels.compiled import compiled
from efficientdl.kernels.quads import load4, store4, zeros4
from efficientdl.kernels.simd import aligned, at, load, maximum, minimum, splat, store, total

BLOCK = 64  # points at a time
LANES = 16
CHUNK = 1024  # points of which the largest distance is remembered
LARGE = np.float32(np.inf)


def columns(points: Float32[np.ndarray, "n d"]) -> Float32[np.ndarray, "_"]:
    """Coordinates axis by axis, each axis filled up to a multiple of 64 points."""
    n, d = points.shape
    made = aligned((d, -(-n // BLOCK) * BLOCK), np.float32)
    made[:, :n] = points.T
    return made.reshape(-1)


@compiled
def _squared(axes, length, place, queries, start, n_axes):
    """The squared distances of 64 points from a query. Not fused: rounded as NumPy rounds them."""
    s0, s1, s2, s3 = zeros4()
    for axis in range(n_axes):
        centre = splat(at(queries, start + axis))
        x0, x1, x2, x3 = load4(axes, axis * length + place)
        x0, x1, x2, x3 = x0 - centre, x1 - centre, x2 - centre, x3 - centre
        s0, s1, s2, s3 = s0 + x0 * x0, s1 + x1 * x1, s2 + x2 * x2, s3 + x3 * x3
    return s0, s1, s2, s3


@compiled
def _any_below(four, limit):
    """Whether one of 64 numbers is less than the limit."""
    least = minimum(minimum(four[0], four[1]), minimum(four[2], four[3]))
    return total(maximum(splat(limit) - least, splat(np.float32(0)))) > 0


@compiled
def nearest(first, last, axes, queries, sizes, indices, squared) -> None:
    """Tiles of queries: the nearest points of each, sorted in as they are met."""
    (n, at_once), (n_queries, n_axes), k = sizes, queries.shape, indices.shape[1]
    length = len(axes) // n_axes
    found = np.empty(BLOCK, np.float32)
    for query in range(first * at_once, min(last * at_once, n_queries)):
        best, who = squared[query], indices[query]
        best[:] = LARGE
        for place in range(0, n, BLOCK):
            four = _squared(axes, length, place, queries, query * n_axes, n_axes)
            if _any_below(four, best[k - 1]):
                store4(found, 0, four)
                for part in range(0, min(BLOCK, n - place), LANES):
                    _look(found, part, min(LANES, n - place - part), place, best, who)


@compiled
def _look(found, part, count, place, best, who):
    """Sixteen of the distances: one by one, if any of them is wanted."""
    worst = len(best) - 1
    closer = maximum(splat(best[worst]) - load(found, part), splat(np.float32(0)))
    if total(closer) > 0:
        for i in range(part, part + count):
            if found[i] < best[worst]:
                _sort_in(found[i], place + i, best, who)


@compiled
def _sort_in(distance, point, best, who):
    """Behind those equally far: they were met before, so that their indices are lower."""
    slot = len(best) - 1
    while slot > 0 and best[slot - 1] > distance:
        best[slot], who[slot] = best[slot - 1], who[slot - 1]
        slot -= 1
    best[slot], who[slot] = distance, point


@compiled
def in_ball(first, last, axes, queries, sizes, limit, indices, counts) -> None:
    """Tiles of queries: the first points nearer than the limit."""
    (n, at_once), (n_queries, n_axes), k = sizes, queries.shape, indices.shape[1]
    length = len(axes) // n_axes
    found = np.empty(BLOCK, np.float32)
    for query in range(first * at_once, min(last * at_once, n_queries)):
        count, place = 0, 0
        while place < n and count < k:
            four = _squared(axes, length, place, queries, query * n_axes, n_axes)
            if _any_below(four, limit):
                store4(found, 0, four)
                for i in range(min(BLOCK, n - place)):
                    if found[i] < limit and count < k:
                        indices[query, count] = place + i
                        count += 1
            place += BLOCK
        counts[query] = count
        if count:
            indices[query, count:] = indices[query, 0]


@compiled
def farthest(axes, n, n_axes, chosen) -> None:
    """Each choice: distances from the last one, the least so far of each point, the largest."""
    length = len(axes) // n_axes
    least = np.full(length + BLOCK, LARGE, np.float32)
    n_chunks = -(-length // CHUNK)
    largest, centre = np.empty(n_chunks, np.float32), np.empty(n_axes, np.float32)
    found = np.empty(BLOCK, np.float32)
    for step in range(1, len(chosen)):
        for axis in range(n_axes):
            centre[axis] = axes[axis * length + chosen[step - 1]]
        for chunk in range(n_chunks):
            span = chunk * CHUNK, min((chunk + 1) * CHUNK, length)
            largest[chunk] = _nearer(axes, length, span, centre, least, found, n)
        top = np.argmax(largest)  # the first of equals, and the first point in it
        place = top * CHUNK
        while least[place] != largest[top]:
            place += 1
        chosen[step] = place


@compiled
def _nearer(axes, length, span, centre, least, found, n):
    """Lower what is known of some points' distances, and give the largest of them."""
    (begin, end), n_axes = span, len(centre)
    most = splat(np.float32(-1))
    for place in range(begin, end, BLOCK):
        d0, d1, d2, d3 = _squared(axes, length, place, centre, 0, n_axes)
        l0, l1, l2, l3 = load4(least, place)
        l0, l1, l2, l3 = minimum(l0, d0), minimum(l1, d1), minimum(l2, d2), minimum(l3, d3)
        store4(least, place, (l0, l1, l2, l3))
        if place + BLOCK <= n:
            most = maximum(most, maximum(maximum(l0, l1), maximum(l2, l3)))
    store(found, 0, most)
    largest = np.float32(-1)
    for lane in range(16):
        largest = max(largest, found[lane])
    for point in range(max(begin, n - n % BLOCK), min(end, n)):  # those that fill no block
        largest = max(largest, least[point])
    return largest
