"""Autotuning: found schedules beside the default, and what the log of other shapes is worth.

Three shapes are tuned and teach the cost model; before any trial on three others, its ranking is
compared with their measured times; then those are tuned, too, and the found schedule takes turns
with the default. Compiling a schedule's loops the first time takes about a second each. `python -m
benchmarks.kernel_bars.autotune` prints the rows.
"""

import json
from random import Random

from scipy.stats import spearmanr

from efficientdl.costs.latency import compare
from efficientdl.kernels.threads import threads
from efficientdl.systems.compiler.autotune import (
    ConvTask,
    CostModel,
    MatmulTask,
    Schedule,
    autotune,
    default_schedule,
    measured,
    space_of,
)

TAUGHT = (
    MatmulTask(256, 256, 256),
    MatmulTask(64, 768, 1024),
    ConvTask(1, 64, 28, 28, 128, 3, padding=1),
)
HELD_OUT = (
    MatmulTask(128, 512, 384),
    MatmulTask(32, 1024, 512),
    ConvTask(1, 128, 14, 14, 128, 3, padding=1),
)
N_TRIALS, N_RANKED, TURNS, SEED = 32, 24, 21, 0


def rows() -> list[dict]:
    """A row for each held-out shape."""
    with threads(1):
        history = [
            trial
            for task in TAUGHT
            for trial in autotune(task, n_trials=N_TRIALS, seed=SEED).trials
        ]
        model = CostModel.fit(history, seed=SEED)
        return [_row(task, model, history) for task in HELD_OUT]


def _row(task, model, history) -> dict:
    space, rng = space_of(task), Random(SEED)
    drawn = [Schedule(**space.sample(rng)) for _ in range(N_RANKED)]
    times = [measured(task, schedule) for schedule in drawn]
    tuned = autotune(task, n_trials=N_TRIALS, seed=SEED, history=history)
    schedules = {"default": default_schedule(task), "tuned": tuned.schedule}
    programs = {name: task.program(s, seed=SEED).run for name, s in schedules.items()}
    taken = compare(programs, repeats=TURNS)
    ratio = taken.ratio("default", "tuned")
    return {
        "task": str(task),
        "schedules": len(space),
        "trials": N_TRIALS,
        "rank correlation before any trial": float(
            spearmanr(model.predict(task, drawn), times).statistic
        ),
        "default, GMAC/s": task.macs / taken.latencies["default"].median_s / 1e9,
        "tuned, GMAC/s": task.macs / taken.latencies["tuned"].median_s / 1e9,
        "default / tuned": [ratio.median, ratio.low, ratio.high],
        "best of those ranked, GMAC/s": task.macs / min(times) / 1e9,
        "schedule": str(tuned.schedule),
    }


if __name__ == "__main__":
    for row in rows():
        print(json.dumps(row, indent=1))
