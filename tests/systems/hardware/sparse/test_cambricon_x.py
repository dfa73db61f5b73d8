"""The layer's output, and cycles that follow the weights that are left."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from efficientdl.systems.hardware.layer import Conv, Gemm
from efficientdl.systems.hardware.presets import HOROWITZ_45NM
from efficientdl.systems.hardware.sparse.cambricon_x import (
    CambriconX,
    dense_cycles,
    simulate_cambricon_x,
    step_cycles,
    step_indexed,
)
from tests.systems.hardware.drawn import convs, gemms, operands
from tests.systems.hardware.sparse.drawn import sparse

quick = settings(deadline=None, max_examples=40, database=None, derandomize=True)
machines = st.builds(
    lambda n_pes, n_multipliers, times: CambriconX(n_pes, n_multipliers, n_multipliers * times),
    st.integers(1, 5),
    st.integers(1, 4),
    st.integers(1, 4),
)


def slowest_unit(machine, weight):
    """Cycles of one row of x, output by output and window by window."""
    unit = [0] * machine.n_pes
    for output, column in enumerate(weight.T):
        for first in range(0, len(column), machine.window):
            kept = np.count_nonzero(column[first : first + machine.window])
            while True:
                unit[output % machine.n_pes] += 1
                kept -= machine.n_multipliers
                if kept <= 0:
                    break
    return max(unit)


def test_without_zeros_it_is_the_dense_machine_and_always_busy():
    gemm, machine = Gemm(3, 32, 8), CambriconX(4, 4, 16)
    x, weight = operands(gemm, low=1)
    run = simulate_cambricon_x(gemm, machine, x, weight)
    assert run.cycles == dense_cycles(gemm, machine) == gemm.macs // machine.n_units
    assert (run.utilisation, run.macs) == (1.0, gemm.macs)


@quick
@given(gemm=gemms(max_side=20), machine=machines, density=st.floats(0, 1), seed=st.integers(0, 9))
def test_product_and_cycles(gemm, machine, density, seed):
    x, weight = sparse(gemm.x_shape, 0.8, seed), sparse(gemm.weight_shape, density, seed + 1)
    run = simulate_cambricon_x(gemm, machine, x, weight)
    np.testing.assert_array_equal(run.y, x @ weight)
    matrices = weight.reshape(-1, gemm.k, gemm.n)
    assert run.cycles == gemm.m * sum(slowest_unit(machine, matrix) for matrix in matrices)
    counts = [step_indexed(matrix, window=machine.window).counts for matrix in matrices]
    assert run.cycles == gemm.m * sum(step_cycles(count, machine) for count in counts)
    assert run.macs == gemm.m * np.count_nonzero(weight)


@quick
@given(conv=convs(), machine=machines, density=st.floats(0, 1))
def test_convolutions_too(conv, machine, density):
    x, weight = sparse(conv.x_shape, 0.8, 0), sparse(conv.weight_shape, density, 1)
    run = simulate_cambricon_x(conv, machine, x, weight)
    np.testing.assert_array_equal(run.y, conv.reference(x, weight))
    assert run.cycles <= dense_cycles(conv, machine)


@quick
@given(size=st.tuples(st.integers(1, 30), st.integers(1, 4)), window=st.integers(1, 9))
def test_steps_lead_back_to_the_weights(size, window):
    weight = sparse(size, 0.5, 0)
    steps, back = step_indexed(weight, window=window), np.zeros_like(weight)
    for output, w in np.ndindex(steps.counts.shape):
        mine = slice(steps.starts[output, w], steps.starts[output, w + 1])
        places = w * window + np.cumsum(steps.skips[mine].astype(int) + 1) - 1
        back[places, output] = steps.values[mine]
    np.testing.assert_array_equal(back, weight)
    assert (steps.skips < window).all()


def test_cycles_follow_the_weights_until_the_window_binds():
    gemm, machine = Gemm(1, 4096, 64), CambriconX()
    x = sparse(gemm.x_shape, 1.0, 0, 1, 9)
    speedups = []
    for density in (1.0, 0.5, 0.25, 0.02, 0.0):
        weight = sparse(gemm.weight_shape, density, 1, 1, 9)
        run = simulate_cambricon_x(gemm, machine, x, weight)
        speedups.append(dense_cycles(gemm, machine) / run.cycles)
        if density >= 0.25:  # a window of 64 weights and more: the last, half empty, cycle is short
            assert 0.85 / density <= speedups[-1] <= 1 / density * 1.01
    assert speedups == sorted(speedups)
    assert speedups[-1] == machine.window / machine.n_multipliers == 16


def test_what_moves():
    weight = np.zeros((8, 3), int)
    weight[[1, 6], 0] = 3, 4
    machine = CambriconX(n_pes=2, n_multipliers=2, window=8)
    run = simulate_cambricon_x(Gemm(1, 8, 3), machine, np.ones((1, 8), int), weight)
    assert run.accesses["link"] == {"x": 2}
    assert run.accesses["buffer"] == {"x": 16, "weight": 2, "step": 2, "y": 3}  # two rounds
    assert run.bits["step"] == 3
    assert set(run.energy(HOROWITZ_45NM)) == {"mac", "link", "buffer"}


def test_what_it_refuses():
    with pytest.raises(ValueError, match="CambriconX: n_pes must be a whole number, 1 or more"):
        CambriconX(n_pes=0)
    with pytest.raises(ValueError, match="n_multipliers must divide window = 256, got 12"):
        CambriconX(n_multipliers=12)
    with pytest.raises(TypeError, match="simulate_cambricon_x: machine must be a CambriconX"):
        simulate_cambricon_x(Conv(1, 1, 1, 1), 3, np.ones(1), np.ones(1))
    bad = np.full((1, 1), np.nan)
    with pytest.raises(ValueError, match=r"weight\[0, 0\] must be finite, got nan"):
        simulate_cambricon_x(Gemm(1, 1, 1), CambriconX(), np.ones((1, 1)), bad)
    with pytest.raises(ValueError, match="step_indexed: window must be a whole number"):
        step_indexed(np.ones((1, 1)), window=0)
