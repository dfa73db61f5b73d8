"""The graph: it refuses what is not well-formed, runs, compares, and knows what it costs."""

import copy
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from torch.nn import functional as F

from efficientdl.report import Cost
from efficientdl.systems.compiler.graph import Graph, Value, check, constant, node, run
from tests.systems.compiler.drawn import graphs, inputs_of

X = Value("x", (1, 2, 4, 4))
W = torch.arange(36.0).reshape(2, 2, 3, 3)


def small():
    conv = node("conv", "conv2d", [X, constant("w", W)], padding=(1, 1))
    act = node("act", "relu", conv.outputs)
    total = node("total", "add", [act.outputs[0], X])
    return Graph((X,), {"w": W}, (conv, act, total), ("total",))


def test_a_graph_without_nodes_is_the_identity():
    x = torch.randn(1, 2, 4, 4, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(Graph((X,), {}, (), ("x",)).run(x), [x], rtol=0, atol=0)


def test_it_computes_what_torch_computes():
    x = torch.randn(1, 2, 4, 4, generator=torch.Generator().manual_seed(0))
    expected = F.conv2d(x, W, padding=1).relu() + x
    torch.testing.assert_close(small().run(x), [expected], rtol=0, atol=0)


def test_running_changes_nothing_and_keeps_no_gradient():
    x = torch.ones(1, 2, 4, 4, requires_grad=True)
    graph = small()
    before = copy.deepcopy(graph)
    (y,) = run(graph, x)
    assert not y.requires_grad
    assert graph == before


@settings(deadline=None)
@given(graphs)
def test_every_drawn_graph_is_well_formed_and_costs_what_its_nodes_cost(graph):
    check(graph)
    report = graph.report()
    assert list(report.rows) == [n.name for n in graph.nodes]
    sizes = [sum(v.n_bytes for v in n.outputs) for n in graph.nodes if n.op != "reshape"]
    assert (graph.cost().activation_bytes or 0) >= max(sizes, default=0)
    assert [y.shape for y in graph.run(*inputs_of(graph))] == [
        graph.values()[name].shape for name in graph.outputs
    ]


def test_the_cost_by_hand():
    rows = small().report().rows
    map_bytes = 4 * 2 * 16
    # conv: 2 * 4 * 4 outputs, 2 * 9 weights each; x stays alive for the sum
    assert rows["conv"] == Cost(
        params=36,
        macs=32 * 18,
        weight_bits=36 * 32,
        activation_bytes=2 * map_bytes,
        traffic_bytes=2 * map_bytes + 144,
    )
    assert rows["act"].activation_bytes == 3 * map_bytes
    assert rows["total"].traffic_bytes == 3 * map_bytes
    assert small().cost().activation_bytes == 3 * map_bytes


def test_a_view_moves_nothing_and_shares_its_memory():
    flat = node("flat", "reshape", [X], shape=(1, 32))
    act = node("act", "relu", flat.outputs)
    rows = Graph((X,), {}, (flat, act), ("act",)).report().rows
    assert rows["flat"].traffic_bytes == 0
    assert rows["flat"].activation_bytes == 128
    assert rows["act"].activation_bytes == 256


@pytest.mark.parametrize(("images", "moved"), [(1, 0), (2, 2 * 2 * 128)])
def test_channels_of_one_picture_lie_one_after_the_other(images, moved):
    x = Value("x", (images, 2, 4, 4))
    halves = node("halves", "split", [x], axis=1, sizes=(1, 1))
    assert Graph((x,), {}, (halves,), ("halves.0",)).cost().traffic_bytes == moved


def test_equality_looks_at_numbers_too():
    other = replace(small(), constants={"w": W + 1})
    assert small() == small()
    assert small() != other
    assert small() != replace(small(), outputs=("act",))
    assert small() != 3
    with pytest.raises(TypeError):
        hash(small())


def test_outlines_are_equal_only_when_they_are_the_same():
    w = W.to("meta")
    graph = replace(small(), constants={"w": w})
    assert graph == replace(small(), constants={"w": w})
    assert graph != replace(small(), constants={"w": W.to("meta")})


def changed(**changes):
    graph = small()
    nodes = list(graph.nodes)
    nodes[1] = replace(nodes[1], **changes)
    return replace(graph, nodes=tuple(nodes))


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        (changed(op="cumsum"), r"node 'act': op must be one of .*, got 'cumsum'"),
        (changed(name="conv"), r"check: names of nodes must differ, got 'conv'"),
        (changed(inputs=("later",)), r"relu 'act': input must be made before it is taken"),
        (changed(inputs=("total",)), r"relu 'act': input must be made before it is taken"),
        (changed(inputs=("conv", "x")), r"relu 'act': inputs must be 1 to 1, got 2"),
        (changed(attributes={"slope": 1}), r"relu 'act': attribute must be one of , got 'slope'"),
        (changed(outputs=(Value("act", (1,)),)), r"relu 'act': outputs must be torch.float32"),
        (changed(outputs=(replace(X, name="conv"),)), r"check: names of values must differ"),
        (replace(small(), outputs=("y",)), r"check: output must be a value of the graph, got 'y'"),
        (replace(small(), outputs=()), r"check: outputs must be one or more"),
    ],
)
def test_what_is_not_well_formed_is_refused(graph, message):
    with pytest.raises(ValueError, match=message):
        check(graph)
    with pytest.raises(ValueError, match=message):
        graph.run(torch.zeros(1, 2, 4, 4))


def test_a_graph_is_demanded():
    with pytest.raises(TypeError, match="check: graph must be a Graph"):
        check([])


def test_wrong_inputs_are_refused():
    with pytest.raises(ValueError, match=r"run: inputs must be 1, got 0"):
        small().run()
    with pytest.raises(ValueError, match=r"run: x must be torch.float32 \(1, 2, 4, 4\)"):
        small().run(torch.zeros(1, 2, 4, 5))
    with pytest.raises(ValueError, match=r"run: x must be torch.float32"):
        small().run(torch.zeros(1, 2, 4, 4, dtype=torch.float64))
    with pytest.raises(TypeError, match="run: x must be a Tensor"):
        small().run([1.0])


def test_an_attribute_that_is_needed_is_demanded():
    with pytest.raises(ValueError, match=r"softmax 'y': axis must be given"):
        node("y", "softmax", [X])


def test_inputs_of_two_dtypes_are_refused():
    with pytest.raises(ValueError, match=r"add 'y': inputs must have one dtype"):
        node("y", "add", [X, replace(X, dtype=torch.float64)])
