"""The two forms of a graph compute the same, and the one undoes the other."""

import torch
from hypothesis import given, settings

from efficientdl.systems.compiler.graph import Graph, Value, check, node
from efficientdl.systems.compiler.substitution.forms import at_once, structure, two_by_two
from tests.systems.compiler.drawn import assert_same_outputs, graphs

X = Value("x", (1, 6, 2, 2), torch.float64)


def parts():
    split = node("split", "split", [X], axis=1, sizes=(1, 2, 2, 1))
    acts = [node(op, op, [v]) for op, v in zip(OPS, split.outputs, strict=True)]
    concat = node("concat", "concat", [a.outputs[0] for a in acts], axis=1)
    return Graph((X,), {}, (split, *acts, concat), ("concat",))


OPS = ("relu", "tanh", "sigmoid", "relu6")


def test_a_chain_of_two_and_back():
    graph = parts()
    chain = two_by_two(graph)
    check(chain)
    assert {len(n.inputs) for n in chain.nodes if n.op == "concat"} == {2}
    assert {len(n.outputs) for n in chain.nodes if n.op == "split"} == {2}
    assert_same_outputs(graph, chain)
    assert structure(chain) != structure(graph)
    back = at_once(chain)
    check(back)
    assert structure(back) == structure(graph)
    assert_same_outputs(graph, back)


@settings(deadline=None)
@given(graphs)
def test_both_compute_what_the_graph_computes(graph):
    for form in (two_by_two, at_once):
        assert_same_outputs(graph, form(graph))


def test_a_concatenation_that_is_also_given_stays():
    inner = node("inner", "concat", [X, X], axis=1)
    outer = node("outer", "concat", [inner.outputs[0], X], axis=1)
    graph = Graph((X,), {}, (inner, outer), ("outer", "inner"))
    assert at_once(graph) == graph


def test_names_and_the_order_of_terms_do_not_matter():
    a, b = node("a", "relu", [X]), node("b", "tanh", [X])
    left = Graph((X,), {}, (a, b, node("s", "add", [a.outputs[0], b.outputs[0]])), ("s",))
    right = Graph((X,), {}, (b, a, node("t", "add", [b.outputs[0], a.outputs[0]])), ("t",))
    assert structure(left) == structure(right)
    other = Graph((X,), {}, (a, b, node("s", "mul", [a.outputs[0], b.outputs[0]])), ("s",))
    assert structure(left) != structure(other)
