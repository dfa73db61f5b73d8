"""The panels of lab 14, every control at both ends, and their figures against other ways."""

import ast
from pathlib import Path

import numpy as np
import pytest
import torch

from efficientdl import catalogue, models
from efficientdl.course.panels import (
    lab_14,
    lab_14_crossing,
    lab_14_dataflows,
    lab_14_design,
    lab_14_memory,
    lab_14_waves,
    lab_14_zeros,
)
from efficientdl.course.source import read_lab
from efficientdl.systems.hardware import Arch, Array, Dram, EnergyTable, Gemm, Run, memory, presets
from efficientdl.systems.hardware.memory import Kind
from efficientdl.systems.hardware.simulate import State
from tests.course.panels.ends import demand_live


@pytest.mark.parametrize("make", [lab_14.by_hand, lab_14.widths])
def test_every_control_changes_the_view_and_all_stays_finite(make):
    demand_live(make())


@pytest.mark.slow
def test_the_queues_controls_change_the_view():
    demand_live(lab_14.queues())


def test_by_hand_has_four_layers_and_counts_their_units():
    panel = lab_14.by_hand()
    rows = panel.set(rows=8, cols=20, dataflow="output stationary").table.rows
    macs = 56 * 56 * 9 * 64 * 64, 56 * 56 * 24 * 144, 56 * 56 * 9 * 144, 1280 * 1000
    assert tuple(row[1] for row in rows) == macs
    for _, n, cycles, share, _ in rows:
        np.testing.assert_allclose(share, 100 * n / (cycles * 160))


def test_by_hand_one_row_of_sums_takes_a_cycle_for_each_word():
    """One column and one filter: each fold of r pixels takes the longer of k = 9 and r."""
    rows = lab_14.by_hand().set(rows=8, cols=4, dataflow="output stationary").table.rows
    folds = 56 * 56 // 8
    assert rows[2][2] == 144 * ((folds - 1) * 9 + 9 + 8 + 4 - 2 + 8)


@pytest.mark.slow
@pytest.mark.parametrize("network", ["resnet50", "mobilenet_v2"])
def test_the_layers_of_a_network_have_its_macs(network):
    model, x, macs = models.skeleton(network), models.example(network).to("meta"), 0

    def add(layer, _, y):
        nonlocal macs
        macs += y.numel() * layer.weight[0].numel()

    for layer in model.modules():
        if isinstance(layer, torch.nn.Conv2d | torch.nn.Linear):
            layer.register_forward_hook(add)
    model.eval()(x)
    assert sum(layer.macs for layer in lab_14.layers_of(network).values()) == macs


def test_eight_bits_are_off_by_half_a_step_at_most():
    x = torch.randn(40, generator=torch.Generator().manual_seed(0))
    step = x.abs().max() / 127
    codes = lab_14.eight_bits(x)
    assert codes.dtype == np.int8
    assert np.abs(codes).max() == 127
    assert np.abs(codes * step.item() - x.numpy()).max() <= step / 2 * (1 + 1e-5)  # float32


@pytest.mark.parametrize("stays", lab_14_waves.STAYS)
def test_the_waves_end_in_the_product_and_no_mac_is_lost(stays):
    frames = lab_14_waves.frames(stays)
    rng = np.random.default_rng(0)
    shapes = lab_14_waves.PRODUCT.x_shape, lab_14_waves.PRODUCT.weight_shape
    x, weight = (rng.integers(1, 4, shape) for shape in shapes)
    np.testing.assert_array_equal(frames[-1].y, x @ weight)
    busy = sum(int((frame.state == State.MULTIPLIES).sum()) for frame in frames)
    assert busy == lab_14_waves.PRODUCT.macs


def test_the_slider_reaches_the_last_cycle_of_all():
    lengths = [len(lab_14_waves.frames(stays)) for stays in lab_14_waves.STAYS]
    assert max(lengths) - 1 == lab_14_waves.LAST
    views = [
        lab_14.waves().set(stays="sums", cycle=t) for t in (min(lengths) - 1, max(lengths) - 1)
    ]
    assert views[0].text == views[1].text  # the shorter ones stop at their end


