"""What the nodes of a graph cost, from shapes alone."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from efficientdl.report import Cost
from efficientdl.systems.compiler.graph import Graph, Node, Value, last_uses
from efficientdl.systems.compiler.ops import numel


def rows(graph: Graph) -> Iterator[tuple[str, Cost]]:
    """Each node of a graph with its cost, in order."""
    values, alive, told = graph.values(), alive_bytes(graph), set()
    for n, at_once in zip(graph.nodes, alive, strict=True):
        weights = {name for name in n.inputs if name in graph.constants}
        own = [values[name] for name in weights - told]
        told |= weights
        did = work(n, values)
        params = sum(numel(v.shape) for v in own)
        bits = sum(8 * v.n_bytes for v in own)
        stored = replace(did, params=params, weight_bits=bits, activation_bytes=at_once)
        yield n.name, stored


def work(n: Node, values: Mapping[str, Value]) -> Cost:
    """MACs and bytes moved by one node: each input read once, each output written once."""
    shapes = [values[name].shape for name in n.inputs]
    moved = 0
    if not n.rule.moves_nothing(shapes, n.attributes):
        moved = sum(v.n_bytes for v in (*(values[x] for x in dict.fromkeys(n.inputs)), *n.outputs))
    return Cost(macs=n.rule.macs(shapes, n.outputs[0].shape), traffic_bytes=moved)


def alive_bytes(graph: Graph) -> list[int]:
    """Bytes of the values that are alive while each node runs; a view is its base, weights none."""
    values = graph.values()
    base = {v.name: v.name for v in graph.inputs}
    size = {v.name: v.n_bytes for v in graph.inputs}
    born = dict.fromkeys(base, 0)
    for place, n in enumerate(graph.nodes):
        source, shapes = n.inputs[0], [values[name].shape for name in n.inputs]
        is_view = source in base and n.rule.moves_nothing(shapes, n.attributes)
        for value in n.outputs:
            base[value.name] = base[source] if is_view else value.name
            size.setdefault(base[value.name], value.n_bytes)
            born.setdefault(base[value.name], place)
    dies = dict(born)
    for name, place in last_uses(graph).items():
        if name in base:
            dies[base[name]] = max(dies[base[name]], place)
    alive = [0] * len(graph.nodes)
    for name, start in born.items():
        for place in range(start, min(dies[name], len(graph.nodes) - 1) + 1):
            alive[place] += size[name]
    return alive
