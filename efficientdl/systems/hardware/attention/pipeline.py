"""Jobs that pass through the same stages in turn: when the last one is through."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int64


def makespan(times: Int64[np.ndarray, "jobs stages"] | Sequence[Sequence[int]]) -> int:
    """Cycles until every job has left the last stage.

    A stage works on one job at a time and keeps the order; between two stages there is room for
    all that waits. A job starts in a stage when it has left the one before, and the job before it
    has left this one. With equal jobs: the sum of the stages, and the longest once more for each
    further job.

    Args:
        times: Cycles of each job in each stage.

    >>> makespan([[2, 3, 1]] * 4) == 2 + 3 + 1 + 3 * 3
    True
    """
    left = [0] * len(times[0]) if len(times) else [0]
    for job in times:
        ready = 0
        for stage, cycles in enumerate(job):
            ready = left[stage] = max(ready, left[stage]) + int(cycles)
    return left[-1]
