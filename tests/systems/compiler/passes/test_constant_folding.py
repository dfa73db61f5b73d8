"""Constant folding: computed once, and only where the weights do not grow."""

import torch

from efficientdl.systems.compiler.graph import Graph, Value, constant, node
from efficientdl.systems.compiler.passes.constant_folding import compute_constants, fold_constants

X = Value("x", (4,))
A, B = torch.arange(4.0), torch.ones(4) * 3


def with_constants(*nodes, held, outputs):
    return Graph((X,), held, nodes, outputs)


def test_what_depends_on_the_input_stays():
    graph = with_constants(node("y", "mul", [X, constant("a", A)]), held={"a": A}, outputs=("y",))
    assert fold_constants(graph) == graph


def test_a_chain_is_computed_to_the_bit():
    total = node("total", "add", [constant("a", A), constant("b", B)])
    act = node("act", "tanh", total.outputs)
    y = node("y", "mul", [X, act.outputs[0]])
    graph = with_constants(total, act, y, held={"a": A, "b": B}, outputs=("y",))
    folded = fold_constants(graph)
    assert [n.name for n in folded.nodes] == ["y"]
    torch.testing.assert_close(folded.constants["act"], torch.tanh(A + B), rtol=0, atol=0)
    assert list(folded.constants) == ["act"]


def test_an_output_may_be_a_constant():
    graph = with_constants(node("y", "relu", [constant("a", A)]), held={"a": A}, outputs=("y",))
    folded = fold_constants(graph)
    assert folded.nodes == ()
    torch.testing.assert_close(folded.run(A), [A.relu()], rtol=0, atol=0)


def outer():
    """A matrix of the sums of two vectors: 16 numbers of 8."""
    row, column = A.reshape(1, 4), B.reshape(4, 1)
    table = node("table", "add", [constant("row", row), constant("column", column)])
    y = node("y", "mul", [X, table.outputs[0]])
    return with_constants(table, y, held={"row": row, "column": column}, outputs=("y",))


def test_weights_do_not_grow_but_where_all_is_to_be_computed():
    assert fold_constants(outer()) == outer()
    assert [n.name for n in compute_constants(outer()).nodes] == ["y"]
    torch.testing.assert_close(compute_constants(outer()).run(A), outer().run(A), rtol=0, atol=0)


def test_parts_of_a_constant_are_tensors_of_their_own():
    halves = node("halves", "split", [constant("a", A)], axis=0, sizes=(2, 2))
    y = node("y", "concat", [halves.outputs[1], halves.outputs[0]], axis=0)
    z = node("z", "mul", [X, y.outputs[0]])
    folded = fold_constants(with_constants(halves, y, z, held={"a": A}, outputs=("z",)))
    torch.testing.assert_close(folded.constants["y"], torch.tensor([2.0, 3, 0, 1]), rtol=0, atol=0)
