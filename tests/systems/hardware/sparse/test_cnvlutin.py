"""The layer's output, and cycles that follow the fullest lane."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from efficientdl.systems.hardware.layer import Conv, Gemm
from efficientdl.systems.hardware.presets import HOROWITZ_45NM
from efficientdl.systems.hardware.sparse.cnvlutin import (
    Cnvlutin,
    dense_cycles,
    lane_cycles,
    simulate_cnvlutin,
    zero_free,
)
from tests.systems.hardware.drawn import convs, gemms, operands
from tests.systems.hardware.sparse.drawn import sparse

quick = settings(deadline=None, max_examples=40, database=None, derandomize=True)
machines = st.builds(
    Cnvlutin, n_lanes=st.integers(1, 6), brick=st.integers(1, 5), n_filters=st.integers(1, 4)
)


def fullest_lanes(layer, machine, x):
    """Cycles of all windows, counted pixel by pixel on the image, not on windows made rows."""
    r, s = layer.pairs.kernel
    (down, right), (top, left), (dr, ds) = layer.pairs[1:]
    p, q = layer.outputs
    channels, total = layer.c_in // layer.groups, 0
    padded = np.pad(x, ((0, 0), (0, 0), (top, top), (left, left)))
    passes = -(-(layer.c_out // layer.groups) // machine.n_filters)
    for image in padded:
        for g in range(layer.groups):
            for i, j in np.ndindex(p, q):
                lanes, brick = [0] * machine.n_lanes, 0
                for a, b in np.ndindex(r, s):
                    pixel = image[g * channels :, i * down + a * dr, j * right + b * ds][:channels]
                    for first in range(0, channels, machine.brick):
                        words = np.count_nonzero(pixel[first : first + machine.brick])
                        lanes[brick % machine.n_lanes] += max(words, 1)
                        brick += 1
                total += passes * max(lanes)
    return total


@pytest.mark.parametrize("passes", [1, 2])
def test_without_zeros_it_is_the_dense_machine_and_always_busy(passes):
    conv = Conv(c_in=16, h=5, w=5, c_out=8 * passes, kernel=2)
    machine = Cnvlutin(n_lanes=4, brick=4, n_filters=8)
    x, weight = operands(conv, low=1)
    run = simulate_cnvlutin(conv, machine, x, weight)
    assert run.cycles == dense_cycles(conv, machine) == conv.macs // machine.n_units
    assert (run.utilisation, run.macs) == (1.0, conv.macs)


@settings(quick, max_examples=15)
@given(conv=convs(), machine=machines, density=st.floats(0, 1), seed=st.integers(0, 99))
def test_convolution_and_its_cycles(conv, machine, density, seed):
    x, weight = sparse(conv.x_shape, density, seed), sparse(conv.weight_shape, 0.8, seed + 1)
    run = simulate_cnvlutin(conv, machine, x, weight)
    np.testing.assert_array_equal(run.y, conv.reference(x, weight))
    assert run.cycles == fullest_lanes(conv, machine, x)
    rows, _ = conv.lower(x, weight)
    assert run.macs == np.count_nonzero(rows) * (conv.c_out // conv.groups)


@quick
@given(gemm=gemms(max_side=20), machine=machines, density=st.floats(0, 1))
def test_products_too_and_the_formula(gemm, machine, density):
    x, weight = sparse(gemm.x_shape, density, 0), sparse(gemm.weight_shape, 1.0, 1)
    run = simulate_cnvlutin(gemm, machine, x, weight)
    np.testing.assert_array_equal(run.y, x @ weight)
    counts = zero_free(x.reshape(-1, gemm.k), brick=machine.brick).counts
    passes = -(-gemm.n // machine.n_filters)
    assert run.cycles == passes * lane_cycles(counts, n_lanes=machine.n_lanes).sum()


@quick
@given(shape=st.tuples(st.integers(1, 4), st.integers(1, 20)), brick=st.integers(1, 8))
def test_bricks_hold_every_word_at_its_place(shape, brick):
    x = sparse(shape, 0.5, 0)
    bricks = zero_free(x, brick=brick)
    back = np.zeros(bricks.values.shape, x.dtype)
    np.put_along_axis(back, bricks.offsets, bricks.values, axis=-1)
    np.testing.assert_array_equal(back.reshape(shape[0], -1)[:, : shape[1]], x)
    first = np.arange(brick) < bricks.counts[..., None]
    np.testing.assert_array_equal(bricks.values != 0, first)


def test_cycles_follow_what_is_not_zero():
    """Nine bricks in each lane: half the words, nearly half the cycles; the rest is waiting."""
    conv = Conv(c_in=256, h=6, w=6, c_out=16, kernel=3)
    weight = sparse(conv.weight_shape, 1.0, 0)
    for density, least in {1.0: 1.0, 0.75: 0.85, 0.5: 0.8, 0.25: 0.65}.items():
        x = sparse(conv.x_shape, density, 1, 1, 9)
        run = simulate_cnvlutin(conv, Cnvlutin(), x, weight)
        found = np.count_nonzero(conv.lower(x, weight)[0]) / (16 * 144 * 16)  # share of words
        speedup = dense_cycles(conv, Cnvlutin()) / run.cycles
        assert least / found <= speedup <= 1 / found


def test_lanes_without_work_cost_even_the_full_machine():
    """Nine bricks on sixteen lanes: seven lanes wait, where the dense machine would not."""
    conv = Conv(c_in=16, h=4, w=4, c_out=4, kernel=3)
    x, weight = operands(conv, low=1)
    run = simulate_cnvlutin(conv, Cnvlutin(), x, weight)
    assert run.cycles == 4 * 16 > dense_cycles(conv, Cnvlutin()) == 4 * 9


def test_what_moves():
    x = np.array([[3, 0, 0, 0, 0, 5, 0, 0]])
    machine = Cnvlutin(n_lanes=2, brick=4, n_filters=2)
    run = simulate_cnvlutin(Gemm(1, 8, 3), machine, x, np.ones((8, 3), int))
    assert run.accesses["buffer"] == {"x": 4, "offset": 4, "weight": 6, "y": 3}  # in two passes
    assert run.accesses["register"] == {"psum": 2 * 3}
    assert run.bits["offset"] == 2
    assert set(run.energy(HOROWITZ_45NM)) == {"mac", "register", "buffer"}


def test_what_it_refuses():
    with pytest.raises(ValueError, match="Cnvlutin: n_lanes must be a whole number, 1 or more"):
        Cnvlutin(n_lanes=0)
    with pytest.raises(TypeError, match="simulate_cnvlutin: layer must be a Gemm or Conv, got 3"):
        simulate_cnvlutin(3, Cnvlutin(), np.ones(1), np.ones(1))
    with pytest.raises(ValueError, match=r"weight\[0, 0\] must be finite, got inf"):
        simulate_cnvlutin(Gemm(1, 1, 1), Cnvlutin(), np.ones((1, 1)), np.full((1, 1), np.inf))
    with pytest.raises(ValueError, match="zero_free: brick must be a whole number, 1 or more"):
        zero_free(np.ones(3), brick=0)
    with pytest.raises(ValueError, match="lane_cycles: n_lanes must be a whole number"):
        lane_cycles(np.ones((1, 1), int), n_lanes=0)
