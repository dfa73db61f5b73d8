"""The cost model ranks the schedules of shapes that it has never seen."""

from random import Random

import numpy as np
import pytest
from scipy.stats import spearmanr

from efficientdl.systems.compiler.autotune import (
    ConvTask,
    CostModel,
    MatmulTask,
    Schedule,
    Trial,
    space_of,
)
from tests.systems.compiler.autotune.pretended import pretended

SEEN = [MatmulTask(256, 256, 256), MatmulTask(64, 512, 128), MatmulTask(512, 64, 512)]
HELD_OUT = [
    MatmulTask(128, 300, 200),
    ConvTask(1, 32, 14, 14, 64, 3, padding=1),
    MatmulTask(1000, 100, 96),
]


def drawn(task, n, seed):
    space, rng = space_of(task), Random(seed)
    return [Schedule(**space.sample(rng)) for _ in range(n)]


def trials(tasks, n, seed=0):
    return [Trial(task, s, pretended(task, s)) for task in tasks for s in drawn(task, n, seed)]


@pytest.mark.parametrize("task", HELD_OUT, ids=str)
def test_it_ranks_a_shape_that_it_has_not_seen(task):
    model = CostModel.fit(trials(SEEN, 32), seed=0)
    schedules = drawn(task, 100, seed=1)
    wanted = [pretended(task, schedule) for schedule in schedules]
    assert spearmanr(model.predict(task, schedules), wanted).statistic > 0.6


def test_without_a_relation_there_is_no_rank():
    seen = trials(SEEN, 32)
    times = [trial.latency_s / trial.task.macs for trial in seen]
    Random(0).shuffle(times)
    told = [Trial(t.task, t.schedule, s * t.task.macs) for t, s in zip(seen, times, strict=True)]
    task = HELD_OUT[0]
    schedules = drawn(task, 100, seed=1)
    found = CostModel.fit(told, seed=0).predict(task, schedules)
    wanted = [pretended(task, schedule) for schedule in schedules]
    assert abs(spearmanr(found, wanted).statistic) < 0.4


def test_predictions_are_seconds():
    task = MatmulTask(64, 64, 64)
    schedules = drawn(task, 8, seed=0)
    double = MatmulTask(128, 64, 64)
    model = CostModel.fit([Trial(task, s, 2e-3) for s in schedules], seed=0)
    np.testing.assert_allclose(model.predict(task, schedules), 2e-3)
    np.testing.assert_allclose(model.predict(double, schedules), 4e-3)  # as many MACs again
    assert model.predict(task, []).shape == (0,)


def test_the_same_trials_make_the_same_model():
    a, b = (CostModel.fit(trials(SEEN[:1], 16), seed=3) for _ in range(2))
    schedules = drawn(SEEN[0], 20, seed=2)
    np.testing.assert_array_equal(a.predict(SEEN[0], schedules), b.predict(SEEN[0], schedules))


def test_it_refuses_to_learn_from_nothing():
    with pytest.raises(ValueError, match=r"CostModel.fit: trials must hold at least one, got \[\]"):
        CostModel.fit([], seed=0)
