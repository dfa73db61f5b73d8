"""Points: kernel maps beside NumPy, sparse convolutions beside torch and spconv."""

from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import numpy as np
import torch

from benchmarks.kernel_bars import LIMIT, Bar, Case, Entry, peaks, peers
from efficientdl.kernels.points import (
    KernelMap,
    cube,
    kernel_map,
    kernel_map_by_hash,
    kernel_map_by_sorting,
    sparse_conv,
    sparse_conv_by_gathering,
)

TITLE = "Points"
SIZES = {"10 thousand points": (10_000, 64), "100 thousand points": (100_000, 200)}
CHANNELS = ((64, 64), (16, 64))
NUMPY, SPCONV = "NumPy", "spconv"
NOTE = (
    "Points of synthetic surfaces in a grid. NumPy sorts the keys and searches them, offset by "
    "offset, and writes the same pairs. spconv, where it is installed, multiplies with its map "
    "cached, on one thread."
)


def cases(n_threads: int) -> Iterator[Case]:
    """Maps of sorted and of unsorted points, then convolutions."""
    for name, (n, side) in SIZES.items():
        points = surface(n, side)
        shuffled = np.random.default_rng(1).permutation(points)
        yield _map(f"map, {name}, sorted", points, 20.0)
        yield _map(f"map, {name}, unsorted", shuffled, 10.0)
        for channels in CHANNELS:
            yield _convolution(name, points, side, channels, n_threads)


def surface(n: int, side: int) -> np.ndarray:
    """About `n` cells of spheres' surfaces in a grid, each once, in order.

    >>> surface(100, 16).shape[1]
    3
    """
    rng = np.random.default_rng(0)
    found = np.zeros((0, 3), np.int32)
    while len(found) < n:
        middle, radius = rng.uniform(0.2 * side, 0.8 * side, 3), rng.uniform(0.1, 0.3) * side
        ways = rng.standard_normal((4 * n, 3))
        ways /= np.linalg.norm(ways, axis=1, keepdims=True)
        cells = np.floor(middle + radius * ways).astype(np.int32)
        cells = cells[((cells >= 0) & (cells < side)).all(axis=1)]
        found = np.unique(np.concatenate([found, cells]), axis=0)
    kept = np.sort(rng.permutation(len(found))[:n])
    return np.ascontiguousarray(found[kept], np.int32)


def _flat(pairs: KernelMap) -> np.ndarray:
    return np.concatenate([pairs.inputs, pairs.outputs, pairs.starts])


def _map(name: str, points: np.ndarray, least: float) -> Case:
    offsets = cube(3, 3)
    ways: dict[str, Callable[[], KernelMap]] = {
        "kernel_map": lambda: kernel_map(points, points, offsets),
        "by sorting": lambda: kernel_map_by_sorting(points, points, offsets),
        "by hash": lambda: kernel_map_by_hash(points, points, offsets),
        NUMPY: lambda: map_of_numpy(points, offsets),
    }
    entries = {k: Entry(f, 0.0, seen=_flat, counts=k == NUMPY) for k, f in ways.items()}
    want = _flat(ways[NUMPY]())
    note = f"{len(ways[NUMPY]().inputs) / len(points):.1f} neighbours a point"
    return Case(name, "kernel_map", entries, want, [Bar(least, (NUMPY,))], len(points), "", note)


def map_of_numpy(points: np.ndarray, offsets: np.ndarray) -> KernelMap:
    """Keys sorted once, and searched for each offset: the map as NumPy makes it.

    >>> line = np.int32([[0], [1], [3]])
    >>> map_of_numpy(line, cube(3, 1)).starts.tolist()
    [0, 1, 4, 5]
    """
    low = points.min(axis=0) - 1
    sides = points.max(axis=0) - low + 2
    keys = np.ravel_multi_index(tuple((points - low).T), tuple(sides))
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    inputs, outputs, counts = [], [], [0]
    steps = offsets @ np.append(np.cumprod(sides[:0:-1])[::-1], 1).astype(np.int64)
    for step in steps:
        places = np.minimum(np.searchsorted(ordered, keys + step), len(keys) - 1)
        sites = np.flatnonzero(ordered[places] == keys + step)
        inputs.append(order[places[sites]])
        outputs.append(sites)
        counts.append(len(sites))
    pairs = (np.concatenate(part).astype(np.int32) for part in (inputs, outputs))
    return KernelMap(*pairs, np.cumsum(counts), len(points))


def _convolution(
    name: str, points: np.ndarray, side: int, channels: tuple[int, int], n_threads: int
) -> Case:
    c_in, c_out = channels
    rng = np.random.default_rng(0)
    pairs = kernel_map(points, points, cube(3, 3))
    x = rng.standard_normal((len(points), c_in)).astype(np.float32)
    weight = (0.05 * rng.standard_normal((27, c_in, c_out))).astype(np.float32)
    gathered = sparse_conv_by_gathering(x, weight, pairs)
    entries = {
        "sparse_conv": Entry(lambda: sparse_conv(x, weight, pairs)),
        "torch, gathering": Entry(_of_torch(x, weight, pairs)),
    }
    if n_threads == 1 and peers.here("spconv"):
        entries[SPCONV] = Entry(_of_spconv(x, weight, points, side), 1e-3)
    bars = [Bar(2.0)] + ([Bar(0.8, LIMIT)] if min(channels) >= 64 else [])
    work = len(pairs.inputs) * c_in * c_out
    named = f"{name}, {c_in} to {c_out} channels"
    return Case(named, "sparse_conv", entries, gathered, bars, work, peaks.FMA)


def _of_torch(x: np.ndarray, weight: np.ndarray, pairs: KernelMap) -> Callable[[], Any]:
    """Gather, multiply, scatter."""
    ends = [slice(a, b) for a, b in zip(pairs.starts[:-1], pairs.starts[1:], strict=True)]
    lists = [
        tuple(
            torch.from_numpy(part[end].astype(np.int64)) for part in (pairs.inputs, pairs.outputs)
        )
        for end in ends
    ]
    features, filters = torch.from_numpy(x), torch.from_numpy(weight)

    def call() -> torch.Tensor:
        y = torch.zeros(pairs.n_outputs, filters.shape[2])
        for (inputs, outputs), matrix in zip(lists, filters, strict=True):
            y.index_add_(0, outputs, features.index_select(0, inputs) @ matrix)
        return y

    return call


def _of_spconv(
    x: np.ndarray, weight: np.ndarray, points: np.ndarray, side: int
) -> Callable[[], Any]:
    """spconv's submanifold convolution, with its map made beforehand."""
    spconv: Any = import_module("spconv.pytorch")
    c_in, c_out = weight.shape[1:]
    layer = spconv.SubMConv3d(
        c_in, c_out, 3, bias=False, indice_key="map", algo=spconv.ConvAlgo.Native
    )
    filters = torch.from_numpy(weight.reshape(3, 3, 3, c_in, c_out))
    with torch.no_grad():
        layer.weight.copy_(filters.permute(4, 0, 1, 2, 3).reshape(layer.weight.shape))
    places = torch.from_numpy(np.pad(points, ((0, 0), (1, 0))))
    features = torch.from_numpy(x)
    known = layer(spconv.SparseConvTensor(features, places, [side] * 3, 1))
    given = known.replace_feature(features)
    return lambda: layer(given).features
