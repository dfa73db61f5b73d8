"""The central promise: what the formula says is what happens when every word is moved."""

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from efficientdl.systems.hardware.analyse import FORMULAS, analyse
from efficientdl.systems.hardware.arch import Arch, Array, Dataflow, Drain, Edge
from efficientdl.systems.hardware.layer import Conv, Gemm
from efficientdl.systems.hardware.simulate import simulate, simulate_product
from efficientdl.systems.hardware.simulate.plan import CLASHES
from tests.systems.hardware.drawn import arrays, convs, gemms, machine, operands

DATAFLOWS = list(FORMULAS)
quick = settings(deadline=None, max_examples=60, database=None, derandomize=True)


def numpy_product(x, weight):
    return np.einsum("mk,kn->mn", x, weight)


@pytest.mark.parametrize("dataflow", DATAFLOWS)
def test_one_unit_does_one_mac_a_cycle_as_a_processor_does(dataflow):
    gemm = Gemm(3, 4, 2)
    array = Array(1, 1, Drain.OVERLAP, weight_registers=2)
    x, weight = operands(gemm)
    run = simulate(gemm, machine(array, dataflow), x, weight)
    np.testing.assert_array_equal(run.y, numpy_product(x, weight))
    fill = {Dataflow.OUTPUT_STATIONARY: 1, Dataflow.NO_LOCAL_REUSE: 0}
    assert run.cycles == gemm.macs + fill.get(dataflow, 1)  # a sum to leave, a weight to load


@pytest.mark.parametrize("dataflow", DATAFLOWS)
@quick
@given(gemm=gemms(), array=arrays(), seed=st.integers(0, 99))
def test_simulation_equals_analysis_and_numpy(dataflow, gemm, array, seed):
    x, weight = operands(gemm, seed)
    arch = machine(array, dataflow)
    simulated, analysed = simulate(gemm, arch, x, weight), analyse(gemm, arch)
    for name in ("cycles", "macs", "n_units", "accesses", "bits"):
        assert getattr(simulated, name) == getattr(analysed, name), name
    parts = zip(x.reshape(-1, gemm.m, gemm.k), weight.reshape(-1, gemm.k, gemm.n), strict=True)
    expected = np.stack([numpy_product(a, b) for a, b in parts])
    np.testing.assert_array_equal(simulated.y.reshape(expected.shape), expected)


@pytest.mark.parametrize("dataflow", DATAFLOWS)
@settings(quick, max_examples=12)
@given(conv=convs(), array=arrays(max_side=6))
def test_so_it_is_for_convolutions(dataflow, conv, array):
    x, weight = operands(conv)
    arch = machine(array, dataflow)
    run = simulate(conv, arch, x, weight)
    assert run == analyse(conv, arch)
    np.testing.assert_array_equal(run.y, conv.reference(x, weight))


@pytest.mark.parametrize("dataflow", DATAFLOWS)
@quick
@given(gemm=gemms(max_groups=1), array=arrays())
def test_no_output_is_written_before_its_last_mac_and_the_last_ends_the_run(dataflow, gemm, array):
    x, weight = operands(gemm)
    run = simulate_product(x, weight, dataflow, array)
    last_mac, written = run.trace
    assert last_mac.min() >= 0, "an output without its last MAC"
    assert (written >= last_mac).all()
    if array.edge is Edge.USED:  # nothing is waited for that does not happen
        assert written.max() + 1 == analyse(gemm, machine(array, dataflow)).cycles


# How many cycles too early words collide. With one register the next weight could come one cycle
# sooner: it may replace the old one at the end of the cycle in which that is read.
EARLY = [
    (Dataflow.OUTPUT_STATIONARY, 1, 1),
    (Dataflow.WEIGHT_STATIONARY, 2, 1),
    (Dataflow.WEIGHT_STATIONARY, 1, 2),
]


@pytest.mark.parametrize(("dataflow", "registers", "hurry"), EARLY)
@pytest.mark.parametrize("steps", [2, 4, 9])
def test_a_fold_that_starts_too_early_makes_words_collide(dataflow, registers, hurry, steps):
    array = Array(4, 4, Drain.OVERLAP, weight_registers=registers)
    stays = dataflow is Dataflow.OUTPUT_STATIONARY
    gemm = Gemm(8, steps, 8) if stays else Gemm(steps, 8, 8)
    x, weight = operands(gemm)
    assert simulate_product(x, weight, dataflow, array).counts[CLASHES] == 0
    assert simulate_product(x, weight, dataflow, array, hurry=hurry).counts[CLASHES] > 0


