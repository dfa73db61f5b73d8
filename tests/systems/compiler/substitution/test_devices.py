"""Devices: the simulator by hand, and a strategy written down computes what the graph computes."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from efficientdl.costs.machine import Machine
from efficientdl.systems.compiler.graph import Graph, Value, check, constant, node
from efficientdl.systems.compiler.substitution.cost import simulated_latency
from efficientdl.systems.compiler.substitution.devices import (
    Devices,
    choices,
    parallelize,
    simulate,
)
from tests.systems.compiler.drawn import assert_same_outputs, graphs
from tests.systems.compiler.substitution.test_match import inception

TWO = Devices(2)


def on_first(graph, devices=TWO):
    return dict.fromkeys(choices(graph, devices), (0,))


@settings(deadline=None)
@given(graphs)
def test_on_one_device_it_is_the_sum_of_the_nodes(graph):
    # 1e-9: the same few terms, added in another order
    assert simulate(graph, on_first(graph), TWO) == pytest.approx(
        simulated_latency()(graph), rel=1e-9
    )


@settings(deadline=None)
@given(graphs, st.randoms(use_true_random=False), st.integers(1, 3))
def test_any_strategy_computes_what_the_graph_computes(graph, random, n_devices):
    devices = Devices(n_devices)
    strategy = {name: random.choice(ways) for name, ways in choices(graph, devices).items()}
    made = parallelize(graph, strategy, devices)
    check(made)
    assert_same_outputs(graph, made)
    assert simulate(graph, strategy, devices) >= 0.0


def two_products():
    """x (1, 1000) times two matrices (1000, 1000), and the sum."""
    x, w = Value("x", (1, 1000)), torch.zeros(1000, 1000)
    a, b = (node(name, "linear", [x, constant("w", w)]) for name in "ab")
    total = node("total", "add", [a.outputs[0], b.outputs[0]])
    return Graph((x,), {"w": w}, (a, b, total), ("total",))


def test_by_hand():
    # a MAC takes a microsecond and bytes nothing: a product one second, a sum none
    machine = Machine(peak_macs_per_s=1e6, bytes_per_s=1e15)
    devices = Devices(2, machine, overhead_s=0.0, link_bytes_per_s=4e3)
    graph = two_products()

    def seconds(a, b, total):
        return simulate(graph, {"a": a, "b": b, "total": total}, devices)

    near = lambda s: pytest.approx(s, abs=1e-9)  # noqa: E731
    assert seconds((0,), (0,), (0,)) == near(2.0)
    assert seconds((0,), (0,), (1,)) == near(2.0 + 1.0)  # 4000 bytes in a second
    assert seconds((0,), (1,), (0,)) == near(1.0 + 1.0)
    assert seconds((0, 1), (0, 1), (0,)) == near(1.0 + 0.5)  # half of each comes over
    assert seconds((0, 1), (0,), (0,)) == near(1.5)  # the other half was there long before


def test_bytes_by_hand():
    # a byte takes a second and arithmetic nothing: x has 40 bytes, w 800, each product 80
    machine = Machine(peak_macs_per_s=1e15, bytes_per_s=1.0)
    devices = Devices(2, machine, overhead_s=3.0, link_bytes_per_s=1e15)
    x, w = Value("x", (1, 10)), torch.zeros(20, 10)
    graph = Graph((x,), {"w": w}, (node("a", "linear", [x, constant("w", w)]),), ("a",))
    assert simulate(graph, {"a": (1,)}, devices) == 40 + 800 + 80 + 3
    # each part reads all of x, half of w, and writes half; both at the same time
    assert simulate(graph, {"a": (0, 1)}, devices) == 40 + 400 + 40 + 3


def test_what_may_be_done_in_parts():
    ways = choices(inception(), TWO)
    several = {name for name, choice in ways.items() if (0, 1) in choice}
    assert several == {n.name for n in inception().nodes if n.op == "conv2d"}
    assert choices(inception(), Devices(1)).keys() == ways.keys()
    assert set(map(tuple, choices(inception(), Devices(1)).values())) == {((0,),)}


@pytest.mark.parametrize("call", [simulate, parallelize])
def test_strategies_that_do_not_fit_are_refused(call):
    graph = inception()
    strategy = on_first(graph)
    with pytest.raises(ValueError, match=f"{call.__name__}: strategy must name every node"):
        call(graph, {}, TWO)
    name = next(iter(strategy))
    with pytest.raises(ValueError, match=f"{call.__name__}: strategy of '{name}' must be one of"):
        call(graph, {**strategy, name: (2,)}, TWO)
    with pytest.raises(TypeError, match=f"{call.__name__}: devices must be a Devices"):
        call(graph, strategy, 2)


def test_devices_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="Devices: n_devices must be a whole number"):
        Devices(0)
    with pytest.raises(ValueError, match="Devices: link_bytes_per_s must be more than 0"):
        Devices(2, link_bytes_per_s=0.0)
