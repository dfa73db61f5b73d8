"""Several threads for one kernel: the tiles of its output are dealt out among them.

A kernel is compiled without the interpreter's lock and works on a range of tiles, so that plain
Python threads suffice. They wait without spinning, may be started from several threads at once,
and a process that was forked makes its own.
"""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import count
from typing import Any

from efficientdl import _check

SHARES = 4  # parts for each thread: a thread that has drawn light tiles takes more of them


def _default() -> int:
    asked = os.environ.get("NUMBA_NUM_THREADS") or os.environ.get("OMP_NUM_THREADS")
    if asked and asked.isdecimal() and int(asked):
        return int(asked)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


DEFAULT = _default()
_n_threads: ContextVar[int] = ContextVar("n_threads", default=DEFAULT)
_pools: dict[int, ThreadPoolExecutor] = {}
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pools.clear)  # threads do not survive a fork


def n_threads() -> int:
    """How many threads a kernel uses: `NUMBA_NUM_THREADS`, `OMP_NUM_THREADS`, or one a core."""
    return _n_threads.get()


@contextmanager
def threads(n: int) -> Iterator[None]:
    """Use this many threads inside.

    >>> with threads(1):
    ...     n_threads()
    1
    """
    _check.whole("threads", "n", n, 1, 1024)
    token = _n_threads.set(n)
    try:
        yield
    finally:
        _n_threads.reset(token)


def deal(kernel: Callable[..., None], n_tiles: int, *args: Any) -> None:  # noqa: ANN401
    """Run `kernel(first, last, *args)` over the tiles `0 .. n_tiles - 1`, by all threads.

    Args:
        kernel: A compiled loop that writes the tiles `first .. last - 1`, and nothing else.
        n_tiles: How many there are.
        args: What else it takes.

    >>> done = []
    >>> deal(lambda first, last: done.extend(range(first, last)), 5)
    >>> sorted(done)
    [0, 1, 2, 3, 4]
    """
    n = min(n_threads(), n_tiles)
    if n <= 1:
        if n_tiles:
            kernel(0, n_tiles, *args)
        return
    n_parts = min(n_tiles, SHARES * n)
    ends = [n_tiles * part // n_parts for part in range(n_parts + 1)]
    turns = count()  # the interpreter hands out its numbers one at a time

    def work() -> None:
        while (part := next(turns)) < n_parts:
            kernel(ends[part], ends[part + 1], *args)

    others = [_pool(n - 1).submit(work) for _ in range(n - 1)]
    try:
        work()
    finally:
        for other in others:  # also where this thread failed: nothing may write any more
            other.exception()
    for other in others:
        other.result()


def _pool(n: int) -> ThreadPoolExecutor:
    if n not in _pools:
        _pools[n] = ThreadPoolExecutor(n, thread_name_prefix="efficientdl-kernel")
    return _pools[n]
