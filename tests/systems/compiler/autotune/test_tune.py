"""Tuning is near the best of the whole space, beats chance, and goes on where it was cut off."""

import math

import numpy as np
import pytest

from efficientdl.systems.compiler.autotune import (
    ConvTask,
    Logged,
    MatmulTask,
    Program,
    Trial,
    append_log,
    autotune,
    default_schedule,
    machine_name,
    measured,
    read_log,
    space_of,
)
from tests.systems.compiler.autotune.pretended import all_times, at_random, pretended

TASK = MatmulTask(96, 100, 80)
SHAPES = [MatmulTask(256, 256, 256), ConvTask(1, 64, 28, 28, 128, 3, padding=1), TASK]


class Counted:
    """The pretended machine, with a memory of what it was asked."""

    def __init__(self, dies_after=math.inf):
        self.asked, self.dies_after = [], dies_after

    def __call__(self, task, schedule):
        if len(self.asked) >= self.dies_after:
            raise RuntimeError("the machine went down")
        self.asked.append(schedule)
        return pretended(task, schedule)


def test_one_trial_is_the_default():
    found = autotune(TASK, n_trials=1, seed=0, measure=pretended)
    default = default_schedule(TASK)
    assert found.schedule == default
    assert found.trials == (Trial(TASK, default, pretended(TASK, default)),)


def test_it_finds_the_best_of_what_it_tried():
    measure = Counted()
    found = autotune(TASK, n_trials=24, seed=0, measure=measure)
    assert [trial.schedule for trial in found.trials] == measure.asked
    assert found.latency_s == min(trial.latency_s for trial in found.trials)
    assert found.latency_s == pretended(TASK, found.schedule)


@pytest.mark.slow
@pytest.mark.parametrize("task", SHAPES, ids=str)
def test_it_is_near_the_best_and_beats_chance(task):
    best = min(all_times(task).values())
    seeds, n_trials = range(5), 40
    tuned = [autotune(task, n_trials=n_trials, seed=s, measure=pretended).latency_s for s in seeds]
    drawn = [at_random(task, n_trials=n_trials, seed=s) for s in seeds]
    assert np.mean(tuned) < 1.05 * best
    assert np.mean(tuned) < np.mean(drawn)


@pytest.mark.slow
def test_what_other_shapes_taught_chooses_the_first_batch():
    history = [
        trial
        for task in SHAPES[:2]
        for trial in autotune(task, n_trials=24, seed=0, measure=pretended).trials
    ]

    def first_batch(seed, history):
        found = autotune(TASK, n_trials=9, seed=seed, measure=pretended, history=history)
        return [trial.latency_s for trial in found.trials[1:]]

    taught, drawn = (np.mean([first_batch(s, h) for s in range(3)]) for h in (history, ()))
    assert taught < 0.8 * drawn


@pytest.mark.slow
def test_a_search_that_was_cut_off_goes_on(tmp_path):
    log = tmp_path / "log.jsonl"
    whole = autotune(TASK, n_trials=28, seed=0, measure=pretended)
    with pytest.raises(RuntimeError, match="went down"):
        autotune(TASK, n_trials=28, seed=0, measure=Counted(dies_after=13), log=log)
    assert len(read_log(log)) == 13
    log.write_bytes(log.read_bytes()[:-30])  # and its last line was torn
    rest = Counted()
    assert autotune(TASK, n_trials=28, seed=0, measure=rest, log=log) == whole
    assert len(rest.asked) == 28 - 12
    again = Counted()
    assert autotune(TASK, n_trials=28, seed=0, measure=again, log=log) == whole
    assert again.asked == []


@pytest.mark.slow
def test_the_log_of_another_shape_teaches_and_of_another_machine_does_not(tmp_path):
    log = tmp_path / "log.jsonl"
    other = autotune(SHAPES[0], n_trials=16, seed=0, measure=pretended, log=log)
    taught = autotune(TASK, n_trials=10, seed=0, measure=pretended, log=log)
    wanted = autotune(TASK, n_trials=10, seed=0, measure=pretended, history=other.trials)
    assert taught == wanted
    elsewhere = tmp_path / "elsewhere.jsonl"
    for trial in (*other.trials, *taught.trials):
        append_log(elsewhere, Logged(trial, machine_name() + "?"))
    fresh = Counted()
    found = autotune(TASK, n_trials=10, seed=0, measure=fresh, log=elsewhere)
    assert found == autotune(TASK, n_trials=10, seed=0, measure=pretended)
    assert len(fresh.asked) == 10


def test_a_space_smaller_than_the_budget_is_tried_once():
    task, measure = MatmulTask(1, 1, 1), Counted()
    found = autotune(task, n_trials=500, seed=0, measure=measure)
    assert len(found.trials) == len(set(measure.asked)) == len(space_of(task))


def test_it_refuses():
    for seconds in (0.0, -1.0, math.inf):
        with pytest.raises(ValueError, match="autotune: seconds must be more than 0, and finite"):
            autotune(TASK, n_trials=2, seed=0, measure=lambda *_: seconds)  # noqa: B023
    with pytest.raises(ValueError, match="autotune: n_trials must be a whole number"):
        autotune(TASK, n_trials=0, seed=0, measure=pretended)
    with pytest.raises(TypeError, match="autotune: task must be a MatmulTask or ConvTask, got 3"):
        autotune(3, n_trials=1, seed=0)


@pytest.mark.parametrize("task", [MatmulTask(16, 16, 16), ConvTask(1, 2, 6, 6, 4, 3)])
def test_a_real_trial_takes_time(task):
    assert 0 < measured(task, default_schedule(task)) < 1


def test_a_wrong_result_is_refused():
    class Broken(MatmulTask):
        def program(self, schedule, *, seed):
            run, reference = super().program(schedule, seed=seed)
            return Program(lambda: run() + 1, reference)

    with pytest.raises(ValueError, match="measured: schedule must give the result of NumPy"):
        measured(Broken(8, 8, 8), default_schedule(TASK))
