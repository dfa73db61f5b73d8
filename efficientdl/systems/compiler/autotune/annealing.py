"""Which schedules to try next: annealing over what the cost model predicts, and a few at random."""

from collections.abc import Sequence
from math import exp
from random import Random

import numpy as np

from efficientdl import _check
from efficientdl.kernels.scheduled import Schedule
from efficientdl.search import Point
from efficientdl.systems.compiler.autotune.cost_model import CostModel, per_mac
from efficientdl.systems.compiler.autotune.features import features
from efficientdl.systems.compiler.autotune.spaces import default_schedule, space_of
from efficientdl.systems.compiler.autotune.tasks import Task, Trial

N_CHAINS, N_STEPS = 48, 30
HOT, COLD = 0.5, 0.02  # temperatures, in logarithms of seconds


class AnnealedSearch:
    """Propose schedules in batches: fit the model, anneal over it, take the best it has met.

    The first schedule is the default. Without trials to learn from, the rest of the first batch is
    drawn at random. After that, `n_chains` walks change one choice at a time and accept what the
    model calls worse with probability `exp(-difference / temperature)`; the best schedules of all
    walks that were not tried yet make the next batch, and a share `epsilon` of it is random, so
    that the model also sees what it does not favour.

    It is a `search.Searcher`: `ask` and `tell`, lower is better.

    Args:
        task: What is tuned.
        seed: Fixes all proposals, given the times.
        history: Trials of other tasks, to learn from before the first trial of this one.
        batch: Schedules between two fits of the model.
        epsilon: Share of them that is random.

    >>> from efficientdl.systems.compiler.autotune.tasks import MatmulTask
    >>> task = MatmulTask(64, 64, 64)
    >>> Schedule(**AnnealedSearch(task, seed=0).ask()) == default_schedule(task)
    True

    Source: Chen et al., "Learning to Optimize Tensor Programs", 2018, algorithm 1; survey section
        6.1; lab 13.
    """

    def __init__(
        self,
        task: Task,
        *,
        seed: int,
        history: Sequence[Trial] = (),
        batch: int = 8,
        epsilon: float = 0.1,
    ) -> None:
        _check.whole("AnnealedSearch", "batch", batch, 1)
        _check.in_range("AnnealedSearch", "epsilon", epsilon, 0, 1)
        self.task, self.space, self.batch, self.epsilon = task, space_of(task), batch, epsilon
        self._rng, self._seed = Random(seed), seed
        self._features = [features(trial.task, trial.schedule) for trial in history]
        self._targets = list(per_mac(history)) if history else []
        self._seen: dict[Schedule, np.ndarray] = {}
        self._asked: set[Schedule] = set()
        self._told: list[tuple[float, Schedule]] = []
        self._queue = [default_schedule(task)]

    def ask(self) -> Point:
        """The next schedule, as a point of the space."""
        if not self._queue:
            self._queue = self._next_batch()
        schedule = self._queue.pop(0)
        self._asked.add(schedule)
        return _point(schedule)

    def tell(self, point: Point, score: float) -> None:
        """What a schedule took, in seconds."""
        schedule = Schedule(**point)
        self._told.append((score, schedule))
        self._asked.add(schedule)
        self._features.append(self._of(schedule))
        self._targets.append(float(np.log(score / self.task.macs)))

    def _next_batch(self) -> list[Schedule]:
        """The model's choices, and some at random; at least one schedule that was not asked."""
        found: list[Schedule] = []
        if len(self._told) >= self.batch or len(self._features) > len(self._told):
            n_random = sum(self._rng.random() < self.epsilon for _ in range(self.batch))
            found = self._annealed()[: self.batch - n_random]
        chosen = set(found)
        tries = 0
        while len(found) < self.batch and tries < 20 * self.batch:
            tries += 1
            drawn = Schedule(**self.space.sample(self._rng))
            if drawn not in self._asked and drawn not in chosen:
                chosen.add(drawn)
                found.append(drawn)
        return found or [next(iter(self._left()))]

    def _left(self) -> list[Schedule]:
        """Schedules that were not asked yet, in order; where all were, the default again."""
        left = (Schedule(**point) for point in self.space)
        first = next((schedule for schedule in left if schedule not in self._asked), None)
        return [first or default_schedule(self.task)]

    def _annealed(self) -> list[Schedule]:
        """Schedules that the walks have met and nobody has tried, the most promising first."""
        model = CostModel.fit_features(
            np.stack(self._features), np.array(self._targets), seed=self._seed
        )
        best = [_point(s) for _, s in sorted(self._told, key=lambda t: t[0])[: N_CHAINS // 4]]
        walks = best + [self.space.sample(self._rng) for _ in range(N_CHAINS - len(best))]
        energies = self._energies(model, walks)
        met: dict[Schedule, float] = {}
        for step in range(N_STEPS):
            heat = HOT * (COLD / HOT) ** (step / (N_STEPS - 1))
            moved = [self.space.mutate(point, self._rng) for point in walks]
            for i, energy in enumerate(self._energies(model, moved)):
                met[Schedule(**moved[i])] = energy
                worse = energy - energies[i]
                if worse <= 0 or self._rng.random() < exp(-worse / heat):
                    walks[i], energies[i] = moved[i], energy
        new = [schedule for schedule in met if schedule not in self._asked]
        return sorted(new, key=lambda schedule: met[schedule])

    def _energies(self, model: CostModel, points: list[Point]) -> list[float]:
        seen = np.stack([self._of(Schedule(**point)) for point in points])
        return list(model.trees.predict(seen))

    def _of(self, schedule: Schedule) -> np.ndarray:
        if schedule not in self._seen:
            self._seen[schedule] = features(self.task, schedule)
        return self._seen[schedule]


def _point(schedule: Schedule) -> Point:
    return dict(vars(schedule))
