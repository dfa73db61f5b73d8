"""The working copy of a graph: untouched, it gives the graph back; it keeps what is needed."""

import pytest
from hypothesis import given, settings

from efficientdl.systems.compiler.draft import Draft
from efficientdl.systems.compiler.graph import Graph, Value, check, node
from tests.systems.compiler.drawn import assert_same_outputs, graphs

X = Value("x", (1, 4))


@settings(deadline=None)
@given(graphs)
def test_untouched_it_gives_the_living_part_back_in_order(graph):
    once = Draft(graph).graph()
    check(once)
    order = [n.name for n in graph.nodes]
    assert [n.name for n in once.nodes] == sorted((n.name for n in once.nodes), key=order.index)
    assert once.outputs == graph.outputs
    assert Draft(once).graph() == once
    assert_same_outputs(graph, once)


def test_a_node_that_is_added_last_runs_where_it_is_needed():
    y = node("y", "relu", [X])
    draft = Draft(Graph((X,), {}, (y,), ("y",)))
    first = draft.add("first", "tanh", [X])
    draft.remake("y", "relu", first.outputs)
    graph = draft.graph()
    check(graph)
    assert [n.name for n in graph.nodes] == ["first", "y"]


def test_names_are_never_given_twice():
    halves = node("y", "split", [X], axis=1, sizes=(1, 3))
    draft = Draft(Graph((X,), {}, (halves,), ("y.0",)))
    assert [draft.new(name) for name in ("x", "y", "y.0", "z")] == ["x_2", "y_2", "y.0_2", "z"]


def test_a_deep_chain_needs_no_deep_stack():
    nodes, value = [], X
    for i in range(3000):
        nodes.append(node(f"n{i}", "relu", [value]))
        value = nodes[-1].outputs[0]
    assert len(Draft(Graph((X,), {}, tuple(nodes), ("n2999",))).graph().nodes) == 3000


def test_a_cycle_is_found_and_not_followed_for_ever():
    first = node("first", "relu", [X])
    second = node("second", "tanh", first.outputs)
    draft = Draft(Graph((X,), {}, (first, second), ("second",)))
    draft.remake("first", "relu", second.outputs)
    with pytest.raises(AssertionError, match="a cycle goes through 'second'"):
        draft.graph()


def test_two_ways_to_one_node_are_no_cycle():
    halves = node("halves", "split", [X], axis=1, sizes=(2, 2))
    both = node("both", "add", list(halves.outputs))
    twice = node("twice", "mul", [both.outputs[0], halves.outputs[0]])
    graph = Graph((X,), {}, (halves, both, twice), ("twice", "both"))
    assert Draft(graph).graph() == graph
