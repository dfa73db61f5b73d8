"""Output stationary, against the worked numbers of one fold and against a count of folds."""

import pytest
from hypothesis import given, settings

from efficientdl.systems.hardware.arch import Array, Drain, Edge
from efficientdl.systems.hardware.dataflow import output_stationary
from efficientdl.systems.hardware.layer import Gemm
from tests.systems.hardware.drawn import arrays, gemms

quick = settings(deadline=None, database=None, derandomize=True)


@pytest.mark.parametrize(
    ("drain", "cycles"),
    [(Drain.SHIFT, 8 + 2 * 4 + 4 - 2), (Drain.BUS, 8 + 4 + 4 - 2 + 8), (Drain.OVERLAP, 18)],
)
def test_one_fold(drain, cycles):
    assert output_stationary(Gemm(4, 8, 4), Array(4, 4, drain, bus_words=2)).cycles == cycles


def test_overlapped_folds_take_k_cycles_each_and_fill_once():
    run = output_stationary(Gemm(40, 100, 40), Array(4, 4, Drain.OVERLAP))
    assert run.cycles == 100 * 100 + 2 * 4 + 4 - 2


@quick
@given(gemm=gemms(max_groups=1), array=arrays(drain=Drain.SHIFT, edge=Edge.USED))
def test_folds_one_after_the_other(gemm, array):
    cycles = 0
    for m in range(0, gemm.m, array.rows):
        for n in range(0, gemm.n, array.cols):
            r, c = min(array.rows, gemm.m - m), min(array.cols, gemm.n - n)
            cycles += gemm.k + 2 * r + c - 2
    assert output_stationary(gemm, array).cycles == cycles


@quick
@given(gemm=gemms(), array=arrays())
def test_sums_never_wait(gemm, array):
    run = output_stationary(gemm, array)
    assert "psum" not in run.accesses["buffer"] | run.accesses["dram"]
    assert 0 < run.utilisation <= 1


def test_what_is_not_an_array():
    with pytest.raises(TypeError, match="output_stationary: array must be a Array, got 4"):
        output_stationary(Gemm(4, 4, 4), 4)
