"""The product, the cycles by simulation and by formula, and the published load balance."""

import csv
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from efficientdl.systems.hardware.arch import EnergyTable
from efficientdl.systems.hardware.layer import Gemm
from efficientdl.systems.hardware.sparse.eie import Eie, run_columns, simulate_eie
from efficientdl.systems.hardware.sparse.eie_layers import EIE_LAYERS, compare_eie, eie_table
from efficientdl.systems.hardware.sparse.queues import queue_cycles
from tests.systems.hardware.sparse.drawn import sparse

quick = settings(deadline=None, max_examples=60, database=None, derandomize=True)
LAYERS = {layer.name: layer for layer in EIE_LAYERS}


@pytest.mark.parametrize("n_units", [1, 2, 8])
def test_without_zeros_it_is_a_dense_machine_that_is_always_busy(n_units):
    gemm, machine = Gemm(1, 5, 16), Eie(n_units=n_units)
    x, weight = np.arange(1, 6)[None], sparse((5, 16), 1.0, 0, low=1, high=8)
    run = simulate_eie(gemm, machine, x, weight)
    np.testing.assert_array_equal(run.y, x @ weight)
    assert run.macs == gemm.macs
    assert run.cycles == 1 + gemm.macs // n_units  # the first broadcast, then no bubble


@quick
@given(
    size=st.tuples(st.integers(1, 3), st.integers(1, 20), st.integers(1, 40)),
    densities=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    machine=st.builds(
        Eie, n_units=st.integers(1, 9), depth=st.integers(1, 9), index_bits=st.integers(1, 4)
    ),
    seed=st.integers(0, 99),
)
def test_product_entries_and_cycles(size, densities, machine, seed):
    gemm = Gemm(*size)
    x = sparse(gemm.x_shape, densities[0], seed, -128, 128)
    weight = sparse(gemm.weight_shape, densities[1], seed + 1, -7, 8)
    run = simulate_eie(gemm, machine, x, weight)
    np.testing.assert_array_equal(run.y, np.einsum("mk,kn->mn", x, weight))
    work = machine.compress(weight).work
    active = [work[:, row != 0] for row in x]
    assert run.macs == sum(int(columns.sum()) for columns in active)
    assert run.cycles == sum(queue_cycles(c, depth=machine.depth) for c in active)


def test_no_activation_no_cycle():
    run = simulate_eie(Gemm(2, 3, 4), Eie(), np.zeros((2, 3), int), np.ones((3, 4), int))
    assert (run.cycles, run.macs, run.utilisation) == (0, 0, 0.0)
    np.testing.assert_array_equal(run.y, np.zeros((2, 4)))


def test_groups_run_in_turn():
    gemm = Gemm(2, 6, 7, groups=3)
    x, weight = sparse(gemm.x_shape, 0.5, 0), sparse(gemm.weight_shape, 0.5, 1, -7, 8)
    run = simulate_eie(gemm, Eie(n_units=3), x, weight)
    np.testing.assert_array_equal(run.y, x @ weight)
    alone = [
        simulate_eie(Gemm(2, 6, 7), Eie(n_units=3), *pair) for pair in zip(x, weight, strict=True)
    ]
    assert run.cycles == sum(part.cycles for part in alone)


def test_fixed_point_sums_are_exact():
    """Multiples of 2^-8 and 2^-4: every order of summing gives the same float."""
    x, weight = sparse((1, 50), 0.5, 0) / 256, sparse((50, 30), 0.3, 1, -7, 8) / 16
    run = simulate_eie(Gemm(1, 50, 30), Eie(n_units=4), x, weight)
    np.testing.assert_array_equal(run.y, x @ weight)


def test_the_widest_jump():
    weight = np.zeros((1, 70_000), int)
    weight[0, -1] = 3
    columns = Eie(n_units=1, index_bits=16).compress(weight)
    assert columns.skips.tolist() == [2**16 - 1, 69_999 - 2**16]
    np.testing.assert_array_equal(run_columns(columns, np.array([5]), depth=1).y, 5 * weight[0])


