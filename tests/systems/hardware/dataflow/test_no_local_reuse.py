"""No local reuse: adder trees, whose every MAC fetches a weight."""

import pytest
from hypothesis import given, settings

from efficientdl.systems.hardware.arch import Array, Drain
from efficientdl.systems.hardware.dataflow import no_local_reuse, weight_stationary
from efficientdl.systems.hardware.layer import Gemm
from tests.systems.hardware.drawn import arrays, gemms

quick = settings(deadline=None, database=None, derandomize=True)


@pytest.mark.parametrize(("rows", "levels"), [(1, 0), (2, 1), (3, 2), (4, 2), (5, 3), (16, 4)])
def test_one_fold_takes_its_steps_and_the_levels_of_its_trees(rows, levels):
    assert no_local_reuse(Gemm(7, rows, 2), Array(rows, 2)).cycles == 7 + levels


def test_folds_that_overlap_fill_the_trees_once():
    run = no_local_reuse(Gemm(10, 16, 16), Array(4, 4, Drain.OVERLAP))
    assert run.cycles == 16 * 10 + 2


@quick
@given(gemm=gemms(), array=arrays())
def test_the_buffer_gives_a_weight_for_every_mac(gemm, array):
    run = no_local_reuse(gemm, array)
    kept = weight_stationary(gemm, array).accesses["buffer"]
    assert run.accesses["buffer"]["weight"] == gemm.macs == gemm.m * kept["weight"]
    assert {k: v for k, v in run.accesses["buffer"].items() if k != "weight"} == {
        k: v for k, v in kept.items() if k != "weight"
    }
    assert "register" not in run.accesses


def test_what_is_not_a_product():
    with pytest.raises(TypeError, match="no_local_reuse: gemm must be a Gemm, got 1"):
        no_local_reuse(1, Array(2, 2))
