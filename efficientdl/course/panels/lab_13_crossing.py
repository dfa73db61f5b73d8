"""Lab 13's table of the crossing: from which sparsity on does a sparse kernel win here?"""

from functools import partial

import numpy as np
import torch
from jaxtyping import Float32

from efficientdl import costs
from efficientdl.kernels import csr_matmul, sparse
from efficientdl.progress import progress
from efficientdl.viz import Axis, Figure, Line, Table, View

DENSITIES = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7)
HEIGHT = 4  # rows that share columns
Matrix = Float32[np.ndarray, "m k"]
Rows = tuple[np.ndarray, np.ndarray, np.ndarray]


def compressed(kept: np.ndarray, values: np.ndarray) -> Rows:
    """Values, columns and row starts of what is kept; a value may be a vector."""
    rows, columns = (i.astype(np.int32) for i in kept.nonzero())
    starts = np.searchsorted(rows, np.arange(len(kept) + 1)).astype(np.int32)
    return values[rows, columns], columns, starts


def by_magnitude(weight: Matrix, density: float) -> Rows:
    """The largest weights, wherever they are, in compressed rows."""
    size = np.abs(weight)
    return compressed(size >= np.quantile(size, 1 - density), weight)


def by_vectors(weight: Matrix, density: float) -> Rows:
    """The largest columns of four rows each, as vectors in compressed rows."""
    groups = weight.reshape(-1, HEIGHT, weight.shape[1])
    size = np.linalg.norm(groups, axis=1)
    vectors = np.ascontiguousarray(groups.transpose(0, 2, 1))
    return compressed(size >= np.quantile(size, 1 - density), vectors)


def crossover(weight: Matrix, x: Float32[np.ndarray, "k n"], *, repeats: int) -> View:
    """Time the dense product and three sparse ones of a layer, at several sparsities.

    Args:
        weight: The layer, a multiple of four rows.
        x: What it is multiplied by.
        repeats: Turns at each sparsity.
    """
    k, dense, columns = weight.shape[1], torch.from_numpy(weight), torch.from_numpy(x)
    found: dict[str, list[float]] = {}
    for density in progress(DENSITIES, "timing sparsities"):
        csr, vectors = by_magnitude(weight, density), by_vectors(weight, density)
        blocks, fours = sparse.pack_blocks(*csr, k), sparse.pack_vectors(*vectors, k)
        calls = {
            "dense, torch": partial(torch.mm, dense, columns),
            "compressed rows": partial(csr_matmul, *csr, x),
            "blocks": partial(sparse.block_matmul, blocks, x),
            "four rows share": partial(sparse.vector_matmul, fours, x),
        }
        for name, taken in costs.compare(calls, repeats=repeats).latencies.items():
            found.setdefault(name, []).append(1e3 * taken.median_s)
    return drawn(found)


def drawn(found: dict[str, list[float]]) -> View:
    """Times in milliseconds at each of `DENSITIES`, by name; the dense one first."""
    dense, *others = found
    said = []
    for name in others:
        pairs = zip(DENSITIES, found[name], found[dense], strict=True)
        faster = [density for density, ours, theirs in pairs if ours < theirs]
        ends = f"with up to {100 * max(faster):.0f} % kept" if faster else "nowhere"
        said.append(f"{name} {ends}")
    text = f"Faster than the dense product: {'; '.join(said)}."
    percent = [100 * density for density in DENSITIES]
    figure = Figure(
        "Time against the weights kept",
        Axis("weights kept", "%", log=True),
        Axis("time", "ms", log=True),
        tuple(Line(name, percent, times, markers=True) for name, times in found.items()),
        alt=text,
    )
    rows = tuple((d, *values) for d, *values in zip(percent, *found.values(), strict=True))
    table = Table("Milliseconds", ("weights kept (%)", *found), rows)
    return View(figure, table, text)
