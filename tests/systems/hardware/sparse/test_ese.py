"""The LSTM that torch computes, and units that are equally busy."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from efficientdl.systems.hardware.sparse.ese import Ese, Lstm, lstm_reference, simulate_ese
from efficientdl.systems.hardware.sparse.interleaved import InterleavedColumns
from efficientdl.systems.hardware.sparse.queues import queue_cycles
from efficientdl.tensors.balanced import keep_balanced, load_balance

quick = settings(deadline=None, max_examples=30, database=None, derandomize=True)


def drawn(n_cells, features, density=0.3, seed=0, spread=0.0):
    """Weights of 12 bits in multiples of 2^-10, in rows of which some are larger than others."""
    rng = np.random.default_rng(seed)
    shapes = (4 * n_cells, features), (4 * n_cells, n_cells)
    scale = np.exp(spread * rng.standard_normal((4 * n_cells, 1)))
    x, h = (np.round(rng.standard_normal(s) * scale * 100).clip(-2047, 2047) / 1024 for s in shapes)
    x, h = x * (rng.random(x.shape) < density), h * (rng.random(h.shape) < density)
    return Lstm(x, h, rng.integers(-500, 500, 4 * n_cells) / 1024)


def sequence(steps, features, seed=1):
    return np.random.default_rng(seed).integers(-4000, 4000, (steps, features)) / 4096


def in_torch(lstm, x):
    layer = nn.LSTM(lstm.weight_x.shape[1], lstm.n_cells, dtype=torch.float64)
    state = {
        "weight_ih_l0": lstm.weight_x,
        "weight_hh_l0": lstm.weight_h,
        "bias_ih_l0": lstm.bias,
        "bias_hh_l0": 0 * lstm.bias,
    }
    layer.load_state_dict({name: torch.from_numpy(array) for name, array in state.items()})
    with torch.no_grad():
        return layer(torch.from_numpy(x))[0].numpy()


def pruned(lstm, mask):
    """The LSTM with a mask over both matrices."""
    features = lstm.weight_x.shape[1]
    mask = mask.numpy()
    return Lstm(lstm.weight_x * mask[:, :features], lstm.weight_h * mask[:, features:], lstm.bias)


@pytest.mark.parametrize("density", [0.3, 1.0])
def test_it_is_torchs_lstm(density):
    lstm, x = drawn(6, 5, density), sequence(7, 5)
    with torch.random.fork_rng(devices=[]):
        expected = in_torch(lstm, x)
    found = simulate_ese(lstm, Ese(n_units=4, fraction_bits=None), x).y
    # Sums in another order, and other routines for exp and tanh: some units in the last place.
    np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(lstm_reference(lstm, x), expected, rtol=1e-11, atol=1e-13)


def test_without_zeros_every_unit_is_always_busy():
    lstm = Lstm(np.ones((8, 3)), np.ones((8, 2)), np.ones(8))
    run = simulate_ese(lstm, Ese(n_units=4), np.ones((3, 3)))
    steps = [3, 5, 5]  # columns: in the first step the last output is zero
    assert run.macs == 8 * sum(steps)
    assert run.cycles == sum(1 + 2 * columns for columns in steps)


@quick
@given(
    n_cells=st.integers(1, 8), features=st.integers(1, 8), density=st.floats(0, 1),
    machine=st.builds(Ese, n_units=st.integers(1, 7), depth=st.integers(1, 5)),
)  # fmt: skip
def test_fixed_point_is_exact_and_the_cycles_are_those_of_queues(
    n_cells, features, density, machine
):
    lstm, x = drawn(n_cells, features, density), sequence(4, features)
    run = simulate_ese(lstm, machine, x)
    expected = lstm_reference(lstm, x, fraction_bits=12)
    np.testing.assert_array_equal(run.y, expected)
    work = InterleavedColumns.from_dense(lstm.weight, n_units=machine.n_units, weight_bits=12).work
    before = np.concatenate([np.zeros((1, n_cells)), expected[:-1]])
    active = np.concatenate([x, before], axis=1) != 0
    assert run.cycles == sum(queue_cycles(work[:, row], depth=machine.depth) for row in active)


def test_balanced_pruning_makes_the_balance_near_one():
    """Rows of unequal size: what is pruned by size alone leaves some units with more weights."""
    lstm, machine = drawn(128, 64, density=1.0, spread=1.0), Ese(n_units=16)
    x = sequence(3, 64)
    score = torch.from_numpy(np.abs(lstm.weight.T)).float()
    by_size = score > score.flatten().quantile(0.9)
    balanced = keep_balanced(score, sparsity=0.9, n_pes=16)
    assert by_size.sum() == pytest.approx(int(balanced.sum()), rel=0.02)
    runs = {
        name: simulate_ese(pruned(lstm, mask), machine, x)
        for name, mask in {"size": by_size, "balanced": balanced}.items()
    }
    assert runs["balanced"].utilisation > 0.93
    assert runs["size"].utilisation < 0.85
    assert load_balance(balanced, n_pes=16) == 1.0 > load_balance(by_size, n_pes=16)
    assert runs["balanced"].cycles < 0.9 * runs["size"].cycles


def test_what_it_refuses():
    good = drawn(2, 3)
    with pytest.raises(ValueError, match="Ese: n_units must be a whole number, 1 or more, got 0"):
        Ese(n_units=0)
    with pytest.raises(ValueError, match="Ese: fraction_bits must be a whole number in"):
        Ese(fraction_bits=-1)
    with pytest.raises(
        ValueError, match="weight_x, weight_h and bias must have 4 rows for each of 2"
    ):
        Lstm(good.weight_x[:4], good.weight_h, good.bias)
    with pytest.raises(ValueError, match=r"Lstm: bias\[0\] must be finite, got nan"):
        Lstm(good.weight_x, good.weight_h, np.full(8, np.nan))
    with pytest.raises(
        ValueError, match=r"simulate_ese: x must be steps of 3 features, got \(1, 2"
    ):
        simulate_ese(good, Ese(), np.ones((1, 2)))
    with pytest.raises(ValueError, match=r"simulate_ese: x\[0, 1\] must be finite, got inf"):
        simulate_ese(good, Ese(), np.array([[0, np.inf, 0]]))
    with pytest.raises(ValueError, match="at most 2 distinct values"):
        simulate_ese(good, Ese(weight_bits=1), np.ones((1, 3)))
