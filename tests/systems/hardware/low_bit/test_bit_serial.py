"""Bit-serial machines: exact for every pair of widths, and as fast as the bits are few."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from efficientdl.systems.hardware.gemm import Bits
from efficientdl.systems.hardware.layer import Attention, Gemm
from efficientdl.systems.hardware.low_bit.bit_serial import (
    BitSerial,
    analyse_bit_serial,
    loom,
    simulate_bit_serial,
    stripes,
    unpu,
)
from efficientdl.systems.hardware.low_bit.counted import narrow_45nm
from tests.systems.hardware.low_bit.drawn import layers, whole_numbers

quick = settings(deadline=None, max_examples=60, database=None, derandomize=True)
side = st.integers(1, 5)
step = st.sampled_from([1, 2, 3, 4, 16])
machines = st.builds(BitSerial, side, side, lanes=side, x_bits=step, weight_bits=step)


def python_product(x, weight):
    """Exact in Python's own integers, which know no width."""
    rows, columns = x.tolist(), weight.T.tolist()
    return [[sum(a * b for a, b in zip(r, c, strict=True)) for c in columns] for r in rows]


@pytest.mark.parametrize("bits", [Bits(8, 8), Bits(3, 5), Bits(16, 16)])
def test_digits_as_wide_as_words_are_the_dense_machine(bits):
    layer, machine = Gemm(9, 30, 7, bits=bits), BitSerial(4, 4, lanes=8)
    x, weight = (
        whole_numbers(s, b, True, 0) for s, b in [((9, 30), bits.x), ((30, 7), bits.weight)]
    )
    run = simulate_bit_serial(layer, machine, x, weight)
    np.testing.assert_array_equal(run.y, x @ weight)
    assert run.cycles == 3 * 2 * 4  # a chunk of eight words a cycle, in each of 3 x 2 blocks


@pytest.mark.parametrize("x_signed", [True, False])
@pytest.mark.parametrize("weight_signed", [True, False])
def test_exact_for_every_pair_of_widths_and_signs(x_signed, weight_signed):
    for machine in (stripes(), unpu(), loom(), BitSerial(2, 3, lanes=2, x_bits=3, weight_bits=2)):
        for x_bits in range(1, 17):
            for weight_bits in range(1, 17):
                layer = Gemm(2, 5, 3, bits=Bits(x_bits, weight_bits))
                x = whole_numbers((2, 5), x_bits, x_signed, x_bits)
                weight = whole_numbers((5, 3), weight_bits, weight_signed, weight_bits)
                run = simulate_bit_serial(layer, machine, x, weight)
                assert run.y is not None
                assert run.y.tolist() == python_product(x, weight)


@quick
@given(layer=layers(), machine=machines, signs=st.tuples(st.booleans(), st.booleans()))
def test_simulation_equals_formula_and_numpy(layer, machine, signs):
    x = whole_numbers(layer.x_shape, layer.bits.x, signs[0], 1)
    weight = whole_numbers(layer.weight_shape, layer.bits.weight, signs[1], 2)
    run = simulate_bit_serial(layer, machine, x, weight)
    assert run == analyse_bit_serial(layer, machine)
    np.testing.assert_array_equal(
        run.y, layer.reference(x.astype(np.int64), weight.astype(np.int64))
    )


def cycles(x_bits, weight_bits, machine):
    layer = Gemm(32, 256, 256, bits=Bits(x_bits, weight_bits))
    return analyse_bit_serial(layer, machine).cycles


@pytest.mark.parametrize("bits", range(1, 17))
def test_cycles_are_proportional_to_the_bits(bits):
    assert cycles(bits, 8, stripes()) == bits * cycles(1, 8, stripes())
    assert cycles(8, bits, stripes()) == cycles(8, 1, stripes())  # weights are whole words
    assert cycles(8, bits, unpu()) == bits * cycles(8, 1, unpu())
    assert cycles(bits, 8, unpu()) == cycles(1, 8, unpu())
    assert cycles(bits, 5, loom()) == bits * 5 * cycles(1, 1, loom())


def test_at_sixteen_bits_a_tile_of_stripes_is_as_fast_as_the_multipliers_that_it_replaces():
    layer = Gemm(64, 512, 32, bits=Bits(16, 16))
    dense = BitSerial(1, 16, lanes=16)  # 256 multipliers: one window at a time
    assert analyse_bit_serial(layer, stripes()).cycles == analyse_bit_serial(layer, dense).cycles
    narrow = Gemm(64, 512, 32, bits=Bits(4, 16))
    quarter = analyse_bit_serial(narrow, dense).cycles // 4  # the dense one gains nothing
    assert analyse_bit_serial(narrow, stripes()).cycles == quarter


def test_fewer_bits_move_less_and_take_less_energy():
    def energy(bits):
        run = analyse_bit_serial(Gemm(32, 64, 32, bits=bits), loom())
        return sum(run.energy(narrow_45nm(bits)).values()), run.cost().traffic_bytes

    energies, traffic = zip(*(energy(Bits(b, b, 32)) for b in (2, 4, 8, 16)), strict=True)
    assert list(energies) == sorted(energies)
    words = 2 * 32 * 64  # of x and weight; as many sums of 4 bytes as 32 x 32
    assert list(traffic) == [words * b // 8 + 4 * 32 * 32 for b in (2, 4, 8, 16)]


def test_what_does_not_fit():
    layer, x, weight = Gemm(1, 2, 1, bits=Bits(4, 8)), np.array([[7, -8]]), np.array([[1], [1]])
    assert simulate_bit_serial(layer, stripes(), x, weight).y == -1
    with pytest.raises(ValueError, match=r"x\[0, 1\] must fit 4 signed bits, \[-8, 7\], got 8"):
        simulate_bit_serial(layer, stripes(), np.array([[1, 8]]), weight)
    with pytest.raises(ValueError, match=r"x\[0, 0\] must fit 4 unsigned bits, \[0, 15\], got 16"):
        simulate_bit_serial(layer, stripes(), np.array([[16, 1]], np.uint8), weight)
    with pytest.raises(
        TypeError, match=r"simulate_bit_serial: x must hold whole numbers, got floa"
    ):
        simulate_bit_serial(layer, stripes(), x * 1.0, weight)
    with pytest.raises(ValueError, match=r"Gemm.lower: x\[0, 0\] must be finite, got nan"):
        simulate_bit_serial(layer, stripes(), x * np.nan, weight)
    with pytest.raises(
        ValueError, match=r"layer.bits.x must be a whole number in \[1, 16\], got 32"
    ):
        analyse_bit_serial(Gemm(1, 1, 1, bits=Bits(32, 8)), loom())
    with pytest.raises(
        ValueError, match=r"BitSerial: rows must be a whole number, 1 or more, got 0"
    ):
        BitSerial(0, 1, lanes=1)
    with pytest.raises(ValueError, match=r"BitSerial: x_bits must be a whole number in \[1, 16\]"):
        BitSerial(1, 1, lanes=1, x_bits=0)
    with pytest.raises(
        TypeError, match=r"analyse_bit_serial: layer must be a Gemm or Conv, got Att"
    ):
        analyse_bit_serial(Attention(1, 1, n_heads=1, head_features=1), loom())