def test_energies_are_words_times_their_price_for_each_mac():
    table = EnergyTable("toy", mac_pj=2, word_pj={"buffer": 6, "dram": 100}, word_bits=16)
    runs = {
        "one": Run(cycles=5, macs=10, n_units=2, accesses={"buffer": {"x": 20}, "dram": {"x": 1}}),
        "two": Run(cycles=7, macs=10, n_units=2, accesses={"dram": {"x": 5}}),
    }
    rows = lab_14_dataflows.energies(runs, table).table.rows
    assert rows[0] == ("one", 5, 10, 12, 0, 0, 2, 24)
    assert rows[1] == ("two", 7, 50, 0, 0, 0, 2, 52)


@pytest.mark.parametrize("kept", [0.1, 0.5])
def test_what_is_pruned_is_the_smallest(kept):
    weight = np.random.default_rng(0).integers(-100, 101, (30, 20))
    found = lab_14_zeros.pruned(weight, kept, levels=7)
    size = np.abs(weight)
    assert size[found != 0].min() > size[found == 0].max()
    assert kept <= (found != 0).mean() <= kept + 0.02  # equal ones stay together
    assert set(np.unique(found)) <= set(range(-7, 8))


def entries(column):
    """Entries of a unit's column, one more for every 16 zeros in a row before one."""
    rows = np.flatnonzero(column)
    return sum(1 + (gap - 1) // 16 for gap in np.diff(rows, prepend=-1))


def test_short_queues_wait_for_the_fullest_unit_of_every_column():
    weight, images = lab_14_zeros._layer()
    dealt = np.pad(weight, ((0, 0), (0, -weight.shape[1] % 16))).reshape(784, -1, 16)
    work = np.array([[entries(unit) for unit in column.T] for column in dealt])
    taken = sum((1 + np.maximum(work, 1).max(axis=1))[x != 0].sum() for x in images)
    done = sum(work[x != 0].sum() for x in images)
    share = lab_14.queues().set(n_units=16).table.rows[0][2]
    np.testing.assert_allclose(share, 100 * done / (16 * taken))


def test_deeper_queues_never_lose():
    rows = lab_14.queues().view.table.rows
    for column in range(1, 4):
        shares = [row[column] for row in rows]
        assert shares == sorted(shares)


@pytest.mark.parametrize(
    ("name", "of"),
    [
        ("Stripes, inputs in bits", lambda x, w: 16 / x),
        ("UNPU, weights in bits", lambda x, w: 16 / w),
        ("Loom, both in bits", lambda x, w: 256 / (x * w)),
        ("BISMO, planes of bits", lambda x, w: 256 / (x * w)),
    ],
)
@pytest.mark.parametrize(("x_bits", "weight_bits"), [(16, 16), (8, 3), (2, 11)])
def test_a_bit_is_worth_its_share(name, of, x_bits, weight_bits):
    rows = lab_14.widths().set(x_bits=x_bits, weight_bits=weight_bits).table.rows
    speeds = {row[0]: row[3] for row in rows}
    np.testing.assert_allclose(speeds[name], of(x_bits, weight_bits))


@pytest.mark.parametrize(("x_bits", "weight_bits", "bricks"), [(16, 16, 64), (8, 5, 16), (2, 2, 1)])
def test_bit_fusion_pays_for_pairs_of_bits(x_bits, weight_bits, bricks):
    widths = lab_14.widths().set(x_bits=x_bits, weight_bits=weight_bits)
    speed = {row[0]: row[3] for row in widths.table.rows}["Bit Fusion, pairs of bits"]
    np.testing.assert_allclose(speed, 64 / bricks, rtol=0.3)  # k = 576 is not a multiple of 16 x 16


def test_the_crossing_is_where_the_line_passes_one():
    speeds = [4.0, 3.0, 2.0, 1.5, 0.5, 0.4, 0.3, 0.2, 0.2, 0.1]
    np.testing.assert_allclose(lab_14_crossing.crossed(speeds), 0.45)
    assert lab_14_crossing.crossed([2.0] * 10) is None


def test_each_rival_computes_the_layer_and_is_at_most_as_fast_as_its_share():
    layer, rng = lab_14_crossing.LAYER, np.random.default_rng(0)
    x, weight = (rng.integers(1, 9, shape) for shape in (layer.x_shape, layer.weight_shape))
    few = rng.random(x.shape) < 0.3, rng.random(weight.shape) < 0.3
    for rival in lab_14_crossing.rivals().values():
        some_x, some = x * few[0], weight * few[1]
        run = rival.run(some_x, some)
        np.testing.assert_array_equal(run.y, layer.reference(some_x, some))
        macs = run.macs  # what it multiplied, over 256 multipliers, is the least time
        assert run.n_units == 256
        assert run.cycles >= macs / 256
        assert rival.dense >= layer.macs / 256


@pytest.mark.slow
def test_fewer_zeros_are_slower_and_full_operands_no_gain():
    view = lab_14.crossing(seed=0)
    for column in range(1, 4):
        speeds = [row[column] for row in view.table.rows]
        assert speeds == sorted(speeds, reverse=True)
    last = dict(zip(view.table.head[1:], view.table.rows[-1][1:], strict=True))
    assert last["SCNN, both"] < 1
    np.testing.assert_allclose(last["Cambricon-X, weights"], 1)


def test_tiles_are_hidden_or_wait_as_the_events_say():
    panel = lab_14.tiles()
    for rate in (16, 256):
        plan = lab_14_memory._planned(32, rate)
        works = sum(e.end - e.start for e in plan.events() if e.kind is Kind.COMPUTE)
        text = panel.set(kib=32, rate=rate).text
        assert (
            f"in {plan.run.cycles:,} cycles; the array waits in {plan.run.cycles - works:,}" in text
        )
        drawn = panel.view.table.rows
        assert drawn == tuple(
            (e.kind.value, e.tile, e.start, e.end, sum(e.words.values()))
            for e in plan.events()
            if e.tile < lab_14_memory.MOST_TILES
        )


def test_the_account_adds_up():
    layers = {"a.one": Gemm(16, 16, 16), "a.two": Gemm(8, 16, 4), "b": Gemm(4, 4, 4)}
    arch = Arch("toy", Array(4, 4), dram=Dram(64), energy=presets.HOROWITZ_45NM)
    done = memory.network(layers, arch)
    view = lab_14.account(done)
    one, two, other = (done.runs[name] for name in layers)
    assert [row[:2] for row in view.table.rows] == [
        ("a", one.cycles + two.cycles),
        ("b", other.cycles),
    ]
    spent = sum(sum(row[2:]) for row in view.table.rows)
    table = sum(sum(run.energy(presets.HOROWITZ_45NM).values()) for run in done.runs.values())
    np.testing.assert_allclose(spent, table / 1e6)


def test_no_layer_stands_above_the_roof():
    layers = {"wide": Gemm(64, 64, 64), "thin": Gemm(1, 64, 64)}
    arch = Arch("toy", Array(4, 4), dram=Dram(64), energy=presets.HOROWITZ_45NM)
    done = memory.network(layers, arch)
    rows = {row[0]: row for row in lab_14.roof(done).table.rows}
    for name, run in done.runs.items():
        moved = run.cost().traffic_bytes
        share = 100 * (run.macs / run.cycles) / min(16, run.macs / moved * 8)
        np.testing.assert_allclose(
            rows[name][1:], (run.cycles, run.macs / moved, run.macs / run.cycles, share)
        )
        assert share <= 100


@pytest.mark.slow
@pytest.mark.parametrize("make", [lab_14.waves, lab_14.tiles, lab_14.shapes])
def test_the_controls_of_the_slower_panels_change_the_view(make):
    demand_live(make())


def test_shapes_have_the_network_s_macs_and_the_formula_s_cycles():
    rows = lab_14.shapes().set(rows=9, cols=20, dataflow="input stationary").table.rows
    arch = lab_14.machine({
        "rows": 9,
        "cols": 20,
        "dataflow": "input stationary",
        "buffer_kib": lab_14_design.KIB,
    })
    whole = lab_14.whole("mobilenet_v2", arch)
    assert sum(row[1] for row in rows) == whole.macs
    assert sum(row[2] for row in rows) == whole.cycles


def test_every_technique_of_the_lab_is_called_in_one_of_its_cells():
    lab = "14_accelerators"
    source = read_lab(Path(__file__).parents[3] / "solutions" / f"{lab}.py")
    calls = {
        node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        for cell in source.cells
        if cell.kind == "code"
        for node in ast.walk(ast.parse(cell.source))
        if isinstance(node, ast.Call)
    }
    taught = [entry for entry in catalogue.load().values() if entry.lab == lab]
    in_a_loop = {"weight_stationary", "output_stationary", "input_stationary", "no_local_reuse"}
    names = {entry.symbol.rpartition(".")[2] for entry in taught}
    assert len(names) == 26
    assert names - in_a_loop <= calls
