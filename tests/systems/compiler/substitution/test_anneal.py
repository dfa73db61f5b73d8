"""The simulator-guided search against brute force over all strategies of a small graph."""

from itertools import product

import pytest

from efficientdl.costs.machine import Machine
from efficientdl.systems.compiler.substitution.anneal import place
from efficientdl.systems.compiler.substitution.devices import Devices, choices, simulate
from tests.systems.compiler.substitution.test_devices import on_first, two_products
from tests.systems.compiler.substitution.test_match import inception

# A MAC is dear enough, and the link fast enough, for two devices to be worth it.
TWO = Devices(2, Machine(1e8, 1e9), overhead_s=1e-6, link_bytes_per_s=1e9)


def test_without_steps_everything_stays_on_the_first_device():
    graph = inception()
    found = place(graph, TWO, steps=0, seed=0)
    assert found.strategy == on_first(graph, TWO)
    assert found.latency_s == simulate(graph, on_first(graph, TWO), TWO)


def test_it_finds_the_best_of_all_strategies():
    graph = two_products()
    ways = choices(graph, TWO)
    oracle = min(
        simulate(graph, dict(zip(ways, strategy, strict=True)), TWO)
        for strategy in product(*ways.values())
    )
    found = place(graph, TWO, steps=200, seed=0)
    assert found.latency_s == pytest.approx(oracle, rel=1e-12)
    assert found.latency_s == simulate(graph, found.strategy, TWO)
    assert found.latency_s < simulate(graph, on_first(graph, TWO), TWO)


def test_the_best_so_far_never_becomes_worse_and_a_seed_replays():
    first, again = (place(inception(), TWO, steps=100, seed=3) for _ in range(2))
    assert first == again
    assert list(first.history) == sorted(first.history, reverse=True)
    assert len(first.history) == 101
    assert first.latency_s == first.history[-1] < first.history[0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"steps": -1}, "place: steps must be a whole number, 0 or more"),
        ({"beta": -1.0}, "place: beta must be at least 0"),
        ({"seed": -1}, "place: seed must be a whole number, 0 or more"),
    ],
)
def test_bad_options_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        place(two_products(), TWO, **{"seed": 0, **change})
