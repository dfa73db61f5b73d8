"""Engines of signs: exact without a multiplication, and folded as the formula says."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from efficientdl.kernels.popcount import pack_signs, popcount_matmul
from efficientdl.systems.hardware.gemm import Bits
from efficientdl.systems.hardware.layer import Conv, Gemm
from efficientdl.systems.hardware.low_bit.binary_engine import (
    BinaryEngine,
    Lane,
    analyse_binary,
    brein,
    draw_words,
    plus_and_some,
    simulate_binary,
    yodann,
)
from tests.systems.hardware.low_bit.drawn import layers

quick = settings(deadline=None, max_examples=60, database=None, derandomize=True)
side = st.integers(1, 6)
BITS = {Lane.XNOR: Bits(1, 1), Lane.SELECT: Bits(12, 1), Lane.TERNARY: Bits(2, 2)}


def drawn(layer, lane, seed=0):
    """Operands; those of signs are given without padding, since zero has no sign."""
    rng = np.random.default_rng(seed)
    x = draw_words(rng, layer.x_shape, layer.bits.x, lane)
    return x, draw_words(rng, layer.weight_shape, layer.bits.weight, lane)


@pytest.mark.parametrize("lane", Lane)
def test_one_lane_is_a_processor_with_one_mac_a_cycle(lane):
    layer = Gemm(3, 5, 2, bits=BITS[lane])
    x, weight = drawn(layer, lane)
    run = simulate_binary(layer, BinaryEngine(1, 1, lane), x, weight)
    np.testing.assert_array_equal(run.y, x @ weight)
    assert run.cycles == layer.macs
    assert run.utilisation == 1


@pytest.mark.parametrize("lane", Lane)
@quick
@given(layer=layers(), pe=side, simd=side, seed=st.integers(0, 9))
def test_simulation_equals_formula_and_numpy(lane, layer, pe, simd, seed):
    layer = replace(layer, bits=BITS[lane])
    if isinstance(layer, Conv) and lane is Lane.XNOR:
        layer = replace(layer, padding=0)
    x, weight = drawn(layer, lane, seed)
    engine = BinaryEngine(pe, simd, lane)
    run = simulate_binary(layer, engine, x, weight)
    np.testing.assert_array_equal(run.y, layer.reference(x, weight))
    assert run == analyse_binary(layer, engine)


@quick
@given(m=side, k=st.integers(1, 200), n=side)
def test_signs_as_the_popcount_kernel_counts_them(m, k, n):
    layer = Gemm(m, k, n, bits=Bits(1, 1))
    x, weight = drawn(layer, Lane.XNOR, k)
    run = simulate_binary(layer, BinaryEngine(4, 16), x, weight)
    left, right = (pack_signs(np.ascontiguousarray(a, float)) for a in (x, weight.T))
    kernel = popcount_matmul(left, right, k)
    np.testing.assert_array_equal(run.y, kernel)


# Layers of BNN-PYNQ's released engines, fully binary: rows, k, n, SIMD, PE, and the cycles that
# their configuration headers state as latency. 784 and 10 are padded there to 832 and 64.
FINN = {
    "LFC": [
        (1, 832, 1024, 64, 32, 416),
        (1, 1024, 1024, 32, 64, 512),
        (1, 1024, 1024, 64, 32, 512),
        (1, 1024, 64, 8, 16, 512),
    ],
    "CNV": [
        (30 * 30, 9 * 3, 64, 3, 16, 32400),
        (28 * 28, 9 * 64, 64, 32, 32, 28224),
        (12 * 12, 9 * 64, 128, 32, 16, 20736),
        (10 * 10, 9 * 128, 128, 32, 16, 28800),
        (1, 3200, 256, 4, 4, 51200),
        (1, 256, 64, 1, 4, 4096),
    ],
}


@pytest.mark.parametrize("network", FINN)
def test_folded_cycles_are_those_that_the_released_engines_state(network):
    for m, k, n, simd, pe, cycles in FINN[network]:
        engine = BinaryEngine(pe, simd)
        assert analyse_binary(Gemm(m, k, n, bits=Bits(1, 1)), engine).cycles == cycles
    first = Conv(3, 32, 32, 64, 3, bits=Bits(8, 1))  # CNV's first layer takes the picture's bytes
    assert analyse_binary(first, BinaryEngine(16, 3, Lane.SELECT)).cycles == 32400


@pytest.mark.parametrize("lane", Lane)
@pytest.mark.parametrize("times", [2, 4, 8])
def test_so_many_times_the_lanes_are_so_many_times_as_fast(lane, times):
    layer = Gemm(6, 64, 32, bits=BITS[lane])
    one = analyse_binary(layer, BinaryEngine(4, 8, lane)).cycles
    assert analyse_binary(layer, BinaryEngine(4 * times, 8, lane)).cycles * times == one
    assert analyse_binary(layer, BinaryEngine(4, 8 * times, lane)).cycles * times == one


def test_lanes_take_two_bits():
    np.testing.assert_array_equal(plus_and_some(np.array([-1, 0, 1])), [[0, 0, 1], [1, 0, 1]])


def test_weights_of_one_bit_move_a_twelfth_of_what_twelve_bits_do():
    layer = Gemm(10, 490, 64, bits=Bits(12, 1))
    run = analyse_binary(layer, yodann())
    wide = replace(run, bits={**run.bits, "weight": 12})
    others = 8 * run.cost().traffic_bytes - 490 * 64
    assert 8 * wide.cost().traffic_bytes - others == 12 * 490 * 64


def test_what_does_not_fit():
    signs, x, weight = Gemm(1, 2, 1, bits=Bits(1, 1)), np.array([[1, -1]]), np.array([[1], [1]])
    engine, numbers = BinaryEngine(1, 1), replace(signs, bits=Bits(12, 1))
    with pytest.raises(ValueError, match=r"simulate_binary: x\[0, 1\] must be one of -1, 1, got 0"):
        simulate_binary(signs, engine, np.array([[1, 0]]), weight)
    with pytest.raises(ValueError, match=r"weight\[1, 0\] must be one of -1, 1, got 3"):
        simulate_binary(signs, engine, x, np.array([[1], [3]]))
    with pytest.raises(ValueError, match=r"x\[0, 0\] must be finite, got nan"):
        simulate_binary(signs, engine, x * np.nan, weight)
    with pytest.raises(
        ValueError, match=r"bits must be 1 of x and 1 of weight, for xnor lanes, got"
    ):
        simulate_binary(Gemm(1, 2, 1), engine, x, weight)
    with pytest.raises(ValueError, match=r"bits must be 2 of x and 2 of weight, for ternary lanes"):
        analyse_binary(signs, brein())
    with pytest.raises(ValueError, match=r"x\[0, 0\] must fit 12 signed bits, .*, got 2048$"):
        simulate_binary(numbers, yodann(), np.array([[2048, 1]]), weight)
    with pytest.raises(ValueError, match=r"simd must be a whole number, 1 or more, got 0"):
        BinaryEngine(1, 0)
    padded = Conv(1, 3, 3, 1, 3, padding=1, bits=Bits(1, 1))
    ones = np.ones(padded.x_shape, int), np.ones(padded.weight_shape, int)
    with pytest.raises(
        ValueError, match=r"layer must not be padded for xnor lanes: a sign is never"
    ):
        simulate_binary(padded, engine, *ones)