@pytest.mark.parametrize("dataflow", DATAFLOWS)
@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.int64, np.float32, np.float64])
def test_all_kinds_of_numbers(dataflow, dtype):
    rng = np.random.default_rng(0)
    x = rng.integers(0, 100, (5, 7)).astype(dtype)
    weight = rng.integers(0, 100, (7, 6)).astype(dtype)
    run = simulate(Gemm(5, 7, 6), machine(Array(3, 3), dataflow), x, weight)
    wide = np.float64 if x.dtype.kind == "f" else np.int64
    np.testing.assert_array_equal(run.y, x.astype(wide) @ weight.astype(wide))


def test_sums_larger_than_32_bits():
    x, weight = np.full((2, 3), 2**31 - 1), np.full((3, 2), -(2**30))
    run = simulate(Gemm(2, 3, 2), machine(Array(2, 2), Dataflow.WEIGHT_STATIONARY), x, weight)
    np.testing.assert_array_equal(run.y, x @ weight)


@pytest.mark.parametrize("dataflow", DATAFLOWS)
def test_cost_is_that_of_the_run(dataflow):
    gemm = Gemm(4, 4, 4)
    x, weight = operands(gemm)
    cost = simulate(gemm, machine(Array(4, 4), dataflow), x, weight).cost()
    assert (cost.macs, cost.traffic_bytes) == (64, 16 + 16 + 4 * 16)


def test_what_cannot_be_simulated():
    arch = machine(Array(2, 2), Dataflow.WEIGHT_STATIONARY)
    gemm, x = Gemm(2, 3, 2), np.ones((2, 3))
    bad = np.ones((3, 2))
    bad[1, 1] = np.nan
    with pytest.raises(ValueError, match=r"Gemm.lower: weight\[1, 1\] must be finite, got nan"):
        simulate(gemm, arch, x, bad)
    with pytest.raises(ValueError, match=r"Gemm.lower: x must have the shape \(2, 3\), got \(3, 2"):
        simulate(gemm, arch, x.T, x)
    with pytest.raises(TypeError, match=r"Gemm.lower: x must be a ndarray, got \[\[1"):
        simulate(gemm, arch, [[1]], x)
    with pytest.raises(TypeError, match=r"Gemm.lower: x must hold numbers, got complex128"):
        simulate(gemm, arch, x.astype(complex), x.T)
    with pytest.raises(TypeError, match=r"simulate: layer must be a Gemm or Conv, got 3"):
        simulate(3, arch, x, x.T)
    with pytest.raises(ValueError, match="Conv: kernel must fit the padded input of 2 x 2"):
        Conv(1, 2, 2, 1, kernel=3)


@pytest.mark.parametrize("groups", [1, 3])
def test_row_stationary_takes_a_product_as_a_convolution(groups):
    rng, arch = np.random.default_rng(0), Arch("rows", Array(3, 4), Dataflow.ROW_STATIONARY)
    gemm = Gemm(5, 3, 4, groups=groups)
    x, weight = (rng.integers(-9, 9, shape) for shape in (gemm.x_shape, gemm.weight_shape))
    run = simulate(gemm, arch, x, weight)
    np.testing.assert_array_equal(run.y, x @ weight)
    assert run == analyse(gemm, arch)
    conv = Conv(2, 6, 6, 3, kernel=3)
    x, weight = (rng.integers(-9, 9, shape) for shape in (conv.x_shape, conv.weight_shape))
    run = simulate(conv, arch, x, weight)
    np.testing.assert_array_equal(run.y, conv.reference(x, weight))
    assert run == analyse(conv, arch)


def test_an_array_wider_than_the_product_stays_inside_its_arrays():
    """As Python, where a place behind the end is an error; compiled code would not see it."""
    code = """
import numpy as np
from efficientdl.systems.hardware import Arch, Array, Dataflow, Gemm, simulate
for dataflow in Dataflow:
    for m, k, n in ((1, 1, 1), (2, 5, 3)):
        x, weight = np.ones((m, k), int), np.ones((k, n), int)
        run = simulate(Gemm(m, k, n), Arch("wide", Array(2, 9), dataflow), x, weight)
        assert (run.y == k).all()
"""
    env = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    subprocess.run([sys.executable, "-c", code], env=env, check=True)
