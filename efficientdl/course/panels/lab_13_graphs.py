"""Lab 13's pictures of graphs: nodes by depth, an edge for each value that is read."""

from collections.abc import Iterator, Mapping

from efficientdl.systems.compiler import Graph, Node
from efficientdl.viz import Axis, Figure, Line, Points, Table, View

INPUT = "input"
Spot = tuple[float, float]


def edges(graph: Graph) -> list[tuple[str, str]]:
    """From each node to those that read what it makes; the inputs are one node."""
    maker = {value.name: INPUT for value in graph.inputs}
    found = []
    for node in graph.nodes:
        reads = dict.fromkeys(maker[name] for name in node.inputs if name in maker)
        found += [(name, node.name) for name in reads]
        maker |= dict.fromkeys((value.name for value in node.outputs), node.name)
    return found


def spots(graph: Graph) -> dict[str, Spot]:
    """A place for each node: as deep as the longest way to it, side by side with its like."""
    depth = {INPUT: 0}
    for early, late in edges(graph):
        depth[late] = max(depth.get(late, 0), depth[early] + 1)
    rows: dict[int, list[str]] = {}
    for name, deep in depth.items():
        rows.setdefault(deep, []).append(name)
    return {
        name: (i - (len(names) - 1) / 2, float(-deep))
        for deep, names in rows.items()
        for i, name in enumerate(names)
    }


def stroke(graph: Graph) -> list[str]:
    """A walk along edges alone that passes each of them twice, so that one line draws them all."""
    beside: dict[str, list[str]] = {}
    for early, late in edges(graph):
        beside.setdefault(early, []).append(late)
        beside.setdefault(late, []).append(early)
    used: set[frozenset[str]] = set()

    def walk(name: str) -> Iterator[str]:
        yield name
        for other in beside.get(name, []):
            if frozenset((name, other)) not in used:
                used.add(frozenset((name, other)))
                yield from walk(other)
                yield name

    return list(walk(INPUT))


def _label(node: Node) -> str:
    activation = node.attributes.get("activation")
    op = node.op.removesuffix("2d")
    what = f"{op}+{activation}" if activation and activation != "none" else op
    shape = node.outputs[0].shape
    return f"{what} {shape[1]}" if len(shape) == 4 else what


def _drawn(name: str, graph: Graph) -> Figure:
    at, path = spots(graph), stroke(graph)
    labels = {INPUT: INPUT, **{node.name: _label(node) for node in graph.nodes}}
    wide = max(abs(x) for x, _ in at.values())
    deep = -min(y for _, y in at.values())
    kinds = [node.op for node in graph.nodes]
    counts = ", ".join(f"{kinds.count(op)} {op}" for op in dict.fromkeys(kinds))
    return Figure(
        f"{name}: {len(graph.nodes)} nodes",
        Axis("", low=-wide - 0.6, high=wide + (0.9 if wide else 1.4)),
        Axis("depth, downwards", low=-deep - 0.5, high=0.5),
        (
            Line("values", [at[n][0] for n in path], [at[n][1] for n in path]),
            Points("nodes", *zip(*at.values(), strict=True), labels=[labels[node] for node in at]),
        ),
        alt=f"The graph '{name}' has {len(graph.nodes)} nodes: {counts}.",
        width=640 if wide else 300,
        height=140 + (60 if wide else 30) * int(deep),
    )


def side_by_side(graphs: Mapping[str, Graph]) -> View:
    """Graphs as pictures beside each other: nodes, and edges where one reads another's value.

    Args:
        graphs: By name, the one to compare with first.
    """
    rows = []
    for name, graph in graphs.items():
        cost = graph.cost()
        rows.append((name, len(graph.nodes), cost.macs, cost.traffic_bytes, cost.activation_bytes))
    first, last = rows[0], rows[-1]
    text = (
        f"'{first[0]}' has {first[1]} nodes and moves {first[3]:,} bytes; '{last[0]}' has "
        f"{last[1]} and moves {last[3]:,}."
    )
    head = ("graph", "nodes", "MACs", "bytes moved", "bytes alive at once")
    figures = [_drawn(name, graph) for name, graph in graphs.items()]
    return View(figures, Table("What each costs", head, tuple(rows)), text)
