"""Kernel maps: which point meets which weight of a sparse convolution, found in three ways.

A sparse convolution computes at given sites alone. For each offset of its filter it needs the pairs
of a point and a site that lie so far apart: `point = site + offset`. The pairs are the same however
they are found; the time is not. Each way first writes a code for each site and each run of up to
three neighbouring offsets, and the codes are then spelled out as pairs.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Int32, Int64

from efficientdl import _check
from efficientdl.catalogue import Kernel, technique
from efficientdl.kernels.compiled import compiled
from efficientdl.kernels.points import lookups
from efficientdl.kernels.points.keys import Keyed, Runs, Sites, in_order, keyed, runs_of
from efficientdl.kernels.simd import at
from efficientdl.kernels.threads import deal
from efficientdl.report import Cost

Shape = tuple[int, ...]
Indices = Int32[np.ndarray, " pairs"]
Find = Callable[[Keyed, Runs], lookups.Found | None]

CELLS_A_POINT = 2048  # the bits of so many cells take no more room than a few of a point's features


class KernelMap(NamedTuple):
    """The pairs of each offset, those of one offset side by side, by rising site.

    Attributes:
        inputs: The point of each pair.
        outputs: Its site. No site comes twice with one offset.
        starts: Where the pairs of each offset begin, and one more for the end.
        n_outputs: How many sites there are.
    """

    inputs: Indices
    outputs: Indices
    starts: Int64[np.ndarray, " n"]
    n_outputs: int


def _inputs(rng: np.random.Generator, size: int) -> tuple[np.ndarray, ...]:
    """Points of a small grid in any order, sites of their own, and the offsets of a filter."""
    cells = rng.permutation(size**3)[: 2 * size]
    points = np.stack(np.unravel_index(cells, (size, size, size)), axis=1).astype(np.int32)
    sites = points if size % 2 else points[rng.permutation(len(points))[:size]] + np.int32(1)
    return points - np.int32(3), sites - np.int32(3), cube(3, 3)


def cube(width: int, n_axes: int) -> Sites:
    """The offsets of a filter of odd width: the last axis runs fastest.

    >>> cube(3, 1).tolist()
    [[-1], [0], [1]]
    """
    _check.whole("cube", "width", width, 1, 99)
    _check.whole("cube", "n_axes", n_axes, 1, 8)
    if not width % 2:
        _check.fail("cube", "width", "must be odd", width)
    offsets = np.indices((width,) * n_axes).reshape(n_axes, -1).T - width // 2
    return np.ascontiguousarray(offsets, dtype=np.int32)


@technique(
    "kernel-kernelmap",
    paper="Tang, Liu, Zhao, Lin, Lin, Wang, Han, Searching Efficient 3D Architectures with Sparse "
    "Point-Voxel Convolution, 2020",
    survey="6.1",
    lab="13_kernels_and_compilers",
    kind=Kernel(
        inputs=_inputs,
        exempt={"knows_its_cost_from_shapes": "looking up multiplies nothing: it has zero MACs"},
    ),
)
def kernel_map(points: Sites, sites: Sites, offsets: Sites) -> KernelMap:
    """Find the pairs of point and site of each offset: `points[i] = sites[o] + offsets[k]`.

    By a grid of bits where the box around the points is not too empty, else by sorting. Strides
    and dilations are the caller's: a convolution of stride two looks from `2 * sites`, a dilated
    one asks for `2 * offsets`. With `sites = points` it is the submanifold convolution.

    Args:
        points: Where the input has features, in any order, each once.
        sites: Where the output is wanted, in any order.
        offsets: Of the filter's weights, from a site: `cube(3, 3)`.

    Raises:
        BadKind: One is not an array of int32.
        BadValue: One is no list of coordinates of as many axes, a point comes twice, or they span
            a box of more than 2**62 cells.

    >>> line = np.int32([[0], [1], [3]])
    >>> found = kernel_map(line, line, cube(3, 1))
    >>> found.inputs.tolist(), found.outputs.tolist(), found.starts.tolist()
    ([0, 0, 1, 2, 1], [1, 0, 1, 2, 0], [0, 1, 4, 5])

    Source: Yan, Mao and Li, "SECOND", 2018 (a grid); Choy, Gwak and Savarese, "4D Spatio-Temporal
    ConvNets", CVPR 2019 (a hash table); Tang et al., "Searching Efficient 3D Architectures", ECCV
    2020, and "TorchSparse", MLSys 2022; Jacobson, "Space-efficient Static Trees and Graphs", 1989,
    for counting bits; the survey's section 6.1; lab 13.
    """
    return _mapped("kernel_map", points, sites, offsets, _by_grid_or_order)


def kernel_map_by_grid(points: Sites, sites: Sites, offsets: Sites) -> KernelMap:
    """`kernel_map` by a grid of bits, one a cell: SpConv's way, with counts in place of indices.

    The bits before a point's cell say which point it is in order of cells, so that a grid of
    200 x 200 x 200 takes 1.5 MB, and three neighbours in a row are one shift.

    >>> line = np.int32([[0], [1], [3]])
    >>> kernel_map_by_grid(line, line, cube(3, 1)).starts.tolist()
    [0, 1, 4, 5]
    """
    return _mapped("kernel_map_by_grid", points, sites, offsets, lookups.by_grid)


def kernel_map_by_hash(points: Sites, sites: Sites, offsets: Sites) -> KernelMap:
    """`kernel_map` by a hash table of the points: MinkowskiEngine's way. Any box will do.

    Every offset of every site is asked for by itself, by all threads; most questions miss, and the
    processor cannot foresee which.

    >>> line = np.int32([[0], [1], [3]])
    >>> kernel_map_by_hash(line, line, cube(3, 1)).starts.tolist()
    [0, 1, 4, 5]
    """
    return _mapped("kernel_map_by_hash", points, sites, offsets, lookups.by_hash)


def kernel_map_by_sorting(points: Sites, sites: Sites, offsets: Sites) -> KernelMap:
    """`kernel_map` by merging two sorted lists: TorchSparse's way. Any box will do.

    Sites shifted by an offset are as sorted as before: one walk along both lists finds all pairs,
    and memory is read in order.

    >>> line = np.int32([[0], [1], [3]])
    >>> kernel_map_by_sorting(line, line, cube(3, 1)).starts.tolist()
    [0, 1, 4, 5]
    """
    return _mapped("kernel_map_by_sorting", points, sites, offsets, lookups.by_order)


def kernel_map_reference(points: Sites, sites: Sites, offsets: Sites) -> KernelMap:
    """The same with a dictionary, site by site."""
    index = {tuple(point): i for i, point in enumerate(points.tolist())}
    inputs: list[int] = []
    outputs: list[int] = []
    starts = [0]
    for offset in offsets.tolist():
        for o, site in enumerate(sites.tolist()):
            i = index.get(tuple(a + b for a, b in zip(site, offset, strict=True)))
            if i is not None:
                inputs.append(i)
                outputs.append(o)
        starts.append(len(inputs))
    pairs = np.array(inputs, np.int32), np.array(outputs, np.int32)
    return KernelMap(*pairs, np.array(starts, np.int64), len(sites))


def kernel_map_cost(points: Shape, sites: Shape, offsets: Shape) -> Cost:
    """No MAC; the coordinates read, and at least where each offset's pairs begin written.

    >>> kernel_map_cost((100, 3), (100, 3), (27, 3))
    Cost(macs=0, traffic_bytes=2948)
    """
    moved = 4 * (points[0] + sites[0] + offsets[0]) * points[1]
    return Cost(macs=0, traffic_bytes=moved + 8 * (offsets[0] + 1))


def _by_grid_or_order(keys: Keyed, runs: Runs) -> lookups.Found | None:
    full = keys.n_cells <= min(CELLS_A_POINT * (len(keys.points) + 512), lookups.MOST_BITS)
    return lookups.by_grid(keys, runs) if full else lookups.by_order(keys, runs)


def _mapped(caller: str, points: Sites, sites: Sites, offsets: Sites, find: Find) -> KernelMap:
    keys = keyed(caller, points, sites, offsets)
    n_offsets, n_sites = len(offsets), len(sites)
    if len(np.unique(keys.steps)) < n_offsets:
        _check.fail(caller, "offsets", "must each be there once", offsets.tolist())
    starts = np.zeros(n_offsets + 1, np.int64)
    if not (len(points) and n_sites and n_offsets):
        none = np.zeros(0, np.int32)
        return KernelMap(none, none.copy(), starts, n_sites)
    n_asked = (n_offsets + 1) // 2 if _mirrored(keys) else n_offsets
    asked = keys._replace(steps=keys.steps[:n_asked])
    found = find(asked, runs_of(asked.steps))
    if found is None:
        _check.fail(caller, "points", "must each be there once", _twice(keys))
    codes, counts, order, members = found
    starts[1:][members[members >= 0]] = counts[members >= 0]
    starts[n_asked + 1 :] = starts[1 : n_offsets - n_asked + 1][::-1]
    starts = np.cumsum(starts)
    n_pairs = int(starts[-1])
    inputs, outputs = np.empty((2, n_pairs + 1), np.int32)  # one piece: its pages can be large ones
    deal(_spell, len(codes), codes, order, members, starts, inputs, outputs)
    _mend(codes, order, members, starts, inputs, outputs)
    deal(_turn_round, n_offsets - n_asked, starts, inputs, outputs)
    return KernelMap(inputs[:n_pairs], outputs[:n_pairs], starts, n_sites)


def _mirrored(keys: Keyed) -> bool:
    """Whether half the offsets are the others turned round, and so are their pairs, in order."""
    if keys.sites is not keys.points or (keys.steps != -keys.steps[::-1]).any():
        return False
    return bool((keys.points[:-1] < keys.points[1:]).all())


def _twice(keys: Keyed) -> str:
    ordered, order = in_order(keys.points, keys.n_cells)
    place = int(np.flatnonzero(ordered[1:] == ordered[:-1])[0])
    return f"points {order[place]} and {order[place + 1]}"


@compiled
def _spell(first, last, codes, order, members, starts, inputs, outputs):
    """Write the pairs of each run. A miss is written too, and the next hit writes over it.

    Nothing has to be guessed so. What a run's last misses spoil is the first pair behind its own,
    which `_mend` writes again; an offset that the run has not spoils one pair behind all.
    """
    n_sites, end = codes.shape[1], starts[-1]
    for run in range(first, last):
        m0, m1, m2 = members[run, 0], members[run, 1], members[run, 2]
        p0 = starts[m0]
        p1 = starts[m1] if m1 >= 0 else end
        p2 = starts[m2] if m2 >= 0 else end
        for site in range(n_sites):
            code = np.int64(at(codes, run * n_sites + site))
            place, h0, h1, h2 = code >> 3, code & 1, (code >> 1) & 1, (code >> 2) & 1
            _put(inputs, outputs, p0, at(order, place), site)
            place, p0 = place + h0, p0 + h0
            _put(inputs, outputs, p1, at(order, place), site)
            place, p1 = place + h1, p1 + h1
            _put(inputs, outputs, p2, at(order, place), site)
            p2 += h2


@compiled
def _put(inputs, outputs, place, point, site):
    spot = np.uint64(place)
    inputs[spot], outputs[spot] = point, site


@compiled
def _mend(codes, order, members, starts, inputs, outputs):
    """Write the first pair of each offset."""
    for run in range(len(codes)):
        for bit in range(members.shape[1]):
            offset = members[run, bit]
            if offset >= 0 and starts[offset] < starts[offset + 1]:
                site = 0
                while not (codes[run, site] >> bit) & 1:
                    site += 1
                place = codes[run, site] >> 3
                for lower in range(bit):  # those found before it stand before it
                    place += (codes[run, site] >> lower) & 1
                inputs[starts[offset]], outputs[starts[offset]] = order[place], site


@compiled
def _turn_round(first, last, starts, inputs, outputs):
    """The last offsets' pairs: those of the first, each point a site and each site a point."""
    n_offsets = len(starts) - 1
    for offset in range(first, last):
        begin, end = starts[offset], starts[offset + 1]
        other = starts[n_offsets - 1 - offset]
        inputs[other : other + end - begin] = outputs[begin:end]
        outputs[other : other + end - begin] = inputs[begin:end]
