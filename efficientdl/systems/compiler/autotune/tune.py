"""Tune a task: propose, measure, learn, and keep a log."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from efficientdl import _check
from efficientdl.catalogue import Measure, technique
from efficientdl.costs.latency import latency
from efficientdl.kernels.scheduled import Schedule
from efficientdl.search import Point, minimize
from efficientdl.systems.compiler.autotune.annealing import AnnealedSearch
from efficientdl.systems.compiler.autotune.log import (
    Logged,
    append_log,
    demand_seconds,
    machine_name,
    read_log,
)
from efficientdl.systems.compiler.autotune.tasks import Task, Trial

MeasureSchedule = Callable[[Task, Schedule], float]  # seconds


class Tuned(NamedTuple):
    """What tuning found.

    Attributes:
        schedule: The fastest schedule.
        latency_s: Seconds that it took.
        trials: All trials, in order.
    """

    schedule: Schedule
    latency_s: float
    trials: tuple[Trial, ...]


def measured(task: Task, schedule: Schedule) -> float:
    """Seconds that a schedule takes on this machine: the median of repeats, after a warm-up.

    Its result is compared with NumPy's first. Operands are small whole numbers, whose sums are
    exact in any order, so the two must be equal.

    Args:
        task: What is computed.
        schedule: How.

    Raises:
        BadValue: The result is another one.
    """
    program = task.program(schedule, seed=0)
    if not np.array_equal(program.run(), program.reference()):
        _check.fail("measured", "schedule", "must give the result of NumPy", schedule)
    return latency(program.run, warmup=2, repeats=7, threads=schedule.threads).median_s


@technique(
    "sys-autotune",
    paper="Chen, Zheng, Yan, Jiang, Moreau, Ceze, Guestrin and Krishnamurthy, Learning to "
    "Optimize Tensor Programs, 2018",
    survey="6.1",
    lab="13_kernels_and_compilers",
    kind=Measure(),
)
def autotune(
    task: Task,
    *,
    n_trials: int,
    seed: int,
    measure: MeasureSchedule = measured,
    log: Path | str | None = None,
    history: Sequence[Trial] = (),
) -> Tuned:
    """Find a fast schedule of a task by measured trials, which a learned cost model chooses.

    The space of schedules is far too large to measure. A cost model, fitted to the trials so far,
    costs microseconds to ask; annealing over it proposes a few schedules, those are measured, and
    the model is fitted again. The first trial is the default schedule, so with `n_trials=1` tuning
    changes nothing, and with more it never gives a slower one.

    With a log, trials of other tasks on this machine that stand in it before the first of this
    one teach the model before it starts. A trial that is in the log is not measured again: a
    search that was cut off goes on where it was, to the very result that it would have had.

    Args:
        task: A product or a convolution.
        n_trials: How many schedules are tried, those in the log included.
        seed: Fixes all proposals, given the times.
        measure: `f(task, schedule) -> seconds`.
        log: A file of trials, a line each, that is read before and written after each trial.
        history: Trials to learn from before the first one.

    Raises:
        BadValue: A measured time is not above 0 and finite, or the log holds something else.

    >>> from efficientdl.systems.compiler.autotune.tasks import MatmulTask
    >>> strips = lambda task, schedule: 1 / schedule.rows  # pretends that tall strips are fast
    >>> found = autotune(MatmulTask(8, 8, 8), n_trials=12, seed=0, measure=strips)
    >>> found.latency_s <= 1 / 4, len(found.trials)
    (True, 12)

    Source: Chen et al., "TVM: An Automated End-to-End Optimizing Compiler for Deep Learning",
        2018, and Chen et al., "Learning to Optimize Tensor Programs", 2018; survey section 6.1;
        lab 13.
    """
    _check.kind("autotune", "task", task, Task.__args__)
    _check.whole("autotune", "n_trials", n_trials, 1)
    machine = machine_name()
    logged = [one.trial for one in read_log(log) if one.machine == machine] if log else []
    mine = next((i for i, trial in enumerate(logged) if trial.task == task), len(logged))
    known = {trial.schedule: trial.latency_s for trial in logged if trial.task == task}
    search = AnnealedSearch(task, seed=seed, history=[*history, *logged[:mine]])

    def seconds(point: Point) -> float:
        schedule = Schedule(**point)
        if schedule not in known:
            taken = demand_seconds("autotune", measure(task, schedule))
            known[schedule] = taken
            if log:
                append_log(log, Logged(Trial(task, schedule, taken), machine))
        return known[schedule]

    found = minimize(search, seconds, budget=min(n_trials, len(search.space)))
    trials = tuple(Trial(task, Schedule(**point), taken) for point, taken in found.history)
    return Tuned(Schedule(**found.point), found.score, trials)
