"""Bit Fusion: composed products are exact, and as many as the bricks allow."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from efficientdl.systems.hardware.gemm import Bits
from efficientdl.systems.hardware.layer import Gemm
from efficientdl.systems.hardware.low_bit.bit_fusion import (
    FusionArray,
    analyse_bit_fusion,
    bit_fusion,
    deeprecon,
    fusion,
    simulate_bit_fusion,
)
from efficientdl.systems.hardware.low_bit.digits import digits
from tests.systems.hardware.low_bit.drawn import layers, whole_numbers

quick = settings(deadline=None, max_examples=60, database=None, derandomize=True)
machines = st.builds(FusionArray, st.integers(1, 5), st.integers(1, 5))
SIGNS = [(True, True), (True, False), (False, True), (False, False)]


def test_eight_bits_are_the_dense_array_of_one_multiplier_a_unit():
    layer, machine = Gemm(7, 40, 10, bits=Bits(8, 8)), FusionArray(8, 5)
    x, weight = whole_numbers((7, 40), 8, True, 0), whole_numbers((40, 10), 8, True, 1)
    run = simulate_bit_fusion(layer, machine, x, weight)
    np.testing.assert_array_equal(run.y, x @ weight)
    assert run.cycles == 7 * 2 * 5
    assert run.utilisation == 1
    assert run.n_units == machine.n_units


@pytest.mark.parametrize("signed", SIGNS)
def test_exact_for_every_pair_of_widths(signed):
    for x_bits in range(2, 17):
        for weight_bits in range(2, 17):
            x = whole_numbers((2, 5), x_bits, signed[0], x_bits)
            weight = whole_numbers((5, 3), weight_bits, signed[1], weight_bits)
            layer = Gemm(2, 5, 3, bits=Bits(x_bits, weight_bits))
            run = simulate_bit_fusion(layer, FusionArray(2, 2), x, weight)
            expected = [
                [sum(a * b for a, b in zip(row, col, strict=True)) for col in weight.T.tolist()]
                for row in x.tolist()
            ]
            assert run.y is not None
            assert run.y.tolist() == expected


@pytest.mark.parametrize("signed", SIGNS)
@pytest.mark.parametrize("bits", [(2, 2), (4, 2), (2, 4), (4, 4)])
def test_every_product_of_narrow_words(bits, signed):
    """All pairs of numbers there are, as an outer product."""
    ends = [
        (-(1 << (b - 1)), 1 << (b - 1)) if s else (0, 1 << b)
        for b, s in zip(bits, signed, strict=True)
    ]
    dtypes = [np.int64 if s else np.uint64 for s in signed]
    x, weight = (np.arange(*e).astype(d) for e, d in zip(ends, dtypes, strict=True))
    layer = Gemm(len(x), 1, len(weight), bits=Bits(*bits))
    run = simulate_bit_fusion(layer, FusionArray(1, 4), x[:, None], weight[None])
    np.testing.assert_array_equal(run.y, np.multiply.outer(x.astype(int), weight.astype(int)))


@pytest.mark.parametrize("signed", [True, False])
def test_a_brick_multiplies_digits_of_two_bits_and_a_sign(signed):
    for bits in (2, 4, 8, 16):
        found = digits(whole_numbers((500,), bits, signed, 0), bits=bits, step=2)
        assert found.min() >= -2
        assert found.max() <= 3


@quick
@given(layer=layers(), machine=machines, signs=st.tuples(st.booleans(), st.booleans()))
def test_simulation_equals_formula_and_numpy(layer, machine, signs):
    x = whole_numbers(layer.x_shape, layer.bits.x, signs[0], 1)
    weight = whole_numbers(layer.weight_shape, layer.bits.weight, signs[1], 2)
    run = simulate_bit_fusion(layer, machine, x, weight)
    expected = layer.reference(x.astype(np.int64), weight.astype(np.int64))
    np.testing.assert_array_equal(run.y, expected)
    assert run == analyse_bit_fusion(layer, machine)


# MACs of a unit in a cycle, as its authors give them: 16 of 2 x 2 bits, 4 of 8 x 2 or 4 x 4, 1 of
# 8 x 8. For 16 bits a product takes passes of 8 by 8.
THROUGHPUT = {(2, 2): 16, (4, 2): 8, (8, 2): 4, (4, 4): 4, (8, 4): 2, (8, 8): 1, (16, 8): 0.5}
THROUGHPUT |= {(16, 16): 0.25, (16, 2): 2, (16, 4): 1}


@pytest.mark.parametrize("bits", [*THROUGHPUT, *((b, a) for a, b in THROUGHPUT)])
def test_throughput(bits):
    expected = THROUGHPUT.get(bits) or THROUGHPUT[bits[1], bits[0]]
    assert bit_fusion().macs_per_cycle(Bits(*bits)) == 512 * expected
    full = Gemm(64, 16 * 16 * 4, 32 * 4, bits=Bits(*bits))  # fills every unit at every width
    assert full.macs / analyse_bit_fusion(full, bit_fusion()).cycles == 512 * expected


def test_widths_between_take_the_next_power_of_two():
    for width, fused in [(1, 2), (3, 4), (5, 8), (7, 8), (9, 16), (13, 16)]:
        assert fusion(Bits(width, 2)) == fusion(Bits(fused, 2))


def test_what_does_not_fit():
    layer = Gemm(1, 1, 1, bits=Bits(16, 8))
    with pytest.raises(
        ValueError, match=r"layer.bits.x must be a whole number in \[1, 8\], got 16"
    ):
        analyse_bit_fusion(layer, deeprecon())
    with pytest.raises(
        ValueError, match=r"simulate_bit_fusion: weight\[0, 0\] must fit 8 signed bi"
    ):
        simulate_bit_fusion(layer, bit_fusion(), np.array([[1]]), np.array([[128]]))
    with pytest.raises(
        ValueError, match=r"FusionArray: rows must be a whole number, 1 or more, got"
    ):
        FusionArray(0, 4)
    with pytest.raises(ValueError, match=r"FusionArray: widest must be one of 2, 4, 8, 16, got 12"):
        FusionArray(4, 4, widest=12)
    with pytest.raises(
        ValueError, match=r"fusion: bits.weight must be a whole number in \[1, 16\]"
    ):
        fusion(Bits(4, 0))
