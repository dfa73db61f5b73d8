"""Cut a graph where one value alone goes through: the pieces can be searched one by one."""

from collections.abc import Sequence
from dataclasses import replace

from torch import Tensor

from efficientdl.systems.compiler.graph import Graph, Node, last_uses


def pieces(graph: Graph, *, n_nodes: int) -> list[Graph]:
    """The graph as a chain of smaller ones: each takes what the one before it gives.

    A cut is made after a node where a single value is alive, and only once a piece has `n_nodes`
    nodes or more. A graph with several inputs or outputs, or without such a place, is one piece.

    Args:
        graph: What to cut.
        n_nodes: Least nodes of a piece, but for the last.
    """
    if len(graph.inputs) != 1 or len(graph.outputs) != 1:
        return [graph]
    last = last_uses(graph)
    found, begun, given = [], 0, graph.inputs[0].name
    alive = {given}
    for place, n in enumerate(graph.nodes):
        alive |= {value.name for value in n.outputs}
        alive = {name for name in alive if last.get(name, -1) > place}
        if len(alive) == 1 and place + 1 - begun >= n_nodes and place + 1 < len(graph.nodes):
            (gives,) = alive
            found.append(_piece(graph, graph.nodes[begun : place + 1], given, gives))
            begun, given = place + 1, gives
    return [*found, _piece(graph, graph.nodes[begun:], given, graph.outputs[0])]


def _piece(graph: Graph, nodes: Sequence[Node], takes: str, gives: str) -> Graph:
    used = {name for n in nodes for name in n.inputs} | {gives}
    constants = {name: t for name, t in graph.constants.items() if name in used}
    return Graph((graph.values()[takes],), constants, tuple(nodes), (gives,))


def joined(graph: Graph, parts: Sequence[Graph]) -> Graph:
    """A chain of pieces as one graph, with the inputs of the one that they came from.

    Nodes and constants that are new in two pieces under one name get a name of their own.
    """
    used = {value.name for value in graph.inputs}
    nodes: list[Node] = []
    constants: dict[str, Tensor] = {}
    gives = graph.inputs[0].name
    for part in parts:
        names = {part.inputs[0].name: gives}
        for name, tensor in part.constants.items():
            shared = constants.get(name) is tensor
            names[name] = name if shared else _new(name, used)
            constants[names[name]] = tensor
        nodes += [_renamed(n, names, used) for n in part.nodes]
        gives = names[part.outputs[0]]
    return Graph(graph.inputs, constants, tuple(nodes), (gives,))


def _renamed(n: Node, names: dict[str, str], used: set[str]) -> Node:
    """A node with what it takes under new names, and a name that nothing has yet."""
    inputs = tuple(names[name] for name in n.inputs)
    name = _new(n.name, used)
    outputs = []
    for i, value in enumerate(n.outputs):
        new = name if len(n.outputs) == 1 else f"{name}.{i}"
        used.add(new)
        names[value.name] = new
        outputs.append(replace(value, name=new))
    return replace(n, name=name, inputs=inputs, outputs=tuple(outputs))


def _new(name: str, used: set[str]) -> str:
    taken, number = name, 2
    while taken in used or f"{taken}.0" in used:
        taken, number = f"{name}_{number}", number + 1
    used.add(taken)
    return taken
