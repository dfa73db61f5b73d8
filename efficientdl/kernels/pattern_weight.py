"""Pruned filters as lists of taps, alike ones in fours: filter-kernel reorder.

Where four filters keep the same taps of an input channel, a pixel loaded once serves all four, and
one index stands for four weights.
"""

from dataclasses import dataclass
from functools import cached_property
from math import prod

import numpy as np
from jaxtyping import Float32, Int32, Int64

from efficientdl import _check
from efficientdl.kernels import cpu

Weight = Float32[np.ndarray, "c_out c_in r s"]

CHANNELS = 8  # of the input at a time: their pixels stay in the nearest cache for all filters
TOGETHER = 4  # filters that share a load
SHARING_PAYS = 1.25  # a MAC of a single filter takes so much longer than one of four together


@dataclass(frozen=True, eq=False)
class PatternWeight:
    """Filters as lists of taps, which cannot be written to. Make it with `pack_pattern`.

    Attributes:
        values: The weights of each tap, one for each filter of its group.
        channels: The input channel of each tap.
        taps: Its place in the kernel, line by line: 0..8 where that is 3 x 3.
        starts: Where each group's taps of each block of eight channels begin, and one more.
        order: The filters in the order of the groups; -1 where a group has fewer.
        shape: `c_out` and `c_in`.
        kernel: Lines and columns of the kernel.

    Raises:
        BadKind: A list is of another dtype.
        BadValue: The lists do not fit together.
    """

    values: Float32[np.ndarray, "taps group"]
    channels: Int32[np.ndarray, " taps"]
    taps: Int32[np.ndarray, " taps"]
    starts: Int64[np.ndarray, " n"]
    order: Int32[np.ndarray, " filters"]
    shape: tuple[int, int]
    kernel: tuple[int, int] = (3, 3)

    def __post_init__(self) -> None:
        _demand_dtypes(self)
        if not _fits(self):
            shapes = tuple(np.shape(getattr(self, name)) for name in DTYPES)
            _check.fail("PatternWeight", "lists", "must be as pack_pattern makes them", shapes)
        for name in DTYPES:
            own = getattr(self, name).copy()  # what was checked stays as it is
            own.flags.writeable = False
            object.__setattr__(self, name, own)

    @property
    def group(self) -> int:
        """How many filters share a tap: four or one."""
        return self.values.shape[1]

    @cached_property
    def columns(self) -> Int64[np.ndarray, " taps"]:
        """Channel and place of each tap in one: its column, were a filter a row of a matrix."""
        return self.channels.astype(np.int64) * prod(self.kernel) + self.taps


DTYPES = {
    "values": np.float32,
    "channels": np.int32,
    "taps": np.int32,
    "starts": np.int64,
    "order": np.int32,
}


def pack_pattern(weight: Weight) -> PatternWeight:
    """Put a pruned filter bank into lists of taps: filter-kernel reorder.

    Filters that keep the most taps in common are gathered in fours. If what they keep between them
    is little more than what each keeps, each tap is stored once for the four; else each filter has
    a list of its own. What is zero in all of them takes no room and no time.

    Args:
        weight: The filters, zeros where they are pruned.

    Raises:
        BadKind: The weight is not float32.
        BadValue: An axis is missing, or has the length zero.

    >>> pack_pattern(np.ones((4, 2, 3, 3), np.float32)).values.size
    72

    Source: Niu et al., "PatDNN", ASPLOS 2020, on filter-kernel reorder; lab 13.
    """
    demand_floats("pack_pattern", "weight", weight)
    if weight.ndim != 4 or not all(weight.shape):
        _check.fail("pack_pattern", "shape of weight", "must be c_out c_in r s", weight.shape)
    kept = weight.reshape(len(weight), -1) != 0
    order = _alike(kept)
    if cpu.has(cpu.AVX512):
        unions = sum(int(kept[four[four >= 0]].any(axis=0).sum()) for four in order.reshape(-1, 4))
        if TOGETHER * unions <= SHARING_PAYS * kept.sum():
            return _listed(weight, order, TOGETHER)
    return _listed(weight, order[order >= 0], 1)


