"""Every node belongs to one operator, and the operators wait for each other as the nodes do."""

import pytest
import torch
from torch import nn

from efficientdl import models
from efficientdl.systems.compiler.ios.operators import TOUCH_UPS, operators_of
from efficientdl.systems.compiler.trace import trace


def traced(name):
    return trace(models.skeleton(name), models.example(name, device="meta"))


@pytest.mark.parametrize("name", ["small_cnn", "squeezenet", "inverted_w8_d1_early"])
def test_operators_are_the_nodes_in_their_order_and_edges(name):
    graph = traced(name)
    operators = operators_of(graph)
    owner = {node.name: op for op, nodes in operators.nodes.items() for node in nodes}
    assert sorted(owner) == sorted(node.name for node in graph.nodes)
    maker = {value.name: node.name for node in graph.nodes for value in node.outputs}
    waits = {op: set() for op in operators.nodes}
    for node in graph.nodes:
        made = {owner[maker[n]] for n in node.inputs if n in maker}
        waits[owner[node.name]] |= made - {owner[node.name]}
    dag = operators.dag
    assert {n: set(dag.named(dag.before[i])) for i, n in enumerate(dag.names)} == waits


def test_an_activation_whose_input_is_read_elsewhere_stands_alone():
    class Twice(nn.Module):
        def forward(self, x):
            y = torch.sigmoid(x)
            return torch.relu(y) * y

    operators = operators_of(trace(Twice(), torch.zeros(3)))
    assert [len(nodes) for nodes in operators.nodes.values()] == [1, 1, 1]


def test_with_convolutions_joined_a_separable_one_is_one_operator():
    separable = lambda: nn.Sequential(nn.ReLU(), nn.Conv2d(4, 4, 3, groups=4), nn.Conv2d(4, 4, 1))  # noqa: E731

    class Fork(nn.Module):
        def __init__(self):
            super().__init__()
            self.left, self.right = separable(), separable()

        def forward(self, x):
            return self.left(x) + self.right(x)

    graph = trace(Fork(), torch.zeros(1, 4, 5, 5))
    joined = operators_of(graph, joined=TOUCH_UPS | {"conv2d"})
    assert [len(nodes) for nodes in joined.nodes.values()] == [3, 3, 1]
    assert len(operators_of(graph).nodes) == 7
