"""A machine that is a formula: the same times on every processor, and at once."""

from math import ceil

from efficientdl.search import minimize
from efficientdl.search.random import RandomSearch
from efficientdl.systems.compiler.autotune import Schedule, space_of

L1, L2 = 32 * 1024, 256 * 1024


def pretended(task, schedule):
    """Seconds of a machine with 10 cycles for an addition, two caches, and slow memory.

    It knows what a real one punishes: sums that wait for each other, rows and columns that are
    computed and thrown away, panels beyond the first cache, tiles beyond the second, sums that
    travel for every tile of steps, and short turns.
    """
    m, k, n = task.sizes
    rows, registers = schedule.inner
    strips, panels = ceil(m / rows), ceil(n / (16 * registers))
    sums = rows * registers
    step = max(sums, 10.0) + 0.5 * (rows + registers) + 2.0 / schedule.unroll
    if 4 * 16 * registers * min(schedule.tile_k, k) > L1:
        step *= 1.3
    tile_m, tile_n, tile_k = (
        min(a, b)
        for a, b in zip((schedule.tile_m, schedule.tile_n, schedule.tile_k), (m, n, k), strict=True)
    )
    if 4 * (tile_m * tile_k + tile_k * tile_n + tile_m * tile_n) > L2:
        step *= 1.5
    visits = ceil(k / tile_k)
    put = 4.0 * sums * strips * panels * visits * (1.0 if schedule.order[-1] == "k" else 3.0)
    first = {"m": 1.0, "n": 1.1, "k": 1.25}[schedule.order[0]]
    return 1e-9 * (strips * panels * k * step * first + put + 50.0 * visits * ceil(m / tile_m))


def at_random(task, *, n_trials, seed, measure=pretended):
    """The least seconds of as many schedules, drawn at random."""
    search = RandomSearch(space_of(task), seed=seed)
    return minimize(search, lambda p: measure(task, Schedule(**p)), budget=n_trials).score


def all_times(task, measure=pretended):
    """Every schedule's seconds."""
    return {s: measure(task, s) for s in (Schedule(**point) for point in space_of(task))}
