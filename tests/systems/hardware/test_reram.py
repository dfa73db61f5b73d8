"""Crossbars: exact with converters wide enough and cells that work; then what goes wrong."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from efficientdl.systems.hardware.arch import EnergyTable
from efficientdl.systems.hardware.gemm import Bits, Gemm
from efficientdl.systems.hardware.reram import Crossbar, Faults, crossbar

quick = settings(deadline=None, max_examples=60, database=None, derandomize=True)


def drawn(gemm, seed=0):
    rng = np.random.default_rng(seed)
    halves = (2 ** (gemm.bits.x - 1), 2 ** (gemm.bits.weight - 1))
    shapes = (gemm.x_shape, gemm.weight_shape)
    return [rng.integers(-h, h, shape) for h, shape in zip(halves, shapes, strict=True)]


@st.composite
def machines(draw):
    side = st.integers(1, 9)
    return Crossbar(
        draw(side), draw(side), draw(st.integers(1, 8)), draw(st.integers(1, 8)), 32, draw(side)
    )


@quick
@given(machine=machines(), sides=st.tuples(*[st.integers(1, 9)] * 3), data=st.data())
def test_with_lossless_converters_it_is_the_product(machine, sides, data):
    bits = Bits(data.draw(st.integers(1, 16)), data.draw(st.integers(1, 16)))
    gemm = Gemm(*sides, bits=bits)
    x, weight = drawn(gemm, data.draw(st.integers(0, 99)))
    exact = Crossbar(
        machine.rows,
        machine.cols,
        machine.cell_bits,
        machine.dac_bits,
        machine.lossless_bits,
        machine.n_adcs,
    )
    run = crossbar(gemm, x, weight, machine=exact)
    np.testing.assert_array_equal(run.y, np.einsum("mk,kn->mn", x, weight))
    n_digits = -(-bits.x // machine.dac_bits)
    columns = gemm.n * -(-bits.weight // machine.cell_bits)
    turns = -(-min(columns, machine.cols) // machine.n_adcs)
    assert run.cycles == gemm.m * n_digits * turns
    assert run.accesses["adc"]["psum"] == gemm.m * n_digits * columns * -(-gemm.k // machine.rows)
    assert 0 < run.utilisation <= 1


def test_one_bit_fewer_than_lossless_cuts_off_the_largest_sum():
    machine = Crossbar(rows=8, cols=8, cell_bits=2, dac_bits=1)
    gemm = Gemm(1, 8, 1)
    x, weight = np.full((1, 8), 127), np.full((8, 1), 127)
    for adc_bits, exact in ((machine.lossless_bits, True), (machine.lossless_bits - 1, False)):
        run = crossbar(gemm, x, weight, machine=Crossbar(8, 8, 2, 1, adc_bits))
        assert (run.y == x @ weight).all() == exact
    assert machine.lossless_bits == 5  # 8 rows of 3: 24


def test_error_falls_with_the_bits_of_the_converter():
    gemm = Gemm(8, 64, 8)
    x, weight = drawn(gemm)
    errors = [
        np.abs(crossbar(gemm, x, weight, machine=Crossbar(adc_bits=bits)).y - x @ weight).mean()
        for bits in range(2, 10)
    ]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] == 0 < errors[0]


@pytest.mark.parametrize(("off", "on"), [(1, 0), (0, 1)])
def test_all_cells_stuck_are_the_smallest_and_the_largest_weight(off, on):
    gemm = Gemm(3, 5, 2)
    x, weight = drawn(gemm)
    run = crossbar(gemm, x, weight, faults=Faults(off, on))
    held = -128 if off else 127
    # The offset of x is taken off with the weights that were meant, not with those that are held.
    lost = 128 * (np.full_like(weight, held) - weight).sum(axis=0)
    np.testing.assert_array_equal(run.y, x @ np.full_like(weight, held) + lost)


def rms(copies, rate, seed, adc_bits=9):
    gemm = Gemm(8, 64, 16)
    x, weight = drawn(gemm)
    run = crossbar(
        gemm,
        x,
        weight,
        machine=Crossbar(adc_bits=adc_bits),
        copies=copies,
        faults=Faults(rate / 2, rate / 2, seed),
    )
    return np.sqrt(((run.y - x @ weight) ** 2).mean())


def test_error_falls_with_redundancy():
    means = [np.mean([rms((n,) * 4, 0.04, seed) for seed in range(5)]) for n in (1, 3, 5, 9)]
    assert means == sorted(means, reverse=True)
    assert means[-1] < 0.5 * means[0]


def test_few_faults_are_outvoted():
    gemm = Gemm(8, 8, 4)
    x, weight = drawn(gemm)
    rate = 0.002
    once, voted = (
        [
            (
                crossbar(gemm, x, weight, copies=copies, faults=Faults(rate, rate, seed)).y
                != x @ weight
            ).any()
            for seed in range(30)
        ]
        for copies in ((1,) * 4, (3,) * 4)
    )
    assert sum(once) > 5
    assert sum(voted) < sum(once) / 3


def test_error_grows_with_the_faults():
    means = [np.mean([rms((), rate, seed) for seed in range(5)]) for rate in (0, 0.01, 0.04, 0.2)]
    assert means == sorted(means)
    assert means[0] == 0


def test_copies_of_the_upper_slice_help_more_than_of_all():
    upper = np.mean([rms((1, 1, 1, 5), 0.04, seed) for seed in range(5)])
    lower = np.mean([rms((5, 1, 1, 1), 0.04, seed) for seed in range(5)])
    each = np.mean([rms((3, 3, 3, 3), 0.04, seed) for seed in range(5)])
    assert upper < each < lower  # 8, 12 and 8 columns an output


def test_copies_cost_columns_and_conversions():
    gemm = Gemm(4, 16, 2)
    x, weight = drawn(gemm)
    once = crossbar(gemm, x, weight)
    thrice = crossbar(gemm, x, weight, copies=(3, 3, 3, 3))
    assert thrice.accesses["adc"]["psum"] == 3 * once.accesses["adc"]["psum"]
    assert thrice.cycles == 3 * once.cycles
    np.testing.assert_array_equal(thrice.y, once.y)
    table = EnergyTable("toy", 0, {"dac": 1, "cell": 0, "adc": 9, "dram": 0}, word_bits=9)
    assert thrice.energy(table)["adc"] == 9 * 4 * 8 * 24
    assert "1 x 1 crossbars, 12 columns an output" in thrice.explain()


def test_attention_scores_on_a_memory_of_one_bit():
    """In-memory scores: the keys are the cells, one bit each."""
    gemm = Gemm(4, 32, 10, bits=Bits(4, 4))
    query, key = drawn(gemm)
    machine = Crossbar(rows=32, cols=64, cell_bits=1, dac_bits=1, adc_bits=6)
    np.testing.assert_array_equal(crossbar(gemm, query, key, machine=machine).y, query @ key)


def test_faults_replay_by_their_seed():
    assert rms((), 0.1, 1) == rms((), 0.1, 1) != rms((), 0.1, 2)


def test_what_is_refused():
    gemm = Gemm(2, 3, 2)
    x, weight = drawn(gemm)
    with pytest.raises(ValueError, match=r"crossbar: x must fit 8 bits, \[-128, 127\], got 128"):
        crossbar(gemm, np.full_like(x, 128), weight)
    with pytest.raises(ValueError, match=r"crossbar: weight must fit 8 bits, .*, got -129"):
        crossbar(gemm, x, np.full_like(weight, -129))
    with pytest.raises(TypeError, match="crossbar: x must hold whole numbers, got float64"):
        crossbar(gemm, x * 1.0, weight)
    with pytest.raises(ValueError, match=r"Gemm.lower: x\[0, 0\] must be finite, got nan"):
        crossbar(gemm, np.full((2, 3), np.nan), weight)
    with pytest.raises(ValueError, match=r"Gemm.lower: weight must have the shape \(3, 2\)"):
        crossbar(gemm, x, weight.T)
    with pytest.raises(ValueError, match="crossbar: copies must be odd, to have a median, got 2"):
        crossbar(gemm, x, weight, copies=(1, 1, 1, 2))
    with pytest.raises(ValueError, match="crossbar: copies must say 4 numbers, one a slice"):
        crossbar(gemm, x, weight, copies=(1, 1))
    with pytest.raises(ValueError, match=r"crossbar: gemm.groups must be 1, got 2"):
        crossbar(Gemm(2, 3, 2, groups=2), x, weight)
    with pytest.raises(ValueError, match=r"Faults: on must be in \[0, 0.5\], got 0.6"):
        Faults(0.5, 0.6)
    with pytest.raises(ValueError, match="Crossbar: rows must be a whole number, 1 or more, got 0"):
        Crossbar(rows=0)
    with pytest.raises(ValueError, match=r"Crossbar: cell_bits must be a whole number in \[1, 8\]"):
        Crossbar(cell_bits=0)
    with pytest.raises(TypeError, match="crossbar: machine must be a Crossbar, got 3"):
        crossbar(gemm, x, weight, machine=3)
