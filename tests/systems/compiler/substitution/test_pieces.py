"""Pieces: joined again they are the graph."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from efficientdl import models
from efficientdl.systems.compiler.graph import check
from efficientdl.systems.compiler.passes import remove_dead_code
from efficientdl.systems.compiler.substitution.forms import structure
from efficientdl.systems.compiler.substitution.pieces import joined, pieces
from efficientdl.systems.compiler.trace import trace
from tests.systems.compiler.drawn import assert_same_outputs, graphs


@settings(deadline=None)
@given(graphs, st.integers(1, 5))
def test_joined_again_they_are_the_graph(graph, n_nodes):
    graph = remove_dead_code(graph)
    parts = pieces(graph, n_nodes=n_nodes)
    for part in parts:
        check(part)
    if len(parts) == 1:
        assert parts[0] == graph or len(graph.outputs) == 1
    if len(graph.outputs) == 1:
        again = joined(graph, parts)
        check(again)
        assert structure(again) == structure(graph)
        assert_same_outputs(graph, again)
        assert all(len(part.nodes) >= n_nodes for part in parts[:-1])


def test_two_pieces_may_name_new_nodes_alike():
    graph = trace(models.skeleton("lenet_5"), models.example("lenet_5", device="meta"))
    first, *others = pieces(graph, n_nodes=2)
    assert len(others) == 3
    again = joined(graph, [first, first])
    names = [n.name for n in again.nodes]
    assert names == ["conv1", "pool1", "conv1_2", "pool1_2"]


@pytest.mark.parametrize(("name", "n_pieces"), [("lenet_300_100", 6), ("squeezenet", 33)])
def test_a_network_is_cut_where_one_value_goes_through(name, n_pieces):
    graph = trace(models.skeleton(name), models.example(name, device="meta"))
    assert len(pieces(graph, n_nodes=1)) == n_pieces
