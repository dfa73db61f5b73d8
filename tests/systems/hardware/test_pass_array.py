"""Passes on one array: exact products, cycles by formula, and no sum in another's way."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from efficientdl.systems.hardware.analyse import analyse
from efficientdl.systems.hardware.arch import Arch, Array, Dataflow, Drain, Edge
from efficientdl.systems.hardware.gemm import Gemm
from efficientdl.systems.hardware.pass_array import Pass, run_passes

quick = settings(deadline=None, max_examples=40, database=None, derandomize=True)
side = st.integers(1, 8)


def work(rows, cols, steps, seed=0):
    """Independent products of so many words."""
    rng = np.random.default_rng(seed)
    found, expected = [], []
    for i, k in enumerate(steps):
        x, weight = rng.integers(-99, 99, (rows, k)), rng.integers(-99, 99, (k, cols))
        found.append(Pass(f"y{i}", k, cols, lambda _, x=x, weight=weight: (x, weight)))
        expected.append(np.einsum("mk,kn->mn", x, weight))
    return found, expected


@quick
@given(rows=side, cols=side, steps=side)
def test_one_pass_is_a_fold_of_an_output_stationary_array(rows, cols, steps):
    passes, expected = work(rows, cols, [steps])
    ran = run_passes(passes, rows, cols)
    np.testing.assert_array_equal(ran.results["y0"], expected[0])
    array = Array(rows, cols, Drain.SHIFT, edge=Edge.USED)
    arch = Arch("one fold", array, Dataflow.OUTPUT_STATIONARY)
    assert ran.cycles == analyse(Gemm(rows, steps, cols), arch).cycles
    assert ran.cycles == steps + 2 * rows + cols - 2
    assert ran.macs == rows * steps * cols


@quick
@given(rows=side, cols=side, steps=st.lists(side, min_size=1, max_size=5))
def test_passes_follow_as_closely_as_their_sums_can_drain(rows, cols, steps):
    passes, expected = work(rows, cols, steps)
    ran = run_passes(passes, rows, cols)
    for i, y in enumerate(expected):
        np.testing.assert_array_equal(ran.results[f"y{i}"], y)
    starts = [0]
    for before, after in pairwise(steps):
        starts.append(starts[-1] + max(before, before + rows - after))
    assert ran.starts == tuple(starts)
    assert ran.cycles == starts[-1] + steps[-1] + 2 * rows + cols - 2
    assert not ran.clashes


@pytest.mark.parametrize("steps", [[3, 3], [5, 2], [9, 4, 4]])
def test_a_pass_that_starts_a_cycle_sooner_meets_the_one_before(steps):
    passes, _ = work(4, 3, steps)
    assert run_passes(passes, 4, 3).clashes == 0
    hurried = run_passes(passes, 4, 3, hurry=1)
    assert hurried.clashes > 0


def test_what_is_needed_is_waited_for():
    x = np.arange(6).reshape(2, 3)
    first = Pass("a", 3, 2, lambda _: (x, x.T), finish=lambda y: y + 1, finish_cycles=10)
    second = Pass("b", 2, 2, lambda results: (results["a"], results["a"]), needs=("a",))
    ran = run_passes([first, second], 2, 2)
    a = x @ x.T + 1
    np.testing.assert_array_equal(ran.results["b"], a @ a)
    done = 3 + 2 * 2 + 2 - 2
    assert ran.starts == (0, done + 10)
    assert ran.cycles == done + 10 + 2 + 2 * 2 + 2 - 2
