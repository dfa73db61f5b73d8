"""The array computes the convolution, and takes what the formula says."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from efficientdl.systems.hardware.arch import Arch, Array
from efficientdl.systems.hardware.layer import Conv
from efficientdl.systems.hardware.row_stationary.formula import row_stationary
from efficientdl.systems.hardware.row_stationary.mapping import RowMapping, RowUnit, capacity
from efficientdl.systems.hardware.row_stationary.search import map_rows
from efficientdl.systems.hardware.row_stationary.simulate import simulate_rows
from tests.systems.hardware.row_stationary.drawn import mapped, operands

quick = settings(deadline=None, max_examples=60, database=None, derandomize=True)


def by_windows(conv, x, weight):
    """A convolution as its definition has it, one tap at a time."""
    (_, _), (down, right), (top, left), (dr, ds) = conv.pairs
    padded = np.pad(x, ((0, 0), (0, 0), (top, top), (left, left)))
    (p, q), (r, s) = conv.outputs, conv.pairs.kernel
    y = np.zeros((conv.batch, conv.c_out, p, q), np.int64)
    filters, channels = conv.c_out // conv.groups, conv.c_in // conv.groups
    for i, j in np.ndindex(r, s):
        seen = padded[:, :, i * dr :: down, j * ds :: right][:, :, :p, :q]
        for f in range(conv.c_out):
            first = f // filters * channels
            taps = weight[f, :, i, j][None, :, None, None]
            y[:, f] += (seen[:, first : first + channels] * taps).sum(1)
    return y


def test_one_unit_does_a_product_a_cycle_and_an_addition_for_each_sum():
    conv = Conv(1, 1, 4, 1, kernel=(1, 2))
    x, weight = operands(conv)
    run = simulate_rows(conv, Arch("one", Array(1, 1)), x, weight)
    np.testing.assert_array_equal(run.y, by_windows(conv, x, weight))
    loading, work = 2, 3 * (2 + 1)  # two words of the first window, then three columns
    assert (run.cycles, run.macs) == (loading + work, 6)


@quick
@given(drawn=mapped(), seed=st.integers(0, 99))
def test_simulation_equals_the_closed_form_and_the_definition(drawn, seed):
    conv, arch, unit, mapping = drawn
    x, weight = operands(conv, seed)
    found = simulate_rows(conv, arch, x, weight, mapping=mapping, unit=unit)
    expected = row_stationary(conv, arch, mapping=mapping, unit=unit)
    for name in ("cycles", "macs", "n_units", "accesses", "bits"):
        assert getattr(found, name) == getattr(expected, name), name
    np.testing.assert_array_equal(found.y, by_windows(conv, x, weight))


@pytest.mark.parametrize("conv", [Conv(4, 6, 9, 4, 3, padding=1), Conv.depthwise(3, 7, 7, 3)])
def test_so_it_is_with_the_mapping_that_is_found(conv):
    arch = Arch("small", Array(6, 4))
    x, weight = operands(conv)
    run = simulate_rows(conv, arch, x, weight)
    assert run == row_stationary(conv, arch)
    np.testing.assert_array_equal(run.y, by_windows(conv, x, weight))


def test_a_strip_wider_than_the_array_is_folded_as_in_the_second_layer_of_alexnet():
    conv = Conv(2, 27, 5, 3, kernel=5, padding=2)
    mapping = RowMapping(strip=27, filters=3, channels=2)
    arch = Arch("Eyeriss", Array(12, 14))
    x, weight = operands(conv)
    run = simulate_rows(conv, arch, x, weight, mapping=mapping)
    assert run == row_stationary(conv, arch, mapping=mapping)
    np.testing.assert_array_equal(run.y, by_windows(conv, x, weight))


def test_a_column_that_starts_too_early_meets_units_that_still_work():
    conv, arch = Conv(2, 6, 6, 2, kernel=3), Arch("small", Array(3, 4))
    x, weight = operands(conv)
    mapping, wide = RowMapping(4, 2, 2), RowUnit(x_bus=100, psum_bus=100)
    kept = simulate_rows(conv, arch, x, weight, mapping=mapping, unit=wide)
    np.testing.assert_array_equal(kept.y, by_windows(conv, x, weight))
    early = simulate_rows(conv, arch, x, weight, mapping=mapping, unit=wide, hurry=1)
    assert (early.y != kept.y).any()


@pytest.mark.parametrize(
    "dtype", [np.int8, np.uint8, np.int64, pytest.param(np.float32, marks=pytest.mark.slow)]
)  # floats have to be compiled for
def test_all_kinds_of_numbers(dtype):
    conv = Conv(2, 5, 5, 2, kernel=3)
    rng = np.random.default_rng(0)
    x = rng.integers(0, 100, conv.x_shape).astype(dtype)
    weight = rng.integers(0, 100, conv.weight_shape).astype(dtype)
    run = simulate_rows(conv, Arch("small", Array(3, 3)), x, weight)
    np.testing.assert_array_equal(run.y, by_windows(conv, x.astype(int), weight.astype(int)))
    assert run.y.dtype == (np.float64 if dtype is np.float32 else np.int64)


@quick
@given(drawn=mapped())
def test_never_faster_than_its_units_and_its_buses(drawn):
    conv, arch, unit, mapping = drawn
    run = row_stationary(conv, arch, mapping=mapping, unit=unit)
    buffer = run.accesses["buffer"]
    assert run.cycles >= run.macs / run.n_units
    assert run.cycles >= buffer["x"] / unit.x_bus
    assert run.cycles >= buffer["weight"] / unit.weight_bus
    sums = buffer.get("psum", run.accesses["dram"].get("psum", 0)) + buffer["y"]
    assert run.cycles >= sums / (2 * unit.psum_bus)  # in and out have a bus each
    assert buffer["weight"] >= conv.words.weight


def test_what_cannot_be_simulated():
    conv, arch = Conv(2, 6, 6, 2, kernel=3), Arch("small", Array(3, 4))
    x, weight = (a.astype(float) for a in operands(conv))
    weight[1, 0, 2, 2] = np.nan
    with pytest.raises(
        ValueError, match=r"simulate_rows: weight\[1, 0, 2, 2\] must be finite, got nan"
    ):
        simulate_rows(conv, arch, x, weight)
    with pytest.raises(ValueError, match=r"simulate_rows: x must have the shape \(1, 2, 6, 6\)"):
        simulate_rows(conv, arch, x[:, :1], weight)
    with pytest.raises(TypeError, match="simulate_rows: layer must be a Conv, got 3"):
        simulate_rows(3, arch, x, weight, mapping=RowMapping(1))


def test_the_mapper_leaves_no_set_idle_that_has_room():
    conv, array = Conv(8, 13, 13, 64, kernel=3, padding=1), Array(12, 14)
    mapping = map_rows(conv, Arch("Eyeriss", array))
    room = capacity(12, 14, 3 * mapping.channel_sets, mapping.strip)
    assert mapping.filter_sets == min(room, -(-64 // mapping.filters))