def unpack_pattern(weight: PatternWeight) -> Weight:
    """The dense filters again.

    >>> ones = np.ones((4, 2, 3, 3), np.float32)
    >>> np.array_equal(unpack_pattern(pack_pattern(ones)), ones)
    True
    """
    (c_out, c_in), group = weight.shape, weight.group
    dense = np.zeros((c_out, c_in, prod(weight.kernel)), np.float32)
    n_groups = len(weight.order) // group
    of_group = np.repeat(np.arange(len(weight.starts) - 1) % n_groups, np.diff(weight.starts))
    for member in range(group):
        filters = weight.order[of_group * group + member]
        there = filters >= 0
        values = weight.values[there, member]
        dense[filters[there], weight.channels[there], weight.taps[there]] = values
    return dense.reshape(c_out, c_in, *weight.kernel)


def _alike(kept: np.ndarray) -> Int32[np.ndarray, " filters"]:
    """Filters in fours that keep much the same taps, those that keep most first; -1 fills up."""
    in_common = kept.astype(np.float32) @ kept.T.astype(np.float32)
    waiting = np.argsort(-kept.sum(axis=1), kind="stable")
    order: list[int] = []
    while len(waiting):
        first, others = waiting[0], waiting[1:]
        nearest = np.argsort(-in_common[first, others], kind="stable")
        order += [int(first), *others[nearest[:3]].tolist()]
        waiting = others[np.sort(nearest[3:])]
    order += [-1] * (-len(order) % TOGETHER)
    return np.array(order, np.int32)


def _listed(weight: Weight, order: np.ndarray, group: int) -> PatternWeight:
    c_out, c_in, *kernel = weight.shape
    n_taps = prod(kernel)
    n_blocks, n_groups = -(-c_in // CHANNELS), len(order) // group
    dense = np.zeros((len(order), n_blocks * CHANNELS, n_taps), np.float32)
    dense[order >= 0, :c_in] = weight.reshape(c_out, c_in, n_taps)[order[order >= 0]]
    grouped = dense.reshape(n_groups, group, n_blocks, CHANNELS, n_taps)
    block, of_group, channel, tap = (grouped != 0).any(axis=1).transpose(1, 0, 2, 3).nonzero()
    values = np.ascontiguousarray(grouped[of_group, :, block, channel, tap])
    counts = np.bincount(block * n_groups + of_group, minlength=n_blocks * n_groups)
    starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
    channels = (block * CHANNELS + channel).astype(np.int32)
    taps, ours = tap.astype(np.int32), order.astype(np.int32)
    sides = kernel[0], kernel[1]
    return PatternWeight(values, channels, taps, starts, ours, (c_out, c_in), sides)


def demand_floats(caller: str, name: str, array: np.ndarray) -> None:
    """Refuse what is not an array of float32."""
    _check.kind(caller, name, array, np.ndarray)
    if array.dtype != np.float32:
        raise _check.BadKind(f"{caller}: {name} must be float32, got {array.dtype}")


def _demand_dtypes(weight: PatternWeight) -> None:
    for name, dtype in DTYPES.items():
        array = getattr(weight, name)
        _check.kind("PatternWeight", name, array, np.ndarray)
        if array.dtype != dtype or array.ndim != 1 + (name == "values"):
            rule = f"PatternWeight: {name} must be a list of {np.dtype(dtype)}"
            raise _check.BadKind(f"{rule}, got {array.dtype} of {array.ndim} axes")


def _fits(weight: PatternWeight) -> bool:
    """Whether all lists go together and no index leads out."""
    values, channels, taps = weight.values, weight.channels, weight.taps
    starts, order, (c_out, c_in) = weight.starts, weight.order, weight.shape
    if values.shape[1] not in (1, TOGETHER) or min(c_in, *weight.kernel) < 1:
        return False
    n_taps, group = values.shape
    n_starts = -(-c_in // CHANNELS) * (len(order) // group) + 1
    lengths = len(channels) == len(taps) == n_taps and len(order) % group == 0
    if not lengths or len(starts) != n_starts or not (starts[0] == 0 and starts[-1] == n_taps):
        return False
    within = [(channels, c_in), (taps, prod(weight.kernel))]
    if any(len(a) and (a.min() < 0 or a.max() >= end) for a, end in within):
        return False
    filters = np.sort(order[order >= 0])
    return bool((np.diff(starts) >= 0).all()) and np.array_equal(filters, np.arange(c_out))
