"""Sparse times one vector: whoever reads the fewest bytes is first."""

from collections.abc import Iterator

import numpy as np
import scipy.sparse
import torch

from benchmarks.kernel_bars import Bar, Case, Entry, peaks, peers
from efficientdl.kernels.sparse import matvec, pack_matvec

TITLE = "Sparse times one vector"
SIDE = 4096
DENSITIES = (0.7, 0.5, 0.3, 0.2, 0.1, 0.05, 0.02)
NEVER_SLOWER = 0.97  # of the fastest, within the spread
NOTE = "The share is of the rate at which the packed weight's bytes could be read from memory."


def cases(_n_threads: int) -> Iterator[Case]:
    """One case for each share of weights kept."""
    rng = np.random.default_rng(0)
    full = rng.standard_normal((SIDE, SIDE), np.float32)
    score, x = rng.random((SIDE, SIDE), np.float32), rng.standard_normal(SIDE, np.float32)
    for density in DENSITIES:
        yield _case(full * (score < density), x, density)


def _case(weight: np.ndarray, x: np.ndarray, density: float) -> Case:
    rows = scipy.sparse.csr_matrix(weight)
    packed = pack_matvec(rows.data, rows.indices, rows.indptr, SIDE)
    torchs = torch.sparse_csr_tensor(
        *(torch.from_numpy(part) for part in (rows.indptr, rows.indices, rows.data)), weight.shape
    )
    dense, x_torch = torch.from_numpy(weight), torch.from_numpy(x)
    entries = {
        "matvec": Entry(lambda: matvec(packed, x)),
        peers.MKL_CSR: Entry(lambda: torchs @ x_torch),
        peers.SCIPY_CSR: Entry(lambda: rows @ x),
        "torch.mv": Entry(lambda: torch.mv(dense, x_torch)),
        "NumPy": Entry(lambda: weight @ x),
    }
    entries |= peers.linears(dense, x_torch[None], seen=lambda y: y[0])
    return Case(
        f"{SIDE} x {SIDE}, {100 * density:.0f} % kept",
        "matvec",
        entries,
        weight @ x,
        [Bar(NEVER_SLOWER)],
        packed.n_bytes,
        peaks.DRAM,
        f"packed as {type(packed).__name__}, {packed.n_bytes / rows.nnz:.1f} bytes a weight kept",
    )
