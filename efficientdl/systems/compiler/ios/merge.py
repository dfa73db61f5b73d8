"""Several convolutions of the same input as one: more filters on one pass over the input.

A smaller kernel is a larger one with zeros around it, so convolutions of different kernels can be
one, too, as long as their windows have the same centre and the same stride: a 1x1 beside a 3x3
then costs nine times its MACs, and whether that pays is for the search to find out.
"""

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional as F

from efficientdl import _check
from efficientdl.systems.compiler.graph import Array, Graph, Node, check, constant, node
from efficientdl.systems.compiler.ios.dag import dag_of
from efficientdl.systems.compiler.ios.operators import Operators
from efficientdl.systems.compiler.ios.schedule import Group, Merged, Schedule, check_schedule
from efficientdl.systems.compiler.ios.scheduler import MayMerge


def mergeable(operators: Operators) -> MayMerge:
    """Which operators can be computed as one: convolutions that begin with the same input.

    They have one stride, no groups and no dilation, weights that are known, and windows with the
    same centre: padding less half the kernel is the same.

    >>> import torch
    >>> from torch import nn
    >>> from efficientdl.systems.compiler.ios.operators import operators_of
    >>> from efficientdl.systems.compiler.trace import trace
    >>> class Fork(nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.one, self.three = nn.Conv2d(2, 3, 1), nn.Conv2d(2, 4, 3, padding=1)
    ...     def forward(self, x):
    ...         return self.one(x), self.three(x)
    >>> may_merge = mergeable(operators_of(trace(Fork(), torch.zeros(1, 2, 5, 5))))
    >>> may_merge(("one", "three"))
    True

    Source: Ding, Zhu, Jia, Pekhimenko, Han, "IOS: Inter-Operator Scheduler for CNN Acceleration",
        2021, whose second way to run a stage is "operator merge"; lab 13.
    """

    def may_merge(names: Group) -> bool:
        firsts = [operators.nodes[name][0] for name in names]
        if any(n.op != "conv2d" or not _is_plain(n, operators.graph) for n in firsts):
            return False
        return len({_window(n, operators.graph) for n in firsts}) == 1

    return may_merge


def _is_plain(n: Node, graph: Graph) -> bool:
    known = all(name in graph.constants for name in n.inputs[1:])
    return known and n.attributes["groups"] == 1 and n.attributes["dilation"] == (1, 1)


def _window(n: Node, graph: Graph) -> tuple[object, ...]:
    """What has to be the same: input, stride, activation, and twice the way to the centre."""
    kernel, a = graph.constants[n.inputs[1]].shape[2:], n.attributes
    centre = tuple(2 * p - k for p, k in zip(a["padding"], kernel, strict=True))
    return n.inputs[0], a["stride"], a["activation"], centre


def merged_nodes(operators: Operators, names: Group) -> tuple[tuple[Node, ...], dict[str, Array]]:
    """The nodes that compute some operators as one, and the constants that they need.

    One convolution with the filters of all, a split of its channels, and what each operator does
    after its convolution. Who reads the operators' values finds them under their names.

    Args:
        operators: The network.
        names: Operators that `mergeable` allows.

    Raises:
        BadValue: It does not.
    """
    if len(names) < 2 or not mergeable(operators)(names):
        rule = "must begin with convolutions that can be one"
        _check.fail("merged_nodes", "operators", rule, names)
    graph = operators.graph
    firsts = [operators.nodes[name][0] for name in names]
    weights = [graph.constants[n.inputs[1]] for n in firsts]
    kernel = tuple(max(w.shape[i] for w in weights) for i in (2, 3))
    weight = torch.cat([_with_border(w, kernel) for w in weights])
    bias = torch.cat([_bias(n, w, graph) for n, w in zip(firsts, weights, strict=True)])
    one = "+".join(names)
    held = {f"{one}.weight": weight, f"{one}.bias": bias}
    padding = tuple(max(n.attributes["padding"][i] for n in firsts) for i in (0, 1))
    attributes = {**firsts[0].attributes, "padding": padding}
    x = graph.values()[firsts[0].inputs[0]]
    inputs = [x, *(constant(name, t) for name, t in held.items())]
    conv = node(one, "conv2d", inputs, **attributes)
    split = node(
        f"{one}.split", "split", conv.outputs, axis=1, sizes=tuple(len(w) for w in weights)
    )
    parts = tuple(value for n in firsts for value in n.outputs)
    rest = tuple(n for name in names for n in operators.nodes[name][1:])
    return (conv, replace(split, outputs=parts), *rest), held


def _with_border(weight: Tensor, kernel: tuple[int, ...]) -> Tensor:
    """A kernel in the middle of a larger one."""
    down, across = ((k - n) // 2 for k, n in zip(kernel, weight.shape[2:], strict=True))
    return F.pad(weight, (across, across, down, down))


def _bias(n: Node, weight: Tensor, graph: Graph) -> Tensor:
    return graph.constants[n.inputs[2]] if len(n.inputs) == 3 else weight.new_zeros(len(weight))


def apply_merges(operators: Operators, schedule: Schedule) -> tuple[Operators, Schedule]:
    """The network with the merged convolutions of a schedule in it, and that schedule for it.

    Operators that are merged become one, which runs as any other does. Their weights are put
    together here, once, and not each time that the network runs.

    Args:
        operators: The network.
        schedule: For its operators.

    Raises:
        BadValue: The schedule does not fit, or merges what cannot be.
    """
    check_schedule(operators.dag, schedule)
    nodes: dict[str, tuple[Node, ...]] = {}
    held, stages = dict(operators.graph.constants), list(schedule)
    for i, stage in enumerate(schedule):
        names = tuple(name for group in stage for name in group)
        if isinstance(stage, Merged):
            made, new = merged_nodes(operators, names)
            held |= new
            names = (made[0].name,)
            nodes[names[0]], stages[i] = made, (names,)
        else:
            nodes |= {name: operators.nodes[name] for name in names}
    return _operators(operators.graph, nodes, held), Schedule(tuple(stages))


def _operators(
    graph: Graph, nodes: Mapping[str, tuple[Node, ...]], held: Mapping[str, Array]
) -> Operators:
    """Operators in the order of a schedule, and what each waits for."""
    every = tuple(n for several in nodes.values() for n in several)
    owner = {v.name: name for name, several in nodes.items() for n in several for v in n.outputs}
    waits = {
        name: list({
            owner[v]: None for n in several for v in n.inputs if v in owner and owner[v] != name
        })
        for name, several in nodes.items()
    }
    used = {name for n in every for name in n.inputs} | set(graph.outputs)
    constants = {name: tensor for name, tensor in held.items() if name in used}
    made = Graph(graph.inputs, constants, every, graph.outputs)
    check(made)
    return Operators(made, dag_of(waits), nodes)
