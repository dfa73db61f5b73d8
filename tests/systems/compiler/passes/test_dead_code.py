"""Dead code goes, with its constants; what is alive stays."""

import torch

from efficientdl.systems.compiler.graph import Graph, Value, constant, node
from efficientdl.systems.compiler.passes.dead_code import remove_dead_code

X = Value("x", (1, 4))


def test_nothing_goes_where_all_is_needed():
    graph = Graph((X,), {}, (node("y", "relu", [X]),), ("y",))
    assert remove_dead_code(graph) == graph


def test_a_dead_chain_goes_with_its_constants_and_inputs_stay():
    c = torch.ones(4)
    other = Value("other", (1, 4))
    dead = node("dead", "mul", [other, constant("c", c)])
    deader = node("deader", "relu", dead.outputs)
    alive = node("y", "relu", [X])
    graph = Graph((X, other), {"c": c}, (dead, deader, alive), ("y",))
    assert remove_dead_code(graph) == Graph((X, other), {}, (alive,), ("y",))


def test_a_node_with_one_living_output_lives():
    halves = node("halves", "split", [X], axis=1, sizes=(1, 3))
    graph = Graph((X,), {}, (halves,), ("halves.1",))
    assert remove_dead_code(graph) == graph
