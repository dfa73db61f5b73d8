"""What is scheduled: the nodes of a network, small ones joined to the node before them."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from efficientdl.systems.compiler.graph import Graph, Node, check
from efficientdl.systems.compiler.ios.dag import Dag, dag_of
from efficientdl.systems.compiler.ops import ACTIVATIONS

TOUCH_UPS = frozenset({*ACTIVATIONS, "batch_norm", "reshape"})


@dataclass(frozen=True)
class Operators:
    """A graph, cut into operators to schedule.

    Attributes:
        graph: The graph.
        dag: The operators, and what each waits for.
        nodes: The nodes of each operator, in order.
    """

    graph: Graph
    dag: Dag
    nodes: Mapping[str, tuple[Node, ...]]


def operators_of(graph: Graph, *, joined: Collection[str] = TOUCH_UPS) -> Operators:
    """Cut a graph into operators.

    An activation, a batch norm or a reshape that alone reads what it works on belongs to the
    operator before it: no schedule would gain by taking them apart. An operator has the name of
    its first node.

    Args:
        graph: A graph.
        joined: The operations of which this holds. With `conv2d` among them a separable
            convolution is one operator, and so is a branch that is nothing but convolutions: a
            coarser cut, for graphs with so many operators side by side that the search takes long.

    >>> import torch
    >>> from torch import nn
    >>> from efficientdl.systems.compiler.trace import trace
    >>> model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.Conv2d(2, 4, 3))
    >>> operators = operators_of(trace(model, torch.zeros(1, 1, 8, 8)))
    >>> {name: [node.op for node in nodes] for name, nodes in operators.nodes.items()}
    {'0': ['conv2d', 'batch_norm', 'relu'], '3': ['conv2d']}
    """
    check(graph)
    uses = Counter([name for node in graph.nodes for name in node.inputs])
    uses.update(graph.outputs)
    owner: dict[str, str] = {}
    nodes: dict[str, tuple[Node, ...]] = {}
    waits: dict[str, list[str]] = {}
    for node in graph.nodes:
        reads = [name for name in node.inputs if name in owner]
        alone = len(reads) == 1 and uses[reads[0]] == 1 and node.op in joined
        operator = owner[reads[0]] if alone else node.name
        nodes[operator] = (*nodes.get(operator, ()), node)
        if not alone:
            waits[operator] = list(dict.fromkeys(owner[name] for name in reads))
        owner |= dict.fromkeys((value.name for value in node.outputs), operator)
    return Operators(graph, dag_of(waits), nodes)
