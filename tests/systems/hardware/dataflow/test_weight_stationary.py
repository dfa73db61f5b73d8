"""Weight stationary, against the worked numbers of one fold and against a count of folds."""

import pytest
from hypothesis import given, settings

from efficientdl.systems.hardware.arch import Array, Drain, Edge, Psums
from efficientdl.systems.hardware.dataflow import weight_stationary
from efficientdl.systems.hardware.layer import Gemm
from tests.systems.hardware.drawn import arrays, gemms

quick = settings(deadline=None, database=None, derandomize=True)


def test_one_fold_loads_then_streams():
    assert weight_stationary(Gemm(8, 4, 4), Array(4, 4)).cycles == 4 + 8 + 4 + 4 - 2


@pytest.mark.parametrize(
    ("drain", "registers", "cycles"),
    [
        (Drain.SHIFT, 1, 100 * (50 + 2 * 4 + 4 - 2)),
        (Drain.SHIFT, 2, 4 + 100 * (50 + 4 + 4 - 2)),
        (Drain.OVERLAP, 1, 100 * (4 + 50) + 4 + 4 - 2),
        (Drain.OVERLAP, 2, 4 + 100 * 50 + 4 + 4 - 2),
    ],
)
def test_what_hides_the_loading_and_the_draining(drain, registers, cycles):
    array = Array(4, 4, drain, weight_registers=registers)
    assert weight_stationary(Gemm(50, 40, 40), array).cycles == cycles


@quick
@given(gemm=gemms(max_groups=1), array=arrays(drain=Drain.BUS, edge=Edge.USED, weight_registers=1))
def test_folds_one_after_the_other(gemm, array):
    cycles = 0
    for k in range(0, gemm.k, array.rows):
        for n in range(0, gemm.n, array.cols):
            r, c = min(array.rows, gemm.k - k), min(array.cols, gemm.n - n)
            cycles += gemm.m + 2 * r + c - 2
    assert weight_stationary(gemm, array).cycles == cycles


def test_sums_wait_where_they_are_told_to():
    gemm = Gemm(5, 9, 3)  # three folds along k: each sum is written and read again twice
    on = weight_stationary(gemm, Array(3, 3)).accesses
    off = weight_stationary(gemm, Array(3, 3, psums=Psums.OFF_CHIP)).accesses
    assert on["buffer"]["psum"] == off["dram"]["psum"] == 5 * 3 * 2 * 2
    assert "psum" not in on["dram"] | off["buffer"]


@quick
@given(gemm=gemms(), array=arrays())
def test_weights_are_fetched_once(gemm, array):
    run = weight_stationary(gemm, array)
    assert run.accesses["buffer"]["weight"] == run.accesses["dram"]["weight"] == gemm.words.weight


def test_what_is_not_a_product():
    with pytest.raises(TypeError, match="weight_stationary: gemm must be a Gemm, got None"):
        weight_stationary(None, Array(2, 2))
