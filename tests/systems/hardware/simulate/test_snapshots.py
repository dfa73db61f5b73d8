"""What the pictures show is what happened: products, sums and words are where they must be."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from efficientdl.systems.hardware.analyse import analyse
from efficientdl.systems.hardware.arch import Array, Dataflow, Drain, Edge
from efficientdl.systems.hardware.layer import Conv, Gemm
from efficientdl.systems.hardware.simulate import State, simulate, snapshots
from tests.systems.hardware.drawn import arrays, gemms, machine, operands

DATAFLOWS = [
    Dataflow.OUTPUT_STATIONARY,
    Dataflow.WEIGHT_STATIONARY,
    Dataflow.INPUT_STATIONARY,
]
quick = settings(deadline=None, max_examples=20, database=None, derandomize=True)


def busy(frame):
    return frame.state == State.MULTIPLIES


@pytest.mark.parametrize("dataflow", DATAFLOWS)
def test_one_unit_multiplies_one_pair_after_the_other(dataflow):
    gemm = Gemm(1, 3, 1)
    x, weight = np.array([[2, 3, 4]]), np.array([[5], [6], [7]])
    frames = snapshots(gemm, machine(Array(1, 1), dataflow), x, weight)
    pairs = [(int(f.x[0, 0]), int(f.weight[0, 0])) for f in frames if f.utilisation]
    assert pairs == [(2, 5), (3, 6), (4, 7)]
    np.testing.assert_array_equal(frames[-1].y, x @ weight)


@pytest.mark.parametrize("dataflow", DATAFLOWS)
@quick
@given(gemm=gemms(max_side=7), array=arrays(max_side=4), seed=st.integers(0, 99))
def test_the_trace_adds_up_to_the_product_and_to_the_engines_counts(dataflow, gemm, array, seed):
    x, weight = operands(gemm, seed)
    arch = machine(array, dataflow)
    run = simulate(gemm, arch, x, weight)
    frames = snapshots(gemm, arch, x, weight)
    assert len(frames) == run.cycles
    assert [f.cycle for f in frames] == list(range(run.cycles))
    assert sum(int(busy(f).sum()) for f in frames) == run.macs
    total = sum(int((f.x * f.weight)[busy(f)].sum()) for f in frames)
    assert total == int(run.y.sum())
    last = {f.product: f.y for f in frames}
    np.testing.assert_array_equal(np.stack(list(last.values())).reshape(run.y.shape), run.y)


@pytest.mark.parametrize("dataflow", DATAFLOWS)
@quick
@given(gemm=gemms(max_side=7, max_groups=1), array=arrays(max_side=4))
def test_every_sum_is_the_one_that_came_in_and_a_product(dataflow, gemm, array):
    """The operands come from the schedule, the sums from the engine's registers: they must fit."""
    x, weight = operands(gemm)
    frames = snapshots(gemm, machine(array, dataflow), x, weight)
    stays = dataflow is Dataflow.OUTPUT_STATIONARY
    before = np.zeros((array.rows, array.cols), int)
    for frame in frames:
        came = before if stays else np.vstack([0 * before[:1], before[:-1]])
        grown = frame.psum - frame.x * frame.weight
        new = stays & (grown == 0)  # a sum that stays begins with its first product
        np.testing.assert_array_equal(grown[busy(frame) & ~new], came[busy(frame) & ~new])
        before = frame.psum


def test_a_wave_runs_along_the_diagonals():
    array, dataflow = Array(3, 3), Dataflow.WEIGHT_STATIONARY
    x, weight = operands(Gemm(2, 3, 3), low=1)
    frames = snapshots(Gemm(2, 3, 3), machine(array, dataflow), x, weight)
    i, j = np.indices((3, 3))
    for frame in frames[3:]:  # three cycles to load
        age = frame.cycle - 3 - i - j
        np.testing.assert_array_equal(busy(frame), (age >= 0) & (age < 2))
    np.testing.assert_array_equal(frames[3].weight[:, 0], weight[:, 0])
    assert (frames[0].state == State.HOLDS).sum() == 1  # the first weight of the first column


def test_rows_that_a_fold_does_not_use_hand_sums_down():
    gemm, array = Gemm(2, 2, 2), Array(4, 2, edge=Edge.PHYSICAL)
    x, weight = operands(gemm)
    frames = snapshots(gemm, machine(array, Dataflow.WEIGHT_STATIONARY), x, weight)
    passing = [np.argwhere(f.state == State.PASSES)[:, 0] for f in frames]
    assert set(np.concatenate(passing)) == {2, 3}
    used = Array(4, 2, edge=Edge.USED)
    frames = snapshots(gemm, machine(used, Dataflow.WEIGHT_STATIONARY), x, weight)
    assert not any((f.state == State.PASSES).any() for f in frames)


def test_finished_sums_leave_an_output_stationary_array_down_the_columns():
    gemm, array = Gemm(2, 2, 1), Array(2, 1, Drain.SHIFT)
    x, weight = operands(gemm)
    frames = snapshots(gemm, machine(array, Dataflow.OUTPUT_STATIONARY), x, weight)
    y = (x @ weight)[:, 0]
    assert frames[2].state[0, 0] == State.PASSES
    assert frames[2].psum[0, 0] == y[0]
    assert frames[3].psum[1, 0] == y[0]  # the lower sum has left, the upper is in its place
    np.testing.assert_array_equal(frames[-1].y[:, 0], y)


def test_groups_follow_each_other():
    conv = Conv(c_in=2, h=4, w=4, c_out=2, kernel=3, groups=2)
    arch = machine(Array(3, 2), Dataflow.WEIGHT_STATIONARY)
    x, weight = operands(conv)
    frames = snapshots(conv, arch, x, weight)
    assert len(frames) == analyse(conv, arch).cycles
    assert [f.product for f in frames] == sorted(f.product for f in frames)
    assert {f.product for f in frames} == {0, 1}


def test_what_cannot_be_looked_at():
    x, weight = operands(Gemm(600, 3, 600))
    arch = machine(Array(2, 2), Dataflow.WEIGHT_STATIONARY)
    with pytest.raises(ValueError, match="snapshots: layer must take at most 1000 cycles"):
        snapshots(Gemm(600, 3, 600), arch, x, weight)
    trees = machine(Array(2, 2), Dataflow.NO_LOCAL_REUSE)
    with pytest.raises(ValueError, match=r"snapshots: arch.dataflow must be one of"):
        snapshots(Gemm(2, 2, 2), trees, *operands(Gemm(2, 2, 2)))
    bad = np.full((2, 2), np.nan)
    with pytest.raises(ValueError, match=r"Gemm.lower: x\[0, 0\] must be finite, got nan"):
        snapshots(Gemm(2, 2, 2), arch, bad, bad)
