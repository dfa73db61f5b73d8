"""Pairs in the wrong order, found from given latencies: no test here measures time."""

import pytest
import torch
from torch import nn

from efficientdl.costs import Comparison, Latency, disagreements, macs_against_latency


def taken(*times):
    return Latency(times)


def test_pairs_in_the_wrong_order_are_found_and_the_plainest_comes_first():
    macs = {"a": 100, "b": 200, "c": 300}
    latencies = {"a": taken(5.0), "b": taken(2.0), "c": taken(4.0)}
    found = disagreements(macs, latencies)
    assert [(d.fewer_macs, d.faster) for d in found] == [("a", "b"), ("a", "c")]
    assert found[0].macs == (100, 200)
    assert found[0].latencies == (taken(5.0), taken(2.0))
    assert str(found[0]) == "a has 2.00 times fewer MACs than b and takes 2.50 times as long"


def test_the_right_order_and_equal_macs_are_no_disagreement():
    assert disagreements({"a": 1, "b": 2}, {"a": taken(1.0), "b": taken(2.0)}) == []
    assert disagreements({"a": 1, "b": 1}, {"a": taken(1.0), "b": taken(2.0)}) == []


def test_measurements_that_overlap_prove_nothing():
    macs = {"a": 1, "b": 2}
    noisy = {"a": taken(1.0, 3.0, 9.0), "b": taken(1.0, 2.5, 4.0)}
    assert disagreements(macs, noisy) == []
    steady = {"a": taken(2.9, 3.0, 3.1), "b": taken(2.4, 2.5, 2.6)}
    assert len(disagreements(macs, steady)) == 1


def test_models_are_counted_timed_in_evaluation_mode_and_left_as_they_were():
    few = nn.Sequential(nn.Linear(4, 4), nn.Dropout())
    many = nn.Sequential(nn.Linear(4, 40))
    many.eval()
    seen = []

    def measure(functions):
        for name, function in functions.items():
            y = function()
            seen.append((name, few.training, many.training, y.requires_grad))
        return Comparison({"few": taken(3.0), "many": taken(1.0)})

    x = torch.zeros(1, 4)
    (found,) = macs_against_latency({"few": (few, x), "many": (many, x)}, measure=measure)
    assert (found.fewer_macs, found.faster, found.macs) == ("few", "many", (16, 160))
    assert seen == [("few", False, False, False), ("many", False, False, False)]
    assert few.training
    assert few[1].training
    assert not many.training


def test_errors_say_what_to_pass():
    with pytest.raises(ValueError, match="macs_against_latency: models must be two or more"):
        macs_against_latency({"a": (nn.ReLU(), torch.zeros(1))})
    with pytest.raises(ValueError, match="disagreements: macs and latencies must name the same"):
        disagreements({"a": 1}, {"b": taken(1.0)})
