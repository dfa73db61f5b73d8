"""The formula against queues that are filled and emptied, cycle by cycle."""

from collections import deque

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from efficientdl.systems.hardware.sparse.queues import queue_cycles, queue_lengths

quick = settings(deadline=None, max_examples=60, database=None, derandomize=True)
works = st.lists(st.lists(st.integers(0, 6), min_size=3, max_size=3), min_size=1, max_size=12)


def real_queues(work, depth):
    """The machine with a queue for each unit, as it is told; the lengths before each cycle."""
    n_units, n_columns = work.shape
    queues = [deque() for _ in range(n_units)]
    sent, lengths = 0, []
    while sent < n_columns or any(queues):
        lengths.append([len(queue) for queue in queues])
        room = all(len(queue) < depth for queue in queues)
        for queue in queues:
            if queue:
                queue[0] -= 1
                if queue[0] <= 0:
                    queue.popleft()
        if sent < n_columns and room:
            for unit, queue in enumerate(queues):
                queue.append(work[unit, sent])
            sent += 1
    return np.array(lengths)


def test_equal_work_never_waits():
    work = np.full((4, 9), 3)
    assert queue_cycles(work, depth=2) == 1 + 9 * 3  # the first broadcast, then always busy


@quick
@given(work=works, depth=st.integers(1, 6))
def test_the_formula_is_that_of_real_queues(work, depth):
    work = np.array(work).T
    expected = real_queues(work, depth)
    np.testing.assert_array_equal(queue_lengths(work, depth=depth), expected)
    assert queue_cycles(work, depth=depth) == len(expected)


@quick
@given(work=works)
def test_both_ends_of_the_formula(work):
    work = np.maximum(np.array(work).T, 1)
    n_columns = work.shape[1]
    assert queue_cycles(work, depth=1) == n_columns + work.max(axis=0).sum()
    rest = np.cumsum(work[:, ::-1], axis=1)[:, ::-1]
    assert queue_cycles(work, depth=n_columns) == 1 + (rest + np.arange(n_columns)).max()


@quick
@given(work=works)
def test_a_deeper_queue_is_never_slower_and_none_beats_the_fullest_unit(work):
    work = np.array(work).T
    cycles = [queue_cycles(work, depth=depth) for depth in range(1, work.shape[1] + 3)]
    assert cycles == sorted(cycles, reverse=True)
    assert cycles[-1] == cycles[-2]  # a queue for all columns is as good as any
    assert cycles[-1] >= max(work.sum(axis=1).max(), work.shape[1]) + 1


def test_nothing_sent_takes_no_cycle():
    assert queue_cycles(np.zeros((3, 0), int), depth=1) == 0
    assert queue_lengths(np.zeros((3, 0), int), depth=1).shape == (0, 3)


def test_what_it_refuses():
    with pytest.raises(ValueError, match="queue_cycles: depth must be a whole number, 1 or more"):
        queue_cycles(np.ones((1, 1), int), depth=0)
    with pytest.raises(ValueError, match=r"queue_lengths: work must be counts.*, got \[\[-1"):
        queue_lengths(np.array([[-1]]), depth=1)
