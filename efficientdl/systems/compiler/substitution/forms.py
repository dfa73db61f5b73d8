"""Two forms of a graph: concatenations two by two, for matching, and all at once, for running."""

from efficientdl.systems.compiler.draft import Draft
from efficientdl.systems.compiler.graph import Graph, Node

COMMUTE = ("add", "mul")


def two_by_two(graph: Graph) -> Graph:
    """The graph with every concatenation and split in a chain of those of two.

    Rules speak of two things at a time. The chain computes the same, and `at_once` undoes it.
    """
    draft = Draft(graph)
    for n in graph.nodes:
        if n.op == "concat" and len(n.inputs) > 2:
            first, *others, last = n.inputs
            held = draft.values[first]
            for name in others:
                inputs = [held, draft.values[name]]
                held = draft.add(f"{n.name}.two", "concat", inputs, **n.attributes).outputs[0]
            draft.remake(n.name, "concat", [held, draft.values[last]], **n.attributes)
        elif n.op == "split" and len(n.outputs) > 2:
            _split_two_by_two(draft, n)
    return draft.graph()


def _split_two_by_two(draft: Draft, n: Node) -> None:
    rest, sizes = draft.values[n.inputs[0]], n.attributes["sizes"]
    for i, out in enumerate(n.outputs[:-1]):
        parts = (sizes[i], sum(sizes[i + 1 :]))
        axis = n.attributes["axis"]
        two = draft.add(f"{n.name}.two", "split", [rest], axis=axis, sizes=parts)
        draft.replace(out.name, two.outputs[0].name)
        rest = two.outputs[1]
    draft.replace(n.outputs[-1].name, rest.name)


def at_once(graph: Graph) -> Graph:
    """The graph with concatenations of concatenations, and splits of splits, as one."""
    while (flatter := _flatten_one(graph)) is not None:
        graph = flatter
    return graph


def _flatten_one(graph: Graph) -> Graph | None:
    op_of = {value.name: n.op for n in graph.nodes for value in n.outputs}
    nested = (n for n in graph.nodes if n.op in ("concat", "split"))
    if not any(op_of.get(name) == n.op for n in nested for name in n.inputs):
        return None
    draft = Draft(graph)
    changed = False
    for n in graph.nodes:
        n = draft.nodes.get(n.name, n)  # as it is by now
        if n.op == "concat":
            changed |= _flatten_concat(draft, n)
        elif n.op == "split" and n.name in draft.nodes:
            changed |= _flatten_split(draft, n)
    return draft.graph() if changed else None


def _flatten_concat(draft: Draft, n: Node) -> bool:
    """Take what a concatenation takes, where nobody else takes that."""
    inputs: list[str] = []
    for name in n.inputs:
        inner = draft.made_by(name)
        alike = inner is not None and (inner.op, inner.attributes) == ("concat", n.attributes)
        inputs += inner.inputs if inner and alike and draft.is_taken_once(name) else [name]
    if len(inputs) == len(n.inputs):
        return False
    draft.remake(n.name, "concat", [draft.values[name] for name in inputs], **n.attributes)
    return True


def _flatten_split(draft: Draft, n: Node) -> bool:
    """Split at once what a split of a split gives."""
    outer = draft.made_by(n.inputs[0])
    axis = n.attributes["axis"]
    if outer is None or outer.op != "split" or outer.attributes["axis"] != axis:
        return False
    if not draft.is_taken_once(n.inputs[0]):
        return False
    place = [value.name for value in outer.outputs].index(n.inputs[0])
    sizes = [*outer.attributes["sizes"]]
    sizes[place : place + 1] = n.attributes["sizes"]
    inputs = [draft.values[outer.inputs[0]]]
    made = draft.add(outer.name, "split", inputs, axis=axis, sizes=tuple(sizes))
    old = [value.name for value in outer.outputs]
    old[place : place + 1] = [value.name for value in n.outputs]
    for before, after in zip(old, made.outputs, strict=True):
        draft.replace(before, after.name)
    draft.remove(n.name)
    draft.remove(outer.name)
    return True


def structure(graph: Graph) -> int:
    """A number that two graphs share when they compute the same in the same way.

    Names of nodes do not matter, nor does their order, nor that of two terms or factors.
    """
    keys = {name: hash(("given", name)) for name in graph.values()}
    for n in graph.nodes:
        taken = [keys[name] for name in n.inputs]
        inputs = tuple(sorted(taken) if n.op in COMMUTE else taken)
        what = (n.op, tuple(sorted(n.attributes.items())), inputs)
        keys |= {value.name: hash((what, i)) for i, value in enumerate(n.outputs)}
    return hash(tuple(keys[name] for name in graph.outputs))