def test_what_moves_and_what_it_takes():
    weight = np.array([[2, 0, 0, 1], [5, 5, 5, 5], [0, 0, 3, 0]])
    run = simulate_eie(Gemm(1, 3, 4), Eie(n_units=2), np.array([[1, 0, 10]]), weight)
    assert run.accesses == {
        "register": {"psum": 6},
        "link": {"x": 4},  # two broadcasts to two units
        "buffer": {"x": 2, "weight": 3, "index": 3, "pointer": 8},
    }
    table = EnergyTable("toy", 1, {"register": 1, "link": 2, "buffer": 4}, word_bits=16)
    words_of_16 = 2 + (3 * 4 + 3 * 4) / 16 + 8
    expected = {"mac": 3.0, "register": 6.0, "link": 8.0, "buffer": 4 * words_of_16}
    assert run.energy(table) == expected
    assert "2 broadcasts of 3; 3 entries on 2 units" in run.explain()


@pytest.mark.parametrize("name", ["Alex-6", "Alex-7", "VGG-7", "VGG-8"])
def test_published_load_balance(name):
    """The bound is that of the comparison: 0.08, for weights that are drawn, not trained."""
    found = compare_eie(LAYERS[name], seed=0)
    assert abs(found.balance - LAYERS[name].balance) <= 0.08
    # Theory within a tenth: densities that are known to a percent of 4 to 35.
    np.testing.assert_allclose(found.theoretical_us, LAYERS[name].theoretical_us, rtol=0.1)


def test_padding_explains_the_published_theory():
    """At 4 % a unit's column of 64 often jumps further than 15; without those zeros it is short."""
    layer = LAYERS["VGG-7"]
    short, long = (compare_eie(layer, Eie(index_bits=bits), seed=0) for bits in (4, 8))
    assert long.padding == 0 < 0.3 < short.padding
    assert long.theoretical_us < 0.7 * layer.theoretical_us


def test_balance_rises_with_depth_and_hardly_beyond_eight():
    columns, x = LAYERS["VGG-8"].drawn(Eie(), seed=0)
    balance = {d: run_columns(columns, x, depth=d).utilisation for d in (1, 2, 4, 8, 16, 256)}
    assert list(balance.values()) == sorted(balance.values())
    assert 0.35 < balance[1] < 0.65  # ISCA 2016, Figure 8's text: around half of the cycles idle
    assert balance[8] - balance[1] > 0.4
    assert balance[256] - balance[8] < 0.06


@pytest.mark.slow
def test_the_table_has_all_nine_layers_and_the_odd_one_is_vgg_6():
    lines = eie_table(seed=0).splitlines()[2:]
    apart = {line.split()[0]: float(line.split()[5]) - float(line.split()[6]) for line in lines}
    assert list(apart) == list(LAYERS)
    assert [name for name, far in apart.items() if abs(far) > 0.08] == ["VGG-6"]


@pytest.mark.oracle
def test_published_times_are_those_of_the_table():
    oracles = os.environ.get("EFFICIENTDL_ORACLES")
    if not oracles:
        pytest.skip("EFFICIENTDL_ORACLES names no folder, so eie-layers.csv cannot be found")
    with (Path(oracles) / "published/eie-layers.csv").open() as lines:
        _, theory, actual = csv.reader(lines)
    assert [float(t) for t in theory[1:]] == [layer.theoretical_us for layer in EIE_LAYERS]
    assert [float(t) for t in actual[1:]] == [layer.actual_us for layer in EIE_LAYERS]


def test_what_it_refuses():
    gemm, x = Gemm(1, 2, 2), np.ones((1, 2))
    with pytest.raises(ValueError, match="Eie: n_units must be a whole number, 1 or more, got 0"):
        Eie(n_units=0)
    with pytest.raises(ValueError, match="Eie: depth must be a whole number, 1 or more, got 0"):
        Eie(depth=0)
    with pytest.raises(ValueError, match="Eie: weight_bits must be a whole number"):
        Eie(weight_bits=0)
    with pytest.raises(ValueError, match="Eie: clock_mhz must be positive and finite, got inf"):
        Eie(clock_mhz=float("inf"))
    with pytest.raises(ValueError, match=r"Gemm.lower: x\[0, 1\] must be finite, got nan"):
        simulate_eie(gemm, Eie(), np.array([[1, np.nan]]), np.eye(2))
    with pytest.raises(TypeError, match="simulate_eie: layer must be a Gemm, got 3"):
        simulate_eie(3, Eie(), x, np.eye(2))
    with pytest.raises(ValueError, match=r"run_columns: x must have 2 words, got \(3,\)"):
        run_columns(Eie().compress(np.eye(2)), np.ones(3), depth=1)
