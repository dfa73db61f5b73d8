"""The closed form, by counts that follow from the layer alone."""

import numpy as np
import pytest
from hypothesis import given, settings

from efficientdl.systems.hardware.arch import Arch, Array, Psums
from efficientdl.systems.hardware.layer import Bits, Conv, Gemm
from efficientdl.systems.hardware.row_stationary.formula import as_conv, row_stationary
from efficientdl.systems.hardware.row_stationary.mapping import RowMapping, RowUnit
from efficientdl.systems.hardware.row_stationary.simulate import simulate_rows
from tests.systems.hardware.row_stationary.drawn import mapped

quick = settings(deadline=None, max_examples=60, database=None, derandomize=True)
HUGE = RowUnit(*[2**20] * 6)


def test_a_layer_that_fits_at_once_takes_each_word_once():
    conv = Conv(4, 6, 6, 3, kernel=3)
    arch = Arch("large", Array(3, 4))
    run = row_stationary(conv, arch, mapping=RowMapping(4, 3, 4), unit=HUGE)
    words = conv.words
    assert run.accesses["buffer"]["x"] == words.x
    assert run.accesses["buffer"]["weight"] == words.weight
    assert run.accesses["buffer"]["psum"] == run.accesses["buffer"]["y"] == words.y  # zeros, once
    products, hops = 4 * 3 * (3 * 4), 2  # columns, filters, taps and channels; the chain
    begin, additions = 1, 4 * 3
    assert run.cycles == begin + products + additions + hops


@quick
@given(drawn=mapped())
def test_counts_that_no_mapping_changes(drawn):
    conv, arch, unit, mapping = drawn
    run = row_stationary(conv, arch, mapping=mapping, unit=unit)
    moved, outside = run.accesses["buffer"], run.accesses["dram"]
    assert run.macs == conv.macs
    assert run.accesses["register"] == {"x": run.macs, "weight": run.macs, "psum": 2 * run.macs}
    assert {name: outside[name] for name in conv.words._fields} == conv.words._asdict()
    parts = -(-conv.c_in // conv.groups // mapping.pass_channels)
    waiting = outside if arch.array.psums is Psums.OFF_CHIP else moved
    assert waiting["psum"] == (2 * parts - 1) * conv.words.y


def test_more_channels_in_a_pass_leave_fewer_sums_waiting():
    conv, arch = Conv(16, 12, 12, 8, kernel=3), Arch("Eyeriss", Array(12, 14))
    moved = [
        row_stationary(conv, arch, mapping=RowMapping(10, 4, q, r)).accesses["buffer"]["psum"]
        for q, r in ((1, 1), (2, 1), (2, 2), (4, 4))
    ]
    words = conv.words.y
    assert moved == [31 * words, 15 * words, 7 * words, words]


def test_explain_has_the_times_of_a_pass():
    conv = Conv(2, 6, 6, 1, kernel=3, batch=2, bits=Bits(16, 16, 16))
    mapping = RowMapping(4, channels=2, images=2)
    text = row_stationary(conv, Arch("small", Array(3, 4)), mapping=mapping).explain()
    first, window, column = text.split("\n")[1], 6 * 2 * 3, 6 * 2
    turn, end = window, 2 * 3 + 3
    assert first == (
        f"a full pass: {window} to begin, 6 x {column} a column,"
        f" 1 x {turn} to the next image, {end} to end"
    )


@pytest.mark.parametrize("gemm", [Gemm(5, 4, 3), Gemm(2, 3, 4, groups=2)])
def test_a_product_is_a_convolution_by_a_kernel_of_one(gemm):
    rng = np.random.default_rng(0)
    g, m, k, n = gemm.groups, gemm.m, gemm.k, gemm.n
    x, weight = rng.integers(-9, 9, (g, m, k)), rng.integers(-9, 9, (g, k, n))
    conv = as_conv(gemm)
    assert (conv.macs, conv.words) == (gemm.macs, gemm.words)
    image = x.transpose(0, 2, 1).reshape(conv.x_shape)
    filters = weight.transpose(0, 2, 1).reshape(conv.weight_shape)
    run = simulate_rows(conv, Arch("small", Array(4, 3)), image, filters)
    y = run.y.reshape(g, n, m).transpose(0, 2, 1)
    np.testing.assert_array_equal(y, np.einsum("gmk,gkn->gmn", x, weight))


def test_what_is_not_a_product():
    with pytest.raises(TypeError, match="as_conv: gemm must be a Gemm, got 3"):
        as_conv(3)
