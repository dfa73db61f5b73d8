"""Sparse times dense: single weights, vectors of four rows, and two of four."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import scipy.sparse
import torch

from benchmarks.kernel_bars import Bar, Case, Entry, peaks, peers
from efficientdl.kernels import cpu
from efficientdl.kernels.sparse import (
    block_matmul,
    n_of_m_matmul,
    pack_blocks,
    pack_n_of_m,
    pack_vectors,
    vector_matmul,
)

TITLE = "Sparse times dense"
FULL = {"fully connected": (4096, 4096, 64), "BERT's first": (3072, 768, 128)}
DENSITIES = {"fully connected": (0.7, 0.65, 0.5, 0.2, 0.1, 0.02), "BERT's first": (0.5, 0.2, 0.1)}
AT_LEAST = {0.65: 1.0, 0.5: 1.3, 0.2: 2.5, 0.1: 4.5}  # times oneDNN with packed weights
FEW = {0.5: 1.1, 0.1: 3.5}  # of eight columns
VECTORS = {0.5: 1.9, 0.1: 8.0}
WIDE = (cpu.AVX512,)
NOTE = (
    "`x` lies as each likes it: its columns side by side for the sparse ones, batch first for the "
    "dense layers; 'batch first' is ours from and to a dense layer's layout. Dense layers "
    "multiply by the zeros too."
)


def cases(_n_threads: int) -> Iterator[Case]:
    """One case for each form, size and share of weights kept."""
    for name, sizes in FULL.items():
        for density in DENSITIES[name]:
            yield _single(name, sizes, density, AT_LEAST)
        for density in VECTORS:
            yield _vectors(name, sizes, density)
        yield _two_of_four(name, sizes)
    for density, least in FEW.items():
        yield _single("fully connected", (4096, 4096, 8), density, {density: least})


def _drawn(sizes: tuple[int, int, int], mask: Callable[..., Any]) -> tuple[np.ndarray, np.ndarray]:
    """A weight with its zeros, and `x`."""
    m, k, n = sizes
    rng = np.random.default_rng(0)
    weight = rng.standard_normal((m, k), np.float32) * mask(rng, m, k)
    return weight, rng.standard_normal((k, n), np.float32)


def _named(name: str, sizes: tuple[int, int, int], what: str) -> str:
    m, k, n = sizes
    return f"{name} {m} x {k}, batch {n}, {what}"


def _dense(weight: np.ndarray, x: np.ndarray) -> dict[str, Entry]:
    batch_first = torch.from_numpy(np.ascontiguousarray(x.T))
    return peers.linears(torch.from_numpy(weight), batch_first, seen=lambda y: y.T)


def _single(
    name: str, sizes: tuple[int, int, int], density: float, bars: dict[float, float]
) -> Case:
    weight, x = _drawn(sizes, lambda rng, m, k: rng.random((m, k), np.float32) < density)
    rows = scipy.sparse.csr_matrix(weight)
    packed = pack_blocks(rows.data, rows.indices, rows.indptr, sizes[1], sizes[2])
    x_first = np.ascontiguousarray(x.T)
    torchs = torch.sparse_csr_tensor(
        *(torch.from_numpy(part) for part in (rows.indptr, rows.indices, rows.data)), weight.shape
    )
    x_torch = torch.from_numpy(x)
    ours = {
        "block_matmul": Entry(lambda: block_matmul(packed, x)),
        "block_matmul, batch first": Entry(
            lambda: block_matmul(packed, x_first.T).T, seen=lambda y: y.T, counts=False
        ),
    }
    compressed = {
        peers.MKL_CSR: Entry(lambda: torchs @ x_torch),
        peers.SCIPY_CSR: Entry(lambda: rows @ x),
    }
    asked = [Bar(bars[density], (peers.PREPACKED,))] if density in bars else []
    if sizes[2] >= 64:
        asked.append(Bar(2.5, (peers.MKL_CSR,)))
    return Case(
        _named(name, sizes, f"{100 * density:.0f} % kept"),
        "block_matmul",
        ours | _dense(weight, x) | compressed,
        weight @ x,
        asked,
        rows.nnz * sizes[2],
        peaks.FMA_LOAD,
    )


def _vectors(name: str, sizes: tuple[int, int, int], density: float) -> Case:
    def mask(rng: np.random.Generator, m: int, k: int) -> np.ndarray:
        return np.repeat(rng.random((m // 4, k), np.float32) < density, 4, axis=0)

    weight, x = _drawn(sizes, mask)
    m, k, n = sizes
    groups = scipy.sparse.csr_matrix((weight.reshape(m // 4, 4, k) != 0).any(axis=1))
    of_group = np.repeat(np.arange(m // 4), np.diff(groups.indptr))
    values = weight.reshape(m // 4, 4, k)[of_group, :, groups.indices]
    packed = pack_vectors(np.ascontiguousarray(values), groups.indices, groups.indptr, k)
    return Case(
        _named(name, sizes, f"{100 * density:.0f} % kept, 4 x 1"),
        "vector_matmul",
        {"vector_matmul": Entry(lambda: vector_matmul(packed, x))} | _dense(weight, x),
        weight @ x,
        [Bar(VECTORS[density], (peers.PREPACKED,), asks=WIDE)],
        values.size * n,
        peaks.FMA_LOAD,
    )


def _two_of_four(name: str, sizes: tuple[int, int, int]) -> Case:
    def mask(rng: np.random.Generator, m: int, k: int) -> np.ndarray:
        score = rng.random((m, k // 4, 4), np.float32)
        return (score >= np.sort(score, axis=2)[:, :, 2:3]).reshape(m, k)

    weight, x = _drawn(sizes, mask)
    packed = pack_n_of_m(weight, 2, 4)
    return Case(
        _named(name, sizes, "two of four"),
        "n_of_m_matmul",
        {"n_of_m_matmul": Entry(lambda: n_of_m_matmul(packed, x))} | _dense(weight, x),
        weight @ x,
        [Bar(1.5, (peers.PREPACKED,))],
        weight.size // 2 * sizes[2],
        peaks.FMA_LOAD,
    )
