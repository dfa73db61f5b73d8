"""Layout: permutes meet their inverse and go; where none can go, none is moved in vain."""

import pytest
import torch
from torch import nn

from efficientdl.systems.compiler.graph import Graph, Value, node
from efficientdl.systems.compiler.passes.layout import simplify_layout
from efficientdl.systems.compiler.trace import trace
from tests.systems.compiler.drawn import assert_same_outputs

X = Value("x", (2, 3, 4, 5), torch.float64)
LAST, FIRST = (0, 2, 3, 1), (0, 3, 1, 2)


def chain(*steps):
    value, nodes = X, []
    for i, (op, attributes) in enumerate(steps):
        nodes.append(node(f"n{i}", op, [value], **attributes))
        value = nodes[-1].outputs[0]
    return Graph((X,), {}, tuple(nodes), (value.name,))


def ops(graph):
    return [n.op for n in graph.nodes]


def test_a_graph_without_any_stays_what_it_is():
    graph = chain(("relu", {}), ("max_pool2d", {"kernel": (2, 2), "stride": (1, 1)}))
    assert simplify_layout(graph) == graph


@pytest.mark.parametrize(
    ("steps", "left"),
    [
        ([("permute", {"axes": LAST}), ("permute", {"axes": FIRST})], []),
        ([("permute", {"axes": LAST}), ("permute", {"axes": LAST})], ["permute"]),
        ([("permute", {"axes": (0, 1, 2, 3)})], []),
        ([("reshape", {"shape": (6, 20)}), ("reshape", {"shape": (2, 60)})], ["reshape"]),
        ([("reshape", {"shape": (6, 20)}), ("reshape", {"shape": X.shape})], []),
        (
            [("permute", {"axes": LAST}), ("softmax", {"axis": 3}), ("permute", {"axes": FIRST})],
            ["softmax"],
        ),
        ([("permute", {"axes": LAST}), ("reshape", {"shape": (40, 3)})], ["permute", "reshape"]),
    ],
)
def test_chains(steps, left):
    graph = chain(*steps)
    simpler = simplify_layout(graph)
    assert ops(simpler) == left
    assert_same_outputs(graph, simpler)


class ChannelsLast(nn.Module):
    """A residual block that keeps its maps with channels last, as some frameworks do."""

    def __init__(self):
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv2d(3, 3, 3, padding=1) for _ in range(2))

    def conv(self, i, x):
        return self.convs[i](x.permute(FIRST)).permute(LAST)

    def forward(self, x):
        x = x.permute(LAST)
        y = self.conv(1, self.conv(0, x).relu())
        return torch.cat([(x + y).relu(), y.sigmoid()], dim=3).permute(FIRST)


def test_a_network_with_channels_last_is_run_channels_first():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        graph = trace(ChannelsLast().double(), torch.zeros(X.shape, dtype=torch.float64))
    simpler = simplify_layout(graph)
    assert ops(graph).count("permute") == 6
    assert "permute" not in ops(simpler)
    assert_same_outputs(graph, simpler)
    assert simpler.cost().traffic_bytes < graph.cost().traffic_bytes


def test_a_permute_that_two_take_is_not_made_twice():
    last = node("last", "permute", [X], axes=LAST)
    act = node("act", "relu", last.outputs)
    graph = Graph((X,), {}, (last, act), ("act", "last"))
    assert simplify_layout(graph) == graph
