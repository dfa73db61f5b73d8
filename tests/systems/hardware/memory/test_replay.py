"""The buffer with numbers in it: what is counted is what the schedule says, and y is NumPy's."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from efficientdl.systems.hardware.arch import Arch, Array, Buffer, Dram
from efficientdl.systems.hardware.layer import Conv, Gemm
from efficientdl.systems.hardware.memory.replay import run_tiled
from efficientdl.systems.hardware.memory.schedule import bytes_of, schedule
from efficientdl.systems.hardware.memory.tiling import Tiling, whole
from efficientdl.systems.hardware.simulate import simulate
from tests.systems.hardware.drawn import operands
from tests.systems.hardware.memory.drawn import cut_layers, machines, quick


def test_one_tile_is_the_array_by_itself():
    gemm, arch = Gemm(5, 4, 3), Arch("toy", Array(3, 2))
    x, weight = operands(gemm)
    run = run_tiled(gemm, arch, x, weight, tiling=whole(gemm))
    alone = simulate(gemm, arch, x, weight)
    assert run == alone
    np.testing.assert_array_equal(run.y, alone.y)


@settings(quick, max_examples=50)
@given(cut=cut_layers(), arch=machines(max_side=4), seed=st.integers(0, 99))
def test_what_moves_is_what_the_schedule_says(cut, arch, seed):
    layer, tiling = cut
    x, weight = operands(layer, seed)
    exact = replace(arch, buffer=replace(arch.buffer, bytes=bytes_of(layer, tiling)))
    run = run_tiled(layer, exact, x, weight, tiling=tiling)
    assert run == schedule(layer, exact, tiling).run
    np.testing.assert_array_equal(run.y, layer.reference(x, weight))


def test_a_small_buffer_still_gives_the_whole_convolution():
    conv = Conv(c_in=4, h=9, w=7, c_out=6, kernel=3, padding=1)
    arch = Arch("small", Array(4, 4), buffer=Buffer(512), dram=Dram(16, latency_cycles=9))
    x, weight = operands(conv)
    run = run_tiled(conv, arch, x, weight)
    np.testing.assert_array_equal(run.y, conv.reference(x, weight))
    assert run.words("dram") > sum(conv.words)


def test_floats_are_summed_tile_by_tile():
    gemm = Gemm(6, 8, 5)
    rng = np.random.default_rng(0)
    x, weight = rng.normal(size=(6, 8)), rng.normal(size=(8, 5))
    run = run_tiled(gemm, Arch("toy", Array(2, 2)), x, weight, tiling=Tiling(3, 2, 5))
    # Eight products of normal numbers, summed in another order: a few units in the last place.
    np.testing.assert_allclose(run.y, x @ weight, rtol=0, atol=1e-14)


def test_bad_operands_are_named():
    gemm, arch = Gemm(2, 2, 2), Arch("toy", Array(2, 2), buffer=Buffer(64))
    x = np.ones((2, 2))
    with pytest.raises(ValueError, match=r"run_tiled: x\[1, 0\] must be finite, got nan"):
        run_tiled(gemm, arch, np.array([[1, 2], [np.nan, 3]]), x)
    with pytest.raises(ValueError, match=r"run_tiled: weight must have the shape \(2, 2\)"):
        run_tiled(gemm, arch, x, np.ones((3, 2)))
    with pytest.raises(
        ValueError, match="run_tiled: tiling must need at most the buffer's 8 bytes"
    ):
        run_tiled(gemm, replace(arch, buffer=Buffer(8)), x, x, tiling=whole(gemm))
