"""The simulated latency: by hand, and against the roofline of the counter's report."""

import pytest
import torch

from efficientdl import models
from efficientdl.costs.count import count
from efficientdl.costs.machine import Machine
from efficientdl.costs.roofline import roofline
from efficientdl.systems.compiler.graph import Graph, Value, constant, node
from efficientdl.systems.compiler.substitution.cost import at_run_time, simulated_latency
from efficientdl.systems.compiler.trace import trace

MACHINE = Machine(peak_macs_per_s=50e9, bytes_per_s=10e9)


def test_it_is_the_roofline_of_the_counted_layers():
    model, x = models.skeleton("squeezenet"), models.example("squeezenet", device="meta")
    placed = roofline(count(model, x), MACHINE)
    # the counter lets a tensor that is read by two layers move for each, and so does the graph
    expected = sum(place.least_s for place in placed.values())
    ours = simulated_latency(MACHINE, overhead_s=0.0)(trace(model, x))
    assert ours == pytest.approx(expected, rel=1e-12)


def test_by_hand():
    x, w = Value("x", (10, 100)), torch.ones(50, 100)
    product = node("y", "linear", [x, constant("w", w)])
    graph = Graph((x,), {"w": w}, (product,), ("y",))
    moved = 4 * (1000 + 5000 + 500)
    machine = Machine(peak_macs_per_s=1e6, bytes_per_s=1e6)  # 50,000 MACs take longer
    assert simulated_latency(machine, overhead_s=1.0)(graph) == pytest.approx(1.05)
    machine = Machine(peak_macs_per_s=1e9, bytes_per_s=1e6)
    assert simulated_latency(machine, overhead_s=0.0)(graph) == pytest.approx(moved / 1e6)


def test_constants_and_views_are_free():
    x, c = Value("x", (4,)), torch.ones(4)
    held = node("held", "relu", [constant("c", c)])
    view = node("view", "reshape", [x], shape=(2, 2))
    y = node("y", "relu", view.outputs)
    graph = Graph((x,), {"c": c}, (held, view, y), ("y", "held"))
    assert [n.name for n in at_run_time(graph)] == ["view", "y"]
    assert simulated_latency(Machine(1.0, 32.0), overhead_s=1.0)(graph) == pytest.approx(2.0)


def test_a_negative_overhead_is_refused():
    with pytest.raises(ValueError, match=r"simulated_latency: overhead_s must be at least 0"):
        simulated_latency(overhead_s=-1.0)
