"""Every operation of the closed set, run in onnxruntime, gives what the interpreter gives."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from efficientdl.systems.compiler.export import export_graph, run_onnx
from efficientdl.systems.compiler.export.operations import RULES
from efficientdl.systems.compiler.graph import Graph, Value, node
from efficientdl.systems.compiler.ops import ACTIVATIONS, OPS
from tests.systems.compiler import drawn


def graph_of(op, shapes, **attributes):
    values = [Value(f"v{i}", shape) for i, shape in enumerate(shapes)]
    made = node("n", op, values, **attributes)
    return Graph(tuple(values), {}, (made,), tuple(v.name for v in made.outputs))


def assert_runs_alike(graph, *, positive=(), rtol=1e-5, atol=1e-5):
    """Float32 rounds sums of some dozens of terms of size one to about 1e-6; ten times that."""
    x = graph.example(np.random.default_rng(0))
    for i in positive:
        x[i] = x[i].abs() + 0.5
    ours = graph.run(*x)
    theirs = run_onnx(export_graph(graph), *x)
    torch.testing.assert_close(theirs, ours, rtol=rtol, atol=atol)


IMAGE = (2, 4, 7, 6)
CASES = {
    "conv2d": [
        ([IMAGE, (6, 4, 3, 3)], {}),
        (
            [IMAGE, (8, 2, 3, 2), (8,)],
            {"stride": (2, 1), "padding": (2, 0), "dilation": (1, 2), "groups": 2},
        ),
        ([IMAGE, (4, 1, 3, 3)], {"groups": 4, "padding": (1, 1), "activation": "hardswish"}),
    ],
    "linear": [
        ([(3, 5), (4, 5)], {}),
        ([(3, 5), (4, 5), (4,)], {"activation": "relu6"}),
        ([(2, 3, 5), (4, 5)], {}),
        ([(2, 3, 5), (4, 5), (4,)], {"activation": "gelu"}),
    ],
    "matmul": [([(2, 3, 4), (2, 4, 5)], {}), ([(2, 3, 4), (4, 5)], {})],
    "batch_norm": [([IMAGE, *[(4,)] * 4], {"eps": 1e-3}), ([(3, 4), *[(4,)] * 4], {})],
    "layer_norm": [([(2, 3, 5), (5,), (5,)], {"eps": 1e-3})],
    **{name: [([IMAGE], {})] for name in ACTIVATIONS},
    "add": [([IMAGE, (4, 1, 1)], {"activation": "silu"})],
    "mul": [([IMAGE, (2, 4, 1, 1)], {}), ([IMAGE, ()], {})],
    "softmax": [([IMAGE], {"axis": 1}), ([(3, 5)], {"axis": 1})],
    "max_pool2d": [
        ([IMAGE], {"kernel": (3, 3), "stride": (2, 2), "padding": (1, 1), "ceil": True}),
        ([IMAGE], {"kernel": (2, 3), "stride": (1, 2), "dilation": (2, 1)}),
    ],
    "avg_pool2d": [
        ([IMAGE], {"kernel": (3, 2), "stride": (2, 1), "padding": (1, 1), "ceil": True}),
        ([IMAGE], {"kernel": (3, 3), "stride": (2, 2), "padding": (1, 1), "count_padding": False}),
    ],
    "adaptive_avg_pool2d": [([IMAGE], {"size": size}) for size in [(1, 1), (7, 3), (3, 4)]],
    "mean": [([IMAGE], {"axes": (2, 3)}), ([IMAGE], {"axes": (1,), "keep": True})],
    "concat": [([IMAGE, (2, 3, 7, 6), (2, 1, 7, 6)], {"axis": 1})],
    "split": [([IMAGE], {"axis": 1, "sizes": (1, 3)}), ([IMAGE], {"axis": 2, "sizes": (2, 4, 1)})],
    "slice": [([IMAGE], {"axis": 3, "start": 2, "stop": 5})],
    "reshape": [([IMAGE], {"shape": (4, 84)})],
    "permute": [([IMAGE], {"axes": (0, 2, 3, 1)})],
    "pad": [([IMAGE], {"widths": ((0, 1), (0, 0), (2, 0), (1, 3)), "value": -1.5})],
}


def test_every_operation_has_a_rule_and_a_case():
    assert RULES.keys() == OPS.keys() == CASES.keys()


@pytest.mark.parametrize("op", CASES)
def test_each_operation_gives_the_same(op):
    for shapes, attributes in CASES[op]:
        positive = (4,) if op == "batch_norm" else ()  # a variance
        assert_runs_alike(graph_of(op, shapes, **attributes), positive=positive)


few = st.integers(1, 4)


@settings(deadline=None, max_examples=60)
@given(
    st.tuples(st.integers(1, 9), st.integers(1, 9)),
    st.tuples(few, few),
    st.tuples(few, few),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)
def test_pools_of_every_geometry(size, kernel, stride, half, ceil, counted):
    padding = tuple(k // 2 if half else 0 for k in kernel)
    if any(h + 2 * p < k for h, p, k in zip(size, padding, kernel, strict=True)):
        return
    options = {"kernel": kernel, "stride": stride, "padding": padding, "ceil": ceil}
    shapes = [(1, 2, *size)]
    assert_runs_alike(graph_of("max_pool2d", shapes, **options), rtol=0, atol=0)
    assert_runs_alike(graph_of("avg_pool2d", shapes, count_padding=counted, **options))


def in_float32(graph):
    """The same graph on float32."""
    inputs = tuple(Value(v.name, v.shape) for v in graph.inputs)
    constants = {name: t.float() for name, t in graph.constants.items()}
    known = {v.name: v for v in inputs} | {
        name: Value(name, tuple(t.shape)) for name, t in constants.items()
    }
    nodes = []
    for n in graph.nodes:
        nodes.append(node(n.name, n.op, [known[name] for name in n.inputs], **n.attributes))
        known |= {v.name: v for v in nodes[-1].outputs}
    return Graph(inputs, constants, tuple(nodes), graph.outputs)


@settings(deadline=None, max_examples=25)
@given(drawn.graphs)
def test_graphs_drawn_at_random(graph):
    graph = in_float32(graph)
    scale = max(float(y.abs().max()) for y in graph.run(*graph.example(np.random.default_rng(0))))
    # up to eight layers, each of which rounds sums of 36 terms; relative to the largest number
    assert_runs_alike(graph, rtol=1e-5, atol=1e-5 * max(scale, 1.0))


def test_an_input_may_be_given_back_and_an_output_twice():
    x = Value("x", (1, 4))
    graph = Graph((x,), {}, (node("y", "relu", [x]),), ("y", "x", "y"))
    assert_runs_alike(graph)
