"""Taking turns: every way is timed in every round, in an order that is drawn anew.

A sample is the lesser of two tries, and long enough for the clock; a call of a twentieth of a
second is tried once. What takes long gets fewer rounds, but five at least. On one thread the clock
is the processor time of that thread, which others on the machine do not lengthen; on several it is
the wall's, and before each try there is a pause in which other pools of threads fall asleep.
"""

import gc
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from efficientdl.kernels.threads import threads

LEAST_S = 4e-3  # of a sample
SETTLE_S = 0.02
TRIES = 2
LONG_S = 0.05  # a call that one try is enough for
BUDGET_S = 5.0  # of a case, from which on fewer rounds will do
FEWEST = 5
MOST_CALLS = 2000
OTHERS = 0.25  # of the work: so much may others do, whom nobody asked
ATTEMPTS = 4
Samples = dict[str, list[float]]


@contextmanager
def equally(n_threads: int) -> Iterator[None]:
    """So many threads for torch, for BLAS and for our kernels, and no garbage collection."""
    before, collecting = torch.get_num_threads(), gc.isenabled()
    torch.set_num_threads(n_threads)
    gc.disable()
    try:
        with threadpool_limits(n_threads, user_api="blas"), threads(n_threads):
            yield
    finally:
        torch.set_num_threads(before)
        if collecting:
            gc.enable()


def taken(calls: Mapping[str, Callable[[], object]], *, rounds: int, n_threads: int) -> Samples:
    """Seconds of one call of each, round by round.

    Raises:
        ValueError: On one thread, one of them uses others.
    """
    clock = time.thread_time if n_threads == 1 else time.perf_counter
    sizes: dict[str, int] = {}
    tries: dict[str, int] = {}
    for name, call in calls.items():
        call()
        if n_threads == 1:
            _demand_one_thread(name, call)
        least = min(_seconds(call, 1, clock) for _ in range(2))
        sizes[name] = int(min(max(LEAST_S / max(least, 1e-7), 1), MOST_CALLS))
        tries[name] = 1 if least > LONG_S else TRIES
    samples: Samples = {name: [] for name in calls}
    rng, names, start = np.random.default_rng(0), list(calls), time.perf_counter()
    for turn in range(rounds):
        if turn >= FEWEST and time.perf_counter() > start + BUDGET_S:
            break
        for place in rng.permutation(len(names)):
            name = names[place]
            found = []
            for _ in range(tries[name]):
                if n_threads > 1:
                    time.sleep(SETTLE_S)
                found.append(_seconds(calls[name], sizes[name], clock))
            samples[name].append(min(found))
    return samples


def _seconds(call: Callable[[], object], n: int, clock: Callable[[], float]) -> float:
    start = clock()
    for _ in range(n):
        call()
    return (clock() - start) / n


def _demand_one_thread(name: str, call: Callable[[], object]) -> None:
    """Refuse what works in other threads: the time of one says nothing of theirs.

    Threads that an earlier call has left spinning come to rest meanwhile: hence several tries.
    """
    shares = []
    for attempt in range(ATTEMPTS):
        time.sleep(attempt * SETTLE_S)
        own, all_ = time.thread_time(), time.process_time()
        end = all_ + 2 * LEAST_S
        while time.process_time() < end:
            call()
        shares.append((time.thread_time() - own) / (time.process_time() - all_))
        if shares[-1] > 1 - OTHERS:
            return
    raise ValueError(f"{name} leaves {1 - max(shares):.0%} of its work to other threads")
