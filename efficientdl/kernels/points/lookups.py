"""Three ways to look points up by their keys: a grid of bits, a hash table, two sorted lists.

Each writes, for a run of up to three keys from each site, one code: `8 * place + mask`. The mask's
bits say which of the three are there; the points found stand side by side from `place` on in an
order, which comes with the codes. Numbers of points with each offset come too. None is given where
a point comes twice.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Int32, Int64
from llvmlite import ir
from numba import types

from efficientdl import _check
from efficientdl.kernels.compiled import compiled
from efficientdl.kernels.points.keys import RUN, Keyed, Runs, in_order
from efficientdl.kernels.simd import at
from efficientdl.kernels.simd.register import Llvm, call, operation
from efficientdl.kernels.threads import deal

Codes = Int32[np.ndarray, "runs sites"]
Counts = Int64[np.ndarray, "runs 3"]
Order = Int32[np.ndarray, "_"]


class Found(NamedTuple):
    """What a way to look up has found.

    Attributes:
        codes: For each run and site, `8 * place + mask`.
        counts: How many points each step of a run has met.
        order: The points, in the order that places count in.
        members: Which offsets the steps of a run are.
    """

    codes: Codes
    counts: Counts
    order: Order
    members: Int64[np.ndarray, "runs 3"]


MOST_BITS = 2**32  # half a gigabyte of them
EMPTY = np.int64(-1)
LARGEST = np.iinfo(np.int64).max
FACTOR = np.int64(0x4F1BBCDD)  # half of 2**32 over the golden ratio: keys side by side land apart
LOW = np.int64(0xFFFFFFFF)

_1, _63 = np.uint64(1), np.uint64(63)


def _room(keys: Keyed, n_runs: int) -> tuple[Codes, Counts]:
    return np.empty((n_runs, len(keys.sites)), np.int32), np.zeros((n_runs, RUN), np.int64)


def by_grid(keys: Keyed, runs: Runs) -> Found | None:
    """One bit for each cell of the box, and the number of bits before each word of 64."""
    if keys.n_cells > MOST_BITS:
        _check.fail(
            "kernel_map_by_grid", "box", f"must have at most {MOST_BITS} cells", keys.n_cells
        )
    n_words = keys.n_cells // 64 + 2
    bits, before = np.zeros(n_words, np.uint64), np.empty(n_words, np.int32)
    order = np.zeros(len(keys.points) + RUN, np.int32)
    if not _fill_grid(keys.points, bits, before, order):
        return None
    codes, counts = _room(keys, len(runs.first))
    n_each = (runs.members >= 0).sum(axis=1)
    asked = (runs.first, n_each)
    deal(_ask_grid, len(codes), keys.sites, asked, (bits, before), codes, counts)
    return Found(codes, counts, order, runs.members)


def by_hash(keys: Keyed, _runs: Runs) -> Found | None:
    """A table twice as long as the list of points or more; every key is looked up by itself."""
    log = max((2 * len(keys.points) - 1).bit_length(), 1)
    table, places = np.full(1 << log, EMPTY), np.zeros(1 << log, np.int32)
    if not _fill_hash(keys.points, log, table, places):
        return None
    codes, counts = _room(keys, len(keys.steps))
    deal(_ask_hash, len(codes), keys.sites, keys.steps, (log, table, places), codes, counts)
    order = np.arange(len(keys.points) + RUN, dtype=np.int32)
    alone = np.full((len(codes), RUN), -1, np.int64)  # each offset is a run of its own
    alone[:, 0] = np.arange(len(codes))
    return Found(codes, counts, order, alone)


def by_order(keys: Keyed, runs: Runs) -> Found | None:
    """Both lists sorted; for each run, one walk along the two."""
    points, order = in_order(keys.points, keys.n_cells)
    if (points[1:] == points[:-1]).any():
        return None
    sites, site_order = points, order
    if keys.sites is not keys.points:
        # a site may lie outside the box; its neighbours do not, and they are in the same order
        neighbours, site_order = in_order(keys.sites + runs.first[0], keys.n_cells)
        sites = neighbours - runs.first[0]
    points = np.concatenate([points, np.full(RUN + 1, LARGEST)])  # where every walk ends
    order = np.concatenate([order, np.zeros(RUN, np.int32)])
    codes, counts = _room(keys, len(runs.first))
    n_each = (runs.members >= 0).sum(axis=1)
    asked = (runs.first, n_each)
    deal(_walk, len(codes), points, (sites, site_order), asked, codes, counts)
    return Found(codes, counts, order, runs.members)


def _count_bits(builder: Llvm, _context: object, _signature: Llvm, args: Llvm) -> Llvm:
    return call(builder, "llvm.ctpop.i64", ir.IntType(64), args)


@operation(lambda word: types.int64 if word == types.uint64 else None, _count_bits)
def _ones(word: np.uint64) -> np.int64:
    """How many bits of a word are set."""
    return np.int64(np.bitwise_count(word))


@compiled
def _fill_grid(points, bits, before, order):
    for key in points:
        bit = _1 << (np.uint64(key) & _63)
        if bits[key >> 6] & bit:
            return False
        bits[key >> 6] |= bit
    total = 0
    for word in range(len(bits)):
        before[word] = total
        total += _ones(bits[word])
    for i in range(len(points)):
        word = points[i] >> 6
        below = bits[word] & ((_1 << (np.uint64(points[i]) & _63)) - _1)
        order[before[word] + _ones(below)] = i
    return True


@compiled
def _ask_grid(first, last, sites, runs, grid, codes, counts):
    (steps, n_each), (bits, before) = runs, grid
    n_sites = len(sites)
    for run in range(first, last):
        step, all_of_it = steps[run], np.uint64((1 << n_each[run]) - 1)
        c0 = c1 = c2 = 0
        for site in range(n_sites):
            key = at(sites, site) + step
            word, bit = key >> 6, np.uint64(key) & _63
            here = at(bits, word)
            # those of the next word come in from above; a shift by 64 would be undefined
            window = (here >> bit) | ((at(bits, word + 1) << _1) << (_63 - bit))
            mask = np.int64(window & all_of_it)
            place = at(before, word) + _ones(here & ((_1 << bit) - _1))
            codes[run, np.uint64(site)] = 8 * place + mask
            c0, c1, c2 = c0 + (mask & 1), c1 + ((mask >> 1) & 1), c2 + (mask >> 2)
        counts[run, 0], counts[run, 1], counts[run, 2] = c0, c1, c2


@compiled
def _slot(key, log):
    """Where a key would stand: the upper bits of the lower half of a product."""
    mixed = (key ^ (key >> 32)) & LOW
    return ((mixed * FACTOR) & LOW) >> (32 - log)


@compiled
def _fill_hash(points, log, table, places):
    mask = (1 << log) - 1
    for i in range(len(points)):
        slot = _slot(points[i], log)
        while table[slot] != EMPTY:
            if table[slot] == points[i]:
                return False
            slot = (slot + 1) & mask
        table[slot], places[slot] = points[i], i
    return True


@compiled
def _ask_hash(first, last, sites, steps, hashed, codes, counts):
    log, table, places = hashed
    mask = (1 << log) - 1
    for offset in range(first, last):
        count = 0
        for site in range(len(sites)):
            key = sites[site] + steps[offset]
            slot = _slot(key, log)
            while at(table, slot) != EMPTY and at(table, slot) != key:
                slot = (slot + 1) & mask
            found = np.int64(at(table, slot) == key)
            codes[offset, site] = 8 * at(places, slot) * found + found
            count += found
        counts[offset, 0] = count


@compiled
def _walk(first, last, points, shifted, runs, codes, counts):
    (sites, site_order), (steps, n_each) = shifted, runs
    for run in range(first, last):
        step, all_of_it = steps[run], (1 << n_each[run]) - 1
        c0 = c1 = c2 = 0
        place = 0
        for i in range(len(sites)):
            key = at(sites, i) + step
            while at(points, place) < key:
                place += 1
            h0 = np.int64(at(points, place) == key)
            h1 = np.int64(at(points, place + h0) == key + 1)
            h2 = np.int64(at(points, place + h0 + h1) == key + 2)
            mask = (h0 | (h1 << 1) | (h2 << 2)) & all_of_it
            codes[run, at(site_order, i)] = 8 * place + mask
            c0, c1, c2 = c0 + (mask & 1), c1 + ((mask >> 1) & 1), c2 + (mask >> 2)
        counts[run, 0], counts[run, 1], counts[run, 2] = c0, c1, c2
