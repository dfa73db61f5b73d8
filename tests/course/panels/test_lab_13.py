"""The panels of lab 13, every control at both ends, and their figures against other ways."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from efficientdl import datasets, models
from efficientdl.costs import Machine
from efficientdl.course import arenas
from efficientdl.course.panels import (
    lab_13,
    lab_13_crossing,
    lab_13_graphs,
    lab_13_layouts,
    lab_13_points,
)
from efficientdl.kernels import csr_matmul, sparse
from efficientdl.report import Cost
from efficientdl.systems.compiler import Graph, Value, fuse, memory, node, trace
from efficientdl.viz import Line, Points
from tests.course.panels.ends import demand_live


@pytest.fixture(scope="module")
def graph():
    return fuse(trace(models.trained("small_cnn_fashion"), models.example("small_cnn")))


def fork():
    """An input, two nodes that read it, and their sum."""
    x = Value("x", (1, 2, 3, 3))
    left, right = node("left", "relu", [x]), node("right", "sigmoid", [x])
    both = node("both", "add", [left.outputs[0], right.outputs[0]])
    return Graph((x,), {}, (left, right, both), ("both",))


@pytest.mark.parametrize("make", [lab_13.by_hand, lab_13.layouts])
def test_every_control_changes_the_view_and_all_stays_finite(make):
    demand_live(make())


@pytest.mark.slow
def test_the_scan_s_control_changes_the_view():
    demand_live(lab_13.scan())


@pytest.mark.slow
def test_the_patches_controls_change_the_view():
    demand_live(lab_13.patches(arenas.network()))


@pytest.mark.parametrize(("batch", "kept", "bits"), [(1, 100, 32), (8, 50, 8), (64, 5, 4)])
def test_by_hand_is_the_roofline_by_hand(batch, kept, bits):
    rows = lab_13.by_hand().set(batch=batch, kept=kept, bits=bits).table.rows
    weights = 1024 * 1024 * kept // 100
    moved = weights * bits / 8 + (2 * weights if kept < 100 else 0) + 8 * 1024 * batch
    least = max(weights * batch / 50e9, moved / 10e9)
    assert rows[1][1:3] == (weights * batch, int(moved))
    np.testing.assert_allclose(rows[1][4], 1e6 * least, rtol=1e-6)
    assert rows[1][5] == ("memory" if moved / 10e9 >= weights * batch / 50e9 else "arithmetic")


def test_the_cost_of_a_product_counts_what_is_kept():
    weight = np.float32([[0, 2, 0], [0, 0, 0]])
    cost = lab_13.product_cost(weight, np.ones((3, 5)))
    assert cost == Cost(macs=5, traffic_bytes=4 * (1 + 1 + 15 + 10))


def test_speeds_are_macs_by_seconds_and_share_of_the_roof():
    machine = Machine(peak_macs_per_s=1e9, bytes_per_s=1e9)
    calls = {
        "long": (lambda: sum(range(20000)), Cost(macs=1000, traffic_bytes=4000)),
        "short": (lambda: sum(range(20)), Cost(macs=1000, traffic_bytes=10)),
    }
    view = lab_13.under_the_roof(machine, calls, repeats=3)
    for (_, ms, speed, share), roof in zip(view.table.rows, (0.25e9, 1e9), strict=True):
        np.testing.assert_allclose(speed, 1000 / (ms / 1e3) / 1e9)
        np.testing.assert_allclose(share, 100 * speed * 1e9 / roof)
    assert view.text.startswith("'short' does most")
    assert view.figure.series[1].labels == ("long", "short")


@pytest.mark.parametrize("name", lab_13_layouts.LAYOUTS)
def test_each_layout_writes_every_kept_value_once(name):
    mask, _ = lab_13_layouts.LAYOUTS[name](40)
    entries = lab_13_layouts.order(name, mask)
    assert sorted(entries) == [tuple(entry) for entry in np.argwhere(mask).tolist()]


def test_the_orders_are_those_of_the_layouts():
    mask = np.ones((8, 16), np.bool_)
    by_block = lab_13_layouts.order("blocks of columns", mask)
    by_four = lab_13_layouts.order("four rows share", mask)
    assert by_block[:9] == [(0, c) for c in range(8)] + [(1, 0)]
    assert by_block[64] == (0, 8)
    assert by_four[:5] == [(0, 0), (1, 0), (2, 0), (3, 0), (0, 1)]
    assert by_four[64] == (4, 0)


@pytest.mark.parametrize("kept", [10, 30, 100])
def test_bytes_of_compressed_rows_are_scipy_s(kept):
    csr_array = pytest.importorskip("scipy.sparse").csr_array
    mask, places = lab_13_layouts.compressed_rows(kept)
    held = csr_array(np.where(mask, 1.0, 0.0).astype(np.float32))
    assert places == held.indices.nbytes + held.indptr.nbytes
    assert held.nnz == mask.sum() == round(128 * kept / 100)


@pytest.mark.parametrize("kept", [10, 50])
def test_a_place_takes_two_bytes_and_a_start_four(kept):
    mask, places = lab_13_layouts.blocks(kept)
    assert places == 2 * mask.sum() + 4 * (8 * 2 + 1)  # eight rows in two blocks, and the end
    mask, places = lab_13_layouts.vectors(kept)
    assert places == 2 * mask.sum() / 4 + 4 * (2 + 1)  # two groups of rows, and the end


def test_two_of_four_keeps_the_two_largest_of_each_group():
    mask, places = lab_13_layouts.two_of_four(0)
    size = np.abs(lab_13_layouts.corner()).reshape(-1, 4)
    groups = mask.reshape(-1, 4)
    assert (groups.sum(axis=1) == 2).all()
    for values, kept in zip(size, groups, strict=True):
        assert values[kept].min() >= values[~kept].max()
    assert places == 64 * 2 / 8


@pytest.mark.parametrize("density", [0.1, 0.5])
def test_what_is_timed_is_the_pruned_product(density):
    rng = np.random.default_rng(0)
    weight = rng.normal(size=(12, 20)).astype(np.float32)
    x = rng.normal(size=(20, 3)).astype(np.float32)
    kept = np.abs(weight) >= np.quantile(np.abs(weight), 1 - density)
    y = csr_matmul(*lab_13_crossing.by_magnitude(weight, density), x)
    np.testing.assert_allclose(y, np.where(kept, weight, 0) @ x, rtol=1e-4, atol=1e-5)
    norms = np.linalg.norm(weight.reshape(3, 4, 20), axis=1)
    fours = (norms >= np.quantile(norms, 1 - density)).repeat(4, axis=0)
    packed = sparse.pack_vectors(*lab_13_crossing.by_vectors(weight, density), 20)
    y = sparse.vector_matmul(packed, x)
    np.testing.assert_allclose(y, np.where(fours, weight, 0) @ x, rtol=1e-4, atol=1e-5)


def test_the_crossing_is_told_from_the_times():
    n = len(lab_13_crossing.DENSITIES)
    found = {"dense": [1.0] * n, "slow": [2.0] * n, "good": [0.1] * 4 + [3.0] * (n - 4)}
    view = lab_13_crossing.drawn(found)
    assert view.text == "Faster than the dense product: slow nowhere; good with up to 20 % kept."
    assert view.table.rows[4][1:] == (1.0, 2.0, 3.0)


def test_cells_are_those_that_hold_a_point():
    cells, box, pairs = lab_13_points.counted(2.0)
    xyz = datasets.load("vlp16").xyz.numpy()
    wanted = {tuple(place) for place in np.floor(xyz / np.float32(2)).astype(int).tolist()}
    assert {tuple(place) for place in cells.tolist()} == wanted
    low, high = np.min(list(wanted), axis=0), np.max(list(wanted), axis=0)
    assert box == np.prod(high - low + 1)
    steps = np.indices((3, 3, 3)).reshape(3, -1).T - 1
    beside = sum(tuple(np.add(c, s).tolist()) in wanted for c in wanted for s in steps)
    assert pairs == beside


def test_depth_and_edges_of_a_fork():
    graph = fork()
    assert set(lab_13_graphs.edges(graph)) == {
        ("input", "left"),
        ("input", "right"),
        ("left", "both"),
        ("right", "both"),
    }
    assert lab_13_graphs.spots(graph) == {
        "input": (0, 0),
        "left": (-0.5, -1),
        "right": (0.5, -1),
        "both": (0, -2),
    }


def test_a_sum_stands_below_the_deeper_of_what_it_reads():
    x = Value("x", (1, 2, 3, 3))
    one = node("one", "relu", [x])
    both = node("both", "add", [one.outputs[0], x])
    spots = lab_13_graphs.spots(Graph((x,), {}, (one, both), ("both",)))
    assert spots["both"] == (0, -2)


def test_the_stroke_walks_along_every_edge_and_no_other_way(graph):
    for one in (fork(), graph):
        path = lab_13_graphs.stroke(one)
        walked = [frozenset(pair) for pair in pairwise(path)]
        wanted = {frozenset(edge) for edge in lab_13_graphs.edges(one)}
        assert set(walked) == wanted
        assert len(walked) == 2 * len(wanted)


def test_graphs_side_by_side_say_what_each_costs(graph):
    view = lab_13.side_by_side({"one": graph, "two": fork()})
    cost = graph.cost()
    wanted = ("one", len(graph.nodes), cost.macs, cost.traffic_bytes, cost.activation_bytes)
    assert view.table.rows[0] == wanted
    line, points = view.figures[1].series
    assert isinstance(line, Line)
    assert isinstance(points, Points)
    assert points.labels == ("input", "relu 2", "sigmoid 2", "add 2")
    assert "conv+relu 16" in view.figures[0].series[1].labels


def test_the_arena_s_two_plans_are_safe(graph):
    program = memory.program_of(graph)
    view = lab_13.arena(program)
    lives = memory.lifetimes_of(program)
    for column, figure in zip((5, 6), view.figures, strict=True):
        addresses = {row[1]: row[column] for row in view.table.rows}
        plan = memory.Plan(lives, addresses)
        memory.check_plan(plan)
        assert f"{plan.peak_bytes:,} bytes" in figure.alt
    assert [row[2] for row in view.table.rows] == [life.n_bytes for life in lives.values()]


def test_patches_tell_what_the_judge_measures():
    panel = lab_13.patches(arenas.network())
    for in_place, row in ((False, 2), (True, 3)):
        choice = {"until": panel.state["until"], "rows": 3, "cols": 3, "in_place": in_place}
        plan = memory.plan_memory(memory.lifetimes_of(arenas.program(choice)))
        found = arenas.measure({**choice, "offsets": dict(plan.offsets)})
        assert panel.view.table.rows[row][2] == found["macs"]
        assert panel.view.table.rows[row][1] <= found["arena_bytes"]
    assert panel.set(rows=1, cols=1).table.rows[2][2] == panel.view.table.rows[0][2]


@pytest.mark.slow
def test_the_crossing_measures_four_ways_at_each_sparsity():
    rng = np.random.default_rng(0)
    weight = torch.from_numpy(rng.normal(size=(32, 64)).astype(np.float32)).numpy()
    view = lab_13.crossover(weight, rng.normal(size=(64, 8)).astype(np.float32), repeats=1)
    assert len(view.table.rows) == len(lab_13_crossing.DENSITIES)
    assert all(time > 0 for row in view.table.rows for time in row[1:])
