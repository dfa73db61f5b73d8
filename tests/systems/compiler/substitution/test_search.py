"""The search: it finds the cheapest of small graphs, and none that computes another thing."""

from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings

from efficientdl import models
from efficientdl.costs.machine import Machine
from efficientdl.systems.compiler.graph import Graph, Value, check, constant, node
from efficientdl.systems.compiler.passes import fuse
from efficientdl.systems.compiler.substitution.cost import at_run_time, simulated_latency
from efficientdl.systems.compiler.substitution.forms import at_once, structure, two_by_two
from efficientdl.systems.compiler.substitution.match import rewritings
from efficientdl.systems.compiler.substitution.rules import shipped_rules
from efficientdl.systems.compiler.substitution.search import backtrack, substitute
from efficientdl.systems.compiler.trace import trace
from tests.systems.compiler.drawn import assert_same_outputs, graphs
from tests.systems.compiler.substitution.test_match import inception
from tests.systems.compiler.test_trace import prepared

COST = simulated_latency()
# Arithmetic is nearly free and every byte counts: where merging pays most.
WIDE = simulated_latency(Machine(peak_macs_per_s=5e12, bytes_per_s=10e9))


def fire(*, expand=4):
    """A 1x1 and a 3x3 convolution of one input, concatenated: what a fire module ends with."""
    rng, x = np.random.default_rng(0), Value("x", (1, 4, 8, 8), torch.float64)
    shapes = {"f": (expand, 4, 1, 1), "g": (expand, 4, 3, 3)}
    held = {name: torch.from_numpy(rng.standard_normal(s)) for name, s in shapes.items()}
    f, g = (constant(name, tensor) for name, tensor in held.items())
    one = node("one", "conv2d", [x, f])
    three = node("three", "conv2d", [x, g], padding=(1, 1))
    both = node("both", "concat", [one.outputs[0], three.outputs[0]], axis=1)
    return Graph((x,), held, (one, three, both), ("both",))


def everything(graph, *, n_graphs):
    """All graphs that rules make of one, by breadth: the oracle of the search."""
    first = two_by_two(graph)
    seen, layer = {structure(first)}, [first]
    while layer and len(seen) < n_graphs:
        made = [new for old in layer for rule in shipped_rules() for new in rewritings(rule, old)]
        layer = list({structure(new): new for new in made if structure(new) not in seen}.values())
        seen |= {structure(new) for new in layer}
        yield from map(at_once, layer)


@pytest.mark.parametrize("change", [{"budget": 0}, {"rules": ()}])
def test_without_rules_or_budget_the_graph_stays_what_it_is(change):
    assert substitute(inception(), **change) is not None
    graph = inception()
    assert substitute(graph, **change) is graph


@settings(deadline=None, max_examples=20)
@given(graphs)
def test_what_is_found_is_equal_and_never_dearer(graph):
    found = substitute(graph, budget=2, cost=WIDE)
    check(found)
    assert_same_outputs(graph, found)
    assert WIDE(found) <= WIDE(graph)


def test_no_small_rewriting_is_cheaper_than_what_is_found():
    graph = fire()
    found = substitute(graph, cost=WIDE, alpha=1.5)
    oracle = min(map(WIDE, everything(graph, n_graphs=300)))
    assert WIDE(found) <= oracle * (1 + 1e-12)
    assert [n.op for n in found.nodes] == ["conv2d"]
    assert_same_outputs(graph, found)


def test_a_step_that_costs_is_taken_only_with_alpha():
    """The 1x1 convolution becomes a 3x3 one, which is dearer, and only then can be merged."""
    graph = fire()
    cost = simulated_latency(Machine(peak_macs_per_s=20e9, bytes_per_s=10e9), overhead_s=1e-6)
    strict, strict_history = backtrack(graph, shipped_rules(), cost, alpha=1.0, budget=50)
    relaxed, history = backtrack(graph, shipped_rules(), cost, alpha=1.3, budget=50)
    assert strict is graph
    assert strict_history[-1] == cost(graph)
    assert cost(relaxed) < cost(graph)
    assert [n.op for n in relaxed.nodes] == ["conv2d"]
    assert history == sorted(history, reverse=True)


def test_where_arithmetic_is_dear_the_kernel_is_not_enlarged():
    graph = fire(expand=16)
    cost = simulated_latency(Machine(peak_macs_per_s=1e9, bytes_per_s=1e12), overhead_s=0.0)
    assert substitute(graph, cost=cost, alpha=1.2, budget=50) is graph


def test_three_convolutions_of_an_inception_module_become_one():
    graph = inception()
    found = substitute(graph)
    ops = [n.op for n in found.nodes]
    assert [n.op for n in graph.nodes].count("conv2d") == 6
    assert ops.count("conv2d") == 4
    assert ops.count("split") == 1
    assert COST(found) < COST(graph)
    assert found.cost().macs == graph.cost().macs
    assert found.cost().params == graph.cost().params
    assert_same_outputs(graph, found)
    assert substitute(found) is found


def test_a_cost_of_ones_own():
    found = substitute(inception(), cost=lambda graph: float(len(at_run_time(graph))))
    assert len(found.nodes) < len(inception().nodes)
    assert_same_outputs(inception(), found)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "cost", "n_before", "n_after"),
    [("googlenet", COST, 57, 39), ("squeezenet", WIDE, 26, None), ("resnet50", COST, 53, None)],
)
def test_networks_of_the_zoo(name, cost, n_before, n_after):
    model, x = prepared(name)
    graph = fuse(trace(model.double(), x.double()))
    found = substitute(graph, cost=cost, budget=12)
    n_convs = [sum(n.op == "conv2d" for n in g.nodes) for g in (graph, found)]
    assert n_convs[0] == n_before
    assert n_after is None or n_convs[1] == n_after
    assert cost(found) <= cost(graph)
    (before,), (after,) = graph.run(x.double()), found.run(x.double())
    # 1e-10 of the largest output: sums in another order in float64, through all layers
    assert float((after - before).abs().max()) <= 1e-10 * float(before.abs().max())
    if name != "resnet50":  # which has no two convolutions of one input, stride and activation
        assert cost(found) < cost(graph)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (partial(substitute, alpha=0.9), "substitute: alpha must be at least 1.0, got 0.9"),
        (partial(substitute, budget=-1), "substitute: budget must be a whole number, 0 or more"),
        (partial(substitute, piece=0), "substitute: piece must be a whole number, 1 or more"),
    ],
)
def test_bad_options_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call(fire())


def test_an_outline_is_searched_without_a_number():
    graph = fuse(trace(models.skeleton("squeezenet"), models.example("squeezenet", device="meta")))
    found = substitute(graph, cost=WIDE, budget=1)
    assert WIDE(found) <= WIDE(graph)
