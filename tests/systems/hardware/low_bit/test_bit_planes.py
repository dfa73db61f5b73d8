"""BISMO: a product of matrices, from products of matrices of bits."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from efficientdl.systems.hardware.gemm import Bits
from efficientdl.systems.hardware.layer import Gemm
from efficientdl.systems.hardware.low_bit.bit_planes import (
    BitPlanes,
    analyse_bit_planes,
    bismo,
    simulate_bit_planes,
)
from efficientdl.systems.hardware.low_bit.bit_serial import BitSerial, analyse_bit_serial
from tests.systems.hardware.low_bit.drawn import layers, whole_numbers

quick = settings(deadline=None, max_examples=40, database=None, derandomize=True)
side = st.integers(1, 5)
machines = st.builds(BitPlanes, side, side, side)


def test_one_plane_each_is_a_product_of_matrices_of_bits():
    rng = np.random.default_rng(0)
    x, weight = (rng.integers(0, 2, shape).astype(np.uint8) for shape in [(9, 300), (300, 7)])
    run = simulate_bit_planes(Gemm(9, 300, 7, bits=Bits(1, 1)), bismo(), x, weight)
    np.testing.assert_array_equal(run.y, (x[:, :, None] & weight[None]).sum(1))
    assert run.cycles == 2 * 1 * 2


@pytest.mark.parametrize("signed", [(True, True), (True, False), (False, True), (False, False)])
def test_exact_for_every_pair_of_widths_and_signs(signed):
    for x_bits in range(1, 17):
        for weight_bits in range(1, 17):
            x = whole_numbers((2, 5), x_bits, signed[0], x_bits)
            weight = whole_numbers((5, 3), weight_bits, signed[1], weight_bits)
            layer = Gemm(2, 5, 3, bits=Bits(x_bits, weight_bits))
            run = simulate_bit_planes(layer, BitPlanes(2, 2, lanes=2), x, weight)
            np.testing.assert_array_equal(run.y, x.astype(np.int64) @ weight.astype(np.int64))


@quick
@given(layer=layers(widest=8), machine=machines, signs=st.tuples(st.booleans(), st.booleans()))
def test_simulation_equals_formula_and_numpy(layer, machine, signs):
    x = whole_numbers(layer.x_shape, layer.bits.x, signs[0], 1)
    weight = whole_numbers(layer.weight_shape, layer.bits.weight, signs[1], 2)
    run = simulate_bit_planes(layer, machine, x, weight)
    expected = layer.reference(x.astype(np.int64), weight.astype(np.int64))
    np.testing.assert_array_equal(run.y, expected)
    assert run == analyse_bit_planes(layer, machine)


@quick
@given(layer=layers(), machine=machines)
def test_as_fast_as_loom_with_the_same_lanes_but_it_reads_bits_again(layer, machine):
    loom = BitSerial(machine.rows, machine.cols, machine.lanes, x_bits=1, weight_bits=1)
    planes, serial = analyse_bit_planes(layer, machine), analyse_bit_serial(layer, loom)
    assert planes.cycles == serial.cycles
    for name, other in (("x", layer.bits.weight), ("weight", layer.bits.x)):
        bits_read = serial.accesses["buffer"][name] * getattr(layer.bits, name)
        assert planes.accesses["buffer"][name] == bits_read * other
    assert planes.cost().traffic_bytes == serial.cost().traffic_bytes  # outside, each bit once


def test_what_does_not_fit():
    layer = Gemm(1, 1, 1, bits=Bits(2, 2))
    with pytest.raises(
        ValueError, match=r"weight\[0, 0\] must fit 2 signed bits, \[-2, 1\], got 2"
    ):
        simulate_bit_planes(layer, bismo(), np.array([[1]]), np.array([[2]]))
    with pytest.raises(
        ValueError, match=r"BitPlanes: lanes must be a whole number, 1 or more, got"
    ):
        BitPlanes(1, 1, 0)
    with pytest.raises(
        ValueError, match=r"layer.bits.weight must be a whole number in \[1, 16\], g"
    ):
        analyse_bit_planes(Gemm(1, 1, 1, bits=Bits(1, 17)), bismo())
