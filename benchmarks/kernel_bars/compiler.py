"""The compiler: schedules that were searched for, and branches that run side by side."""

from collections.abc import Iterator

from benchmarks.kernel_bars import Json, autotune, ios
from benchmarks.kernel_bars.told import told

TITLE = "The compiler"
NOTE = "As each module measures them."


def own_rows(n_threads: int, _repeats: int) -> Iterator[Json]:
    """Once, whatever the number of threads: the modules choose their own."""
    if n_threads == 1:
        yield from told({"autotune": autotune, "ios": ios})
