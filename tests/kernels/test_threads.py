"""Tiles are dealt out: each is done once, by whatever number of threads."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from efficientdl._check import BadValue
from efficientdl.kernels.compiled import compiled
from efficientdl.kernels.threads import deal, n_threads, threads


@compiled
def add_one(first, last, y):
    for i in range(first, last):
        y[i] += 1


@settings(deadline=None)  # the first example waits for the compiler
@given(n=st.integers(1, 5), n_tiles=st.integers(0, 70))
def test_each_tile_is_done_once(n: int, n_tiles: int):
    y = np.zeros(n_tiles + 1)
    with threads(n):
        deal(add_one, n_tiles, y)
    assert y.tolist() == [1.0] * n_tiles + [0.0]


def test_several_threads_take_part():
    seen, meet = set(), threading.Barrier(3, timeout=20)

    def kernel(_first: int, _last: int) -> None:
        if threading.get_ident() not in seen:
            seen.add(threading.get_ident())
            meet.wait()

    with threads(3):
        deal(kernel, 3)
    assert len(seen) == 3


def test_an_error_comes_out_once_no_thread_writes_any_more():
    running = []

    def kernel(first: int, _last: int) -> None:
        running.append(first)
        try:
            if first == 0:
                raise ValueError("the first tile")
        finally:
            running.remove(first)

    with threads(4), pytest.raises(ValueError, match="the first tile"):
        deal(kernel, 100)
    assert not running


def test_kernels_of_several_callers_at_once():
    ys = [np.zeros(1000) for _ in range(6)]

    def call(y: np.ndarray) -> None:
        with threads(2):
            for _ in range(50):
                deal(add_one, len(y), y)

    with ThreadPoolExecutor(6) as callers:
        list(callers.map(call, ys))
    assert all((y == 50).all() for y in ys)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system cannot fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_process_makes_its_own_threads():
    y = np.zeros(100)
    with threads(2):
        deal(add_one, len(y), y)
        child = os.fork()
        if child == 0:  # the parent's threads are not here
            deal(add_one, len(y), y)
            os._exit(0 if (y == 2).all() else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_the_number_is_that_of_the_context():
    before = n_threads()
    with threads(7):
        assert n_threads() == 7
    assert n_threads() == before


@pytest.mark.parametrize("n", [0, -1, 2000])
def test_a_number_out_of_range(n: int):
    with (
        pytest.raises(BadValue, match=r"threads: n must be a whole number in \[1, 1024\]"),
        threads(n),
    ):
        pass
