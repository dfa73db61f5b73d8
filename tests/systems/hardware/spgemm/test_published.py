import numpy as np
import pytest

from efficientdl.systems.hardware.spgemm.published import TREE_ALONE, beside_the_paper, rmat
from efficientdl.systems.hardware.spgemm.sparch import SpArch, breakdown


def test_edges_fall_as_the_shares_say():
    graph = rmat(7, 400, seed=0)
    rng = np.random.default_rng(0)  # the same draw, edge by edge
    expected = set()
    for quarters in rng.choice(4, (400, 7), p=[0.57, 0.19, 0.19, 0.05]):
        row = column = size = 0
        for size, quarter in enumerate(quarters):
            row += (quarter >= 2) * 2**size
            column += (quarter % 2) * 2**size
        expected.add((row, column))
    assert set(zip(*map(np.ndarray.tolist, graph.nonzero()), strict=True)) == expected


def test_few_nodes_have_most_edges():
    """A share of 0.76 ** 10 of the rows' edges is in row 0: more than 60 times the mean."""
    degrees = (rmat(10, 20000, seed=1) > 0).sum(axis=1)
    assert degrees[0] > 15 * degrees.mean()  # edges that fall together count once


def test_the_table_has_our_factors_and_the_papers():
    graph = rmat(6, 200, seed=0)
    runs = breakdown(graph, graph, machine=SpArch(radix=4))
    table = beside_the_paper(runs).splitlines()
    sizes = [run.cost().traffic_bytes for run in runs.values()]
    assert table[3].split() == [
        "merge",
        "tree",
        f"{sizes[1]:,}",
        f"{sizes[0] / sizes[1]:.2f}",
        "0.19",
    ]
    assert table[-1].split() == ["all", "together", f"{sizes[0] / sizes[-1]:.2f}", "2.80"]
    np.testing.assert_allclose(TREE_ALONE * 5.4 * 1.8 * 1.5, 2.8)


def test_what_is_no_graph():
    with pytest.raises(ValueError, match=r"rmat: n_doublings must be .* in \[1, 13\], got 14"):
        rmat(14, 1, seed=0)
    with pytest.raises(TypeError, match=r"beside_the_paper: runs must be a Mapping, got \[\]"):
        beside_the_paper([])
