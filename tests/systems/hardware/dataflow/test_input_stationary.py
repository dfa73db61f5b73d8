"""Input stationary: weight stationary, the other way round."""

import pytest
from hypothesis import given, settings

from efficientdl.systems.hardware.arch import Array
from efficientdl.systems.hardware.dataflow import input_stationary, weight_stationary
from efficientdl.systems.hardware.layer import Bits, Gemm
from tests.systems.hardware.drawn import arrays, gemms

quick = settings(deadline=None, database=None, derandomize=True)


@quick
@given(gemm=gemms(), array=arrays())
def test_it_is_the_transposed_product(gemm, array):
    run = input_stationary(gemm, array)
    other = weight_stationary(Gemm(gemm.n, gemm.k, gemm.m, gemm.groups), array)
    assert run.cycles == other.cycles
    for level, moved in run.accesses.items():
        assert moved["x"] == other.accesses[level]["weight"]
        assert moved["weight"] == other.accesses[level]["x"]


@quick
@given(gemm=gemms(), array=arrays())
def test_inputs_are_fetched_once(gemm, array):
    assert input_stationary(gemm, array).accesses["buffer"]["x"] == gemm.words.x


def test_widths_stay_with_their_operands():
    run = input_stationary(Gemm(2, 3, 4, bits=Bits(4, 2, 16)), Array(2, 2))
    assert run.bits == {"x": 4, "weight": 2, "y": 16, "psum": 16}


def test_what_is_not_an_array():
    with pytest.raises(TypeError, match="input_stationary: array must be a Array, got 2"):
        input_stationary(Gemm(1, 1, 1), 2)
