"""What SpArch's paper says of each idea, beside what this machine does on a matrix of ours.

The paper's factors are means over 20 large sparse matrices, which do not come with this library.
A graph from `rmat` is like some of them, only far smaller; so should the machine be. Which idea
pays and which one costs can then be compared, how much cannot: the paper's matrices have a
thousand times as many columns as condensed columns, a small graph only a few times as many.
"""

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
from jaxtyping import Int64

from efficientdl import _check
from efficientdl.report import table_text
from efficientdl.systems.hardware.run import Run

# How many times fewer accesses to DRAM each idea makes: the abstract.
TIMES_FEWER = {"condensed": 5.4, "Huffman": 1.8, "row buffer": 1.5}
TOGETHER = 2.8  # beside OuterSPACE: the abstract
# What these leave for the tree alone, 0.19: it makes more accesses, not fewer.
TREE_ALONE = TOGETHER / (5.4 * 1.8 * 1.5)


def rmat(n_doublings: int, n_edges: int, *, seed: int) -> Int64[np.ndarray, "n n"]:
    """The matrix of a random graph in which few nodes have most of the edges.

    Each edge falls into one of the four quarters of the matrix, then into a quarter of that, and
    so on, with the shares 0.57, 0.19, 0.19 and 0.05 that Graph500 uses. Edges that fall together
    count once.

    Args:
        n_doublings: The graph has `2 ** n_doublings` nodes.
        n_edges: Edges drawn.
        seed: Of the draw.

    >>> graph = rmat(5, 100, seed=0)
    >>> graph.shape, int(graph.max())
    ((32, 32), 9)

    Source: Chakrabarti, Zhan, Faloutsos, "R-MAT: A Recursive Model for Graph Mining", 2004.
    """
    _check.whole("rmat", "n_doublings", n_doublings, 1, 13)
    _check.whole("rmat", "n_edges", n_edges, 0)
    rng = np.random.default_rng(seed)
    quarters = rng.choice(4, (n_edges, n_doublings), p=[0.57, 0.19, 0.19, 0.05])
    powers = 2 ** np.arange(n_doublings)
    matrix = np.zeros((2**n_doublings, 2**n_doublings), np.int64)
    matrix[quarters // 2 @ powers, quarters % 2 @ powers] = rng.integers(1, 10, n_edges)
    return matrix


def beside_the_paper(runs: Mapping[str, Run]) -> str:
    """What `breakdown` found, as a table with the paper's factors.

    >>> from efficientdl.systems.hardware.spgemm.row_buffer import RowBuffer
    >>> from efficientdl.systems.hardware.spgemm.sparch import SpArch, breakdown
    >>> graph, machine = rmat(9, 4000, seed=0), SpArch(radix=8, buffer=RowBuffer(64, 8))
    >>> print(beside_the_paper(breakdown(graph, graph, machine=machine)))
    idea           DRAM bytes  times fewer  published
    -------------  ----------  -----------  ---------
    outer product   3,048,216
    merge tree      5,694,168         0.54       0.19
    condensed       5,119,916         1.11       5.40
    Huffman         2,572,332         1.99       1.80
    row buffer      1,941,960         1.32       1.50
    all together                      1.57       2.80
    """
    _check.kind("beside_the_paper", "runs", runs, Mapping)
    known = {"merge tree": TREE_ALONE, **TIMES_FEWER}
    sizes = [run.cost().traffic_bytes or 0 for run in runs.values()]
    times = ["", *(f"{a / b:.2f}" for a, b in pairwise(sizes))]
    rows = [["idea", "DRAM bytes", "times fewer", "published"]]
    for name, size, fewer in zip(runs, sizes, times, strict=True):
        rows.append([name, f"{size:,}", fewer, f"{known[name]:.2f}" if name in known else ""])
    rows.append(["all together", "", f"{sizes[0] / sizes[-1]:.2f}", f"{TOGETHER:.2f}"])
    return table_text(rows)
