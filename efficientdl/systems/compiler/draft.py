"""A graph while it is rewritten: nodes come and go by name, and `graph()` puts them in order."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from jaxtyping import Shaped
from torch import Tensor

from efficientdl.systems.compiler.graph import Graph, Node, Value, constant, node
from efficientdl.systems.compiler.names import unused


class Draft:
    """The working copy of a pass. The graph that it begins with stays as it is.

    >>> x = Value("x", (1, 4))
    >>> draft = Draft(Graph((x,), {}, (node("y", "relu", [x]),), ("y",)))
    >>> _ = draft.add("z", "tanh", [x])
    >>> draft.replace("y", "z")
    >>> print(draft.graph())
    x: float32 (1, 4)
    z = tanh(x)  # (1, 4)
    return z
    """

    def __init__(self, graph: Graph) -> None:
        self.inputs = graph.inputs
        self.constants = dict(graph.constants)
        self.nodes = {n.name: n for n in graph.nodes}
        self.outputs = graph.outputs
        self.values = graph.values()
        self.maker = {v.name: n.name for n in graph.nodes for v in n.outputs}
        self.takers: dict[str, list[str]] = {name: [] for name in self.values}
        for n in graph.nodes:
            for name in n.inputs:
                self.takers[name].append(n.name)

    def made_by(self, value: str) -> Node | None:
        """The node that makes a value; None for an input or a constant."""
        return self.nodes[self.maker[value]] if value in self.maker else None

    def is_taken_once(self, value: str) -> bool:
        """Whether one node takes a value, once, and it is not given back."""
        return len(self.takers[value]) == 1 and value not in self.outputs

    def new(self, name: str) -> str:
        """A name that neither a value nor a node has: the one proposed, or it with a number."""
        has = lambda n: n in self.values or n in self.nodes or f"{n}.0" in self.values  # noqa: E731
        return unused(name, has)

    def hold(self, name: str, tensor: Shaped[Tensor, "..."]) -> Value:
        """A new constant."""
        value = constant(self.new(name), tensor)
        self.constants[value.name], self.values[value.name] = tensor, value
        self.takers[value.name] = []
        return value

    def add(self, name: str, op: str, inputs: Sequence[Value], **attributes: Any) -> Node:  # noqa: ANN401
        """A new node, with a name that nothing has yet; what it makes is taken by none."""
        made = node(self.new(name), op, inputs, **attributes)
        self._enter(made)
        return made

    def _enter(self, made: Node) -> None:
        self.nodes[made.name] = made
        for value in made.outputs:
            self.values[value.name] = value
            self.maker[value.name] = made.name
            self.takers.setdefault(value.name, [])
        for name in made.inputs:
            self.takers[name].append(made.name)

    def remove(self, name: str) -> None:
        """Take a node out, and with it what it makes."""
        gone = self.nodes.pop(name)
        for value in gone.inputs:
            self.takers[value].remove(name)
        for value in gone.outputs:
            del self.maker[value.name], self.values[value.name]

    def merge(self, first: str, made: Node) -> None:
        """Put a node in the place of `first`, which goes, and so does the one of its name."""
        order = [made.name if name == first else name for name in self.nodes if name != made.name]
        for value in self.nodes[made.name].inputs:
            self.takers[value].remove(made.name)
        self.remove(first)
        for value in made.inputs:
            self.takers[value].append(made.name)
        self.nodes[made.name] = made
        self.nodes = {name: self.nodes[name] for name in order}

    def remake(self, name: str, op: str, inputs: Sequence[Value], **attributes: Any) -> Node:  # noqa: ANN401
        """Another node under the name of one that is there, for whoever took that one."""
        for value in self.nodes[name].inputs:
            self.takers[value].remove(name)
        made = node(name, op, inputs, **attributes)
        self._enter(made)
        return made

    def replace(self, old: str, new: str, *, but: str = "") -> None:
        """Let whoever takes a value take another one instead, but for one node."""
        for name in dict.fromkeys(self.takers[old]):
            if name == but:
                continue
            taker = self.nodes[name]
            inputs = tuple(new if value == old else value for value in taker.inputs)
            self.nodes[name] = replace(taker, inputs=inputs)
        self.takers[new] += [name for name in self.takers[old] if name != but]
        self.takers[old] = [name for name in self.takers[old] if name == but]
        self.outputs = tuple(new if value == old else value for value in self.outputs)

    def graph(self) -> Graph:
        """The graph as it is now: in an order in which it can run, without what nothing needs."""
        needed: dict[str, Node] = {}
        for output in self.outputs:
            self._visit(output, needed)
        ordered: dict[str, Node] = {}
        for name, n in self.nodes.items():  # as they stood; a new one just before it is taken
            if name in needed:
                self._visit(n.outputs[0].name, ordered)
        nodes = tuple(ordered.values())
        used = {name for n in nodes for name in n.inputs} | set(self.outputs)
        constants = {name: t for name, t in self.constants.items() if name in used}
        return Graph(self.inputs, constants, nodes, self.outputs)

    def _visit(self, output: str, ordered: dict[str, Node]) -> None:
        """Write down what makes a value, makers first; without recursion, for deep networks."""
        waiting, begun = [(output, False)], set[str]()
        while waiting:
            value, ready = waiting.pop()
            name = self.maker.get(value)
            if name is None or name in ordered:
                continue
            if ready:
                ordered[name] = self.nodes[name]
                continue
            assert name not in begun, f"a cycle goes through {name!r}: a pass is wrong"
            begun.add(name)
            waiting.append((value, True))
            waiting += [(taken, False) for taken in reversed(self.nodes[name].inputs)]
