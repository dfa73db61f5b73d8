"""The clock, driven by a clock that the tests turn: no test here measures time."""

import gc
import sys

import numpy as np
import pytest
import torch

from efficientdl.costs import Comparison, Latency, compare, latency

clock = sys.modules["efficientdl.costs.latency"]


class Clock:
    """Time passes only when a function says so."""

    def __init__(self, monkeypatch):
        self.now, self.calls = 0.0, []
        monkeypatch.setattr(clock, "perf_counter", lambda: self.now)

    def function(self, name, *seconds):
        """A function that takes these times in turn, the last one for ever."""
        left = list(seconds)

        def call():
            self.calls.append(name)
            self.now += left.pop(0) if len(left) > 1 else left[0]

        return call


def test_median_and_quartiles_equal_numpy():
    times = (0.4, 0.1, 0.9, 0.3, 0.2, 0.25)
    taken = Latency(times)
    expected = np.quantile(times, [0.25, 0.5, 0.75])
    np.testing.assert_allclose([taken.low_s, taken.median_s, taken.high_s], expected)
    assert Latency((0.5,)).low_s == Latency((0.5,)).high_s == 0.5
    assert str(Latency((0.001, 0.002, 0.003))) == "2 ms, half of 3 between 1.5 and 2.5"


def test_warm_up_does_not_count(monkeypatch):
    turn = Clock(monkeypatch)
    taken = latency(turn.function("f", 9.0, 8.0, 1.0, 2.0, 3.0), warmup=2, repeats=3)
    np.testing.assert_allclose(taken.times, [1.0, 2.0, 3.0])
    assert taken.median_s == pytest.approx(2.0)


def test_functions_take_turns(monkeypatch):
    turn = Clock(monkeypatch)
    a, b = turn.function("a", 2.0), turn.function("b", 1.0)
    both = compare({"a": a, "b": b}, warmup=1, repeats=3)
    assert turn.calls == ["a", "b"] + ["a", "b"] * 3
    assert both.ratio("a", "b").median == pytest.approx(2.0)


def test_a_disturbance_that_meets_both_leaves_the_ratio_alone():
    both = Comparison({"a": Latency((2.0, 20.0, 2.0)), "b": Latency((1.0, 10.0, 1.0))})
    ratio = both.ratio("a", "b")
    assert (ratio.low, ratio.median, ratio.high) == (2.0, 2.0, 2.0)


def test_a_short_call_is_timed_in_groups(monkeypatch):
    turn = Clock(monkeypatch)
    taken = latency(turn.function("f", 1e-6), warmup=1, repeats=2)
    np.testing.assert_allclose(taken.times, [1e-6, 1e-6])
    assert len(turn.calls) == 1 + 2 * 200  # 0.2 ms in each sample


def test_one_thread_and_no_collection_meanwhile_and_all_as_before():
    seen = []
    before = torch.get_num_threads(), gc.isenabled()
    latency(lambda: seen.append((torch.get_num_threads(), gc.isenabled())), repeats=1)
    assert set(seen) == {(1, False)}
    assert (torch.get_num_threads(), gc.isenabled()) == before


def test_all_as_before_after_a_failure():
    def fail():
        raise RuntimeError("on purpose")

    with pytest.raises(RuntimeError, match="on purpose"):
        latency(fail)
    assert gc.isenabled()


def test_a_comparison_prints_a_line_each():
    both = Comparison({"a": Latency((0.002,)), "long": Latency((0.001,))})
    assert str(both).splitlines()[0] == "a     2 ms, half of 1 between 2 and 2"


def test_errors_say_what_to_pass():
    with pytest.raises(ValueError, match="compare: repeats must be a whole number, 1 or more"):
        latency(lambda: None, repeats=0)
    with pytest.raises(ValueError, match="compare: functions must name at least one"):
        compare({})
    with pytest.raises(ValueError, match=r"Comparison\.ratio: name must be one of a"):
        Comparison({"a": Latency((1.0,))}).ratio("a", "b")
