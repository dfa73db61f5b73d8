"""A learned cost model: boosted trees that tell from a schedule's loops how fast they are."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from sklearn.ensemble import HistGradientBoostingRegressor

from efficientdl import _check
from efficientdl.kernels.scheduled import Schedule
from efficientdl.systems.compiler.autotune.features import features
from efficientdl.systems.compiler.autotune.tasks import Task, Trial

Seconds = Float64[np.ndarray, " schedules"]


@dataclass(frozen=True)
class CostModel:
    """What was learned from trials.

    The trees are fitted to the logarithm of seconds for each MAC: a schedule twice as fast is as
    much better on a small shape as on a large one, so that trials of all shapes teach together.

    Attributes:
        trees: The fitted trees.

    >>> from efficientdl.systems.compiler.autotune.spaces import default_schedule
    >>> from efficientdl.systems.compiler.autotune.tasks import MatmulTask
    >>> task = MatmulTask(64, 64, 64)
    >>> model = CostModel.fit([Trial(task, default_schedule(task), 1e-4)], seed=0)
    >>> print(model.predict(task, [default_schedule(task)]).round(6))
    [0.0001]

    Source: Chen, Zheng, Yan, Jiang, Moreau, Ceze, Guestrin, Krishnamurthy, "Learning to Optimize
        Tensor Programs", 2018; survey section 6.1; lab 13.
    """

    trees: HistGradientBoostingRegressor

    @classmethod
    def fit(cls, trials: Sequence[Trial], *, seed: int) -> "CostModel":
        """Learn from trials, of one task or of many.

        Args:
            trials: What was measured; one at least.
            seed: Fixes the fit.
        """
        if not trials:
            _check.fail("CostModel.fit", "trials", "must hold at least one", trials)
        seen = np.stack([features(trial.task, trial.schedule) for trial in trials])
        return cls.fit_features(seen, per_mac(trials), seed=seed)

    @classmethod
    def fit_features(
        cls,
        seen: Float64[np.ndarray, "trials features"],
        target: Float64[np.ndarray, " trials"],
        *,
        seed: int,
    ) -> "CostModel":
        """`fit`, where features and the logarithms of seconds per MAC are at hand."""
        trees = HistGradientBoostingRegressor(
            max_iter=100,
            learning_rate=0.1,
            max_leaf_nodes=8,
            min_samples_leaf=2,
            random_state=seed,
        )
        return cls(trees.fit(seen, target))

    def predict(self, task: Task, schedules: Sequence[Schedule]) -> Seconds:
        """Seconds that each schedule of a task will take.

        Args:
            task: Of what; no trial of it need have been seen.
            schedules: Which.
        """
        if not schedules:
            return np.zeros(0)
        seen = np.stack([features(task, schedule) for schedule in schedules])
        return task.macs * np.exp(self.trees.predict(seen))


def per_mac(trials: Sequence[Trial]) -> Float64[np.ndarray, " trials"]:
    """The logarithm of each trial's seconds for a MAC."""
    return np.log([trial.latency_s / trial.task.macs for trial in trials])
