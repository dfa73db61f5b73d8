"""Layout: move values to another order as seldom as possible."""

from collections.abc import Callable, Sequence

from efficientdl.systems.compiler.draft import Draft
from efficientdl.systems.compiler.graph import Graph, Node, check
from efficientdl.systems.compiler.ops import ACTIVATIONS

# Operations that work value by value, whatever the order of the axes.
ANY_ORDER = (*ACTIVATIONS, "add", "mul")
Rule = Callable[[Draft, Node], bool]  # makes a change at a node, if it can


def simplify_layout(graph: Graph) -> Graph:
    """The same graph with fewer permutes and reshapes.

    Two in a row become one, and one that changes nothing goes. A permute before an operation that
    works value by value can as well come after it: so permutes sink until they meet their inverse,
    or come to something that needs the order they make. Where several things take what a permute
    gives, sinking makes a permute for each, and is undone unless they meet their inverses. This is
    how a network written for channels last is run channels first, without moving every map twice.

    >>> import torch
    >>> from efficientdl.systems.compiler.graph import Value, node
    >>> x = Value("x", (1, 3, 4, 4))
    >>> last = node("last", "permute", [x], axes=(0, 2, 3, 1))
    >>> act = node("act", "relu", last.outputs)
    >>> first = node("first", "permute", act.outputs, axes=(0, 3, 1, 2))
    >>> print(simplify_layout(Graph((x,), {}, (last, act, first), ("first",))))
    x: float32 (1, 3, 4, 4)
    act = relu(x)  # (1, 3, 4, 4)
    return act

    Source: Chen et al., "TVM", OSDI 2018, section 3 (data layout transformation); lab 13.
    """
    check(graph)
    graph = _settled(graph, _sink_alone)
    bold = _settled(graph, _sink)
    return bold if _is_cheaper(bold, graph) else graph


def _settled(graph: Graph, sink: Rule) -> Graph:
    """The graph when no rule changes it any more: one change after the other."""
    while True:
        draft = Draft(graph)
        if not any(rule(draft, n) for n in graph.nodes for rule in (_drop, _join, sink)):
            return graph
        graph = draft.graph()


def _is_cheaper(new: Graph, old: Graph) -> bool:
    """Whether less is moved, and nothing else is dearer."""
    became, was = new.cost().known(), old.cost().known()
    less = became["traffic_bytes"] < was["traffic_bytes"]
    return less and all(became[name] <= was[name] for name in was)


def _drop(draft: Draft, n: Node) -> bool:
    """Leave out a permute or reshape that changes nothing."""
    same_order = n.op == "permute" and n.attributes["axes"] == tuple(range(len(n.outputs[0].shape)))
    same_shape = n.op == "reshape" and n.outputs[0].shape == draft.values[n.inputs[0]].shape
    if same_order or same_shape:
        draft.replace(n.outputs[0].name, n.inputs[0])
    return same_order or same_shape


def _join(draft: Draft, n: Node) -> bool:
    """Two permutes in a row are one, and so are two reshapes."""
    before = draft.made_by(n.inputs[0])
    if before is None or n.op != before.op or n.op not in ("permute", "reshape"):
        return False
    attributes = dict(n.attributes)
    if n.op == "permute":
        attributes = {"axes": tuple(before.attributes["axes"][i] for i in n.attributes["axes"])}
    draft.remake(n.name, n.op, [draft.values[before.inputs[0]]], **attributes)
    return True


def _sink_alone(draft: Draft, n: Node) -> bool:
    """Sink the permutes of an operation's inputs, if nothing else takes them: never dearer."""
    takers = [(set(draft.takers[name]), name in draft.outputs) for name in n.inputs]
    return takers == [({n.name}, False)] * len(n.inputs) and _sink(draft, n)


def _sink(draft: Draft, n: Node) -> bool:
    """Do an operation before the permutes of all its inputs, and permute what it gives."""
    permutes = [draft.made_by(name) for name in n.inputs]
    if not _can_sink(n, permutes):
        return False
    axes = next(p.attributes["axes"] for p in permutes if p is not None)
    attributes = dict(n.attributes)
    if "axis" in attributes:
        attributes["axis"] = axes[attributes["axis"]]
    inputs = [draft.values[p.inputs[0]] for p in permutes if p is not None]
    made = draft.remake(n.name, n.op, inputs, **attributes)
    after = draft.add(f"{n.name}.permute", "permute", made.outputs, axes=axes)
    draft.replace(n.name, after.name, but=after.name)
    return True


def _can_sink(n: Node, permutes: Sequence[Node | None]) -> bool:
    """Whether an operation works in any order of axes, and its inputs come in the same one."""
    if n.op not in (*ANY_ORDER, "concat", "softmax"):
        return False
    if any(p is None or p.op != "permute" for p in permutes):
        return False
    return len({p.attributes["axes"] for p in permutes if p is not None}) == 1
