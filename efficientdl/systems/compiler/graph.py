"""The graph that compilers read and rewrite: values with shapes, nodes of a closed set.

A value is made once, by an input, a constant or a node, and is known by its name. A node says which
operation takes which values. Nodes stand in an order in which they can run. Nothing here changes
once it is made: a pass returns a new graph, which shares its constants with the old one.

`check` tells a well-formed graph from another; `run` computes it, operation by operation, and is
what every rewriting is held against.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from jaxtyping import Shaped
from torch import Tensor

from efficientdl import _check
from efficientdl.report import Cost, Report
from efficientdl.systems.compiler.ops import OPS, Op, Shape, numel

Array = Shaped[Tensor, "..."]


@dataclass(frozen=True)
class Value:
    """A tensor of the graph: its name, its shape, the type of its numbers.

    >>> Value("x", (1, 3, 8, 8)).n_bytes
    768
    """

    name: str
    shape: Shape
    dtype: torch.dtype = torch.float32

    @property
    def n_bytes(self) -> int:
        """Bytes of the tensor, dense."""
        return numel(self.shape) * self.dtype.itemsize


@dataclass(frozen=True)
class Node:
    """One operation: `op` of the values `inputs`, giving `outputs`.

    Attributes:
        name: Its name, unlike any other node's.
        op: A key of `OPS`.
        inputs: Names of values, in the operation's order.
        attributes: All of the operation's attributes.
        outputs: The values that it makes. One alone has the node's name.
    """

    name: str
    op: str
    inputs: tuple[str, ...]
    attributes: Mapping[str, Any]
    outputs: tuple[Value, ...]

    @property
    def rule(self) -> Op:
        """What the operation is."""
        return OPS[self.op]

    def __str__(self) -> str:
        given = {k: v for k, v in self.attributes.items() if v != self.rule.defaults.get(k)}
        said = "".join(f", {k}={v}" for k, v in given.items())
        left = ", ".join(value.name for value in self.outputs)
        shapes = " ".join(str(value.shape) for value in self.outputs)
        return f"{left} = {self.op}({', '.join(self.inputs)}{said})  # {shapes}"


@dataclass(frozen=True, eq=False)
class Graph:
    """Inputs and constants, nodes in an order in which they can run, and the values given back.

    Attributes:
        inputs: What it takes.
        constants: Weights and other tensors that do not depend on the input, by name.
        nodes: The operations.
        outputs: Names of the values that it gives.

    >>> x = Value("x", (1, 4))
    >>> graph = Graph((x,), {}, (node("y", "relu", [x]),), ("y",))
    >>> print(graph)
    x: float32 (1, 4)
    y = relu(x)  # (1, 4)
    return y
    >>> graph.run(torch.tensor([[-1.0, 2.0, -3.0, 4.0]]))
    [tensor([[0., 2., 0., 4.]])]
    """

    inputs: tuple[Value, ...]
    constants: Mapping[str, Tensor] = field(repr=False)
    nodes: tuple[Node, ...]
    outputs: tuple[str, ...]

    def values(self) -> dict[str, Value]:
        """Every value by name, in the order in which they are made."""
        constants = (constant(name, t) for name, t in self.constants.items())
        made = (value for n in self.nodes for value in n.outputs)
        return {v.name: v for v in (*self.inputs, *constants, *made)}

    def run(self, *x: Array) -> list[Array]:
        """Compute the outputs, operation by operation, without gradients."""
        return run(self, *x)

    def example(self, rng: np.random.Generator) -> list[Array]:
        """Inputs drawn from a normal distribution."""
        drawn = ((rng.standard_normal(value.shape), value.dtype) for value in self.inputs)
        return [torch.from_numpy(np.asarray(array)).to(dtype) for array, dtype in drawn]

    def report(self) -> Report:
        """The cost of each node: weights, MACs, bytes alive while it runs, bytes that it moves.

        A weight belongs to the first node that takes it. A node reads each of its inputs once and
        writes its outputs once; a reshape moves nothing.
        """
        from efficientdl.systems.compiler.graph_cost import rows

        return Report(dict(rows(self)))

    def cost(self) -> Cost:
        """The cost of the whole graph; `activation_bytes` is its peak."""
        return self.report().total

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Graph):
            return NotImplemented
        parts = lambda g: (g.inputs, g.nodes, g.outputs, g.constants.keys())  # noqa: E731
        return parts(self) == parts(other) and all(
            _same(t, other.constants[name]) for name, t in self.constants.items()
        )

    __hash__ = None  # pyright: ignore[reportAssignmentType]

    def __str__(self) -> str:
        lines = [f"{v.name}: {str(v.dtype).removeprefix('torch.')} {v.shape}" for v in self.inputs]
        lines += [str(n) for n in self.nodes]
        return "\n".join([*lines, f"return {', '.join(self.outputs)}"])


def constant(name: str, tensor: Array) -> Value:
    """The value that a constant is."""
    return Value(name, tuple(tensor.shape), tensor.dtype)


def node(name: str, op: str, inputs: Sequence[Value], **attributes: Any) -> Node:  # noqa: ANN401
    """Make a node; its shape rule gives the outputs, the operation's defaults what is left out.

    Args:
        name: The node's name, and that of its output; several are `name.0`, `name.1`, ...
        op: A key of `OPS`.
        inputs: The values that it takes.
        attributes: The operation's attributes.

    >>> x, w = Value("x", (1, 3, 8, 8)), Value("w", (16, 3, 3, 3))
    >>> print(node("y", "conv2d", [x, w], stride=(2, 2), padding=(1, 1)))
    y = conv2d(x, w, stride=(2, 2), padding=(1, 1))  # (1, 16, 4, 4)
    """
    _check.one_of(f"node {name!r}", "op", op, OPS)
    given = {**OPS[op].defaults, **attributes}
    shapes = _shapes(name, op, inputs, given)
    names = [name] if len(shapes) == 1 else [f"{name}.{i}" for i in range(len(shapes))]
    dtype = inputs[0].dtype
    outputs = tuple(Value(n, shape, dtype) for n, shape in zip(names, shapes, strict=True))
    return Node(name, op, tuple(value.name for value in inputs), given, outputs)


def _shapes(name: str, op: str, inputs: Sequence[Value], attributes: Mapping[str, Any]) -> list:
    """The output shapes of a node, everything about it checked."""
    rule, where = OPS[op], f"{op} {name!r}"
    many = f"{rule.least} or more" if rule.most is None else f"{rule.least} to {rule.most}"
    if len(inputs) < rule.least or (rule.most is not None and len(inputs) > rule.most):
        _check.fail(where, "inputs", f"must be {many}", len(inputs))
    for key, value in attributes.items():
        _check.one_of(where, "attribute", key, rule.defaults)
        if value is ...:
            _check.fail(where, key, "must be given", value)
    if attributes.keys() != rule.defaults.keys():
        _check.fail(where, "attributes", f"must be {list(rule.defaults)}", list(attributes))
    dtypes = {value.dtype for value in inputs}
    if len(dtypes) > 1:
        _check.fail(where, "inputs", "must have one dtype", [str(v.dtype) for v in inputs])
    return rule.shapes(where, [value.shape for value in inputs], attributes)


def check(graph: Graph) -> None:
    """Demand a well-formed graph.

    Every name is made once and before it is taken; every node is of the closed set, with its
    attributes, and its outputs have the shapes that its rule gives; the outputs exist.

    Raises:
        BadValue: What is wrong first, with the node that it is wrong of.

    >>> check(Graph((), {}, (), ("y",)))
    Traceback (most recent call last):
    efficientdl._check.BadValue: check: output must be a value of the graph, got 'y'
    """
    _check.kind("check", "graph", graph, Graph)
    known: dict[str, Value] = {}
    _enter(known, graph.inputs)
    _enter(known, (constant(name, tensor) for name, tensor in graph.constants.items()))
    names: set[str] = set()
    for n in graph.nodes:
        _check.one_of(f"node {n.name!r}", "op", n.op, OPS)
        if n.name in names:
            _check.fail("check", "names of nodes", "must differ", n.name)
        names.add(n.name)
        _check_node(n, known)
        _enter(known, n.outputs)
    if not graph.outputs:
        _check.fail("check", "outputs", "must be one or more", graph.outputs)
    for name in graph.outputs:
        if name not in known:
            _check.fail("check", "output", "must be a value of the graph", name)


def _check_node(n: Node, known: Mapping[str, Value]) -> None:
    where = f"{n.op} {n.name!r}"
    for name in n.inputs:
        if name not in known:
            _check.fail(where, "input", "must be made before it is taken", name)
    shapes = _shapes(n.name, n.op, [known[name] for name in n.inputs], n.attributes)
    dtype = known[n.inputs[0]].dtype
    if [(v.shape, v.dtype) for v in n.outputs] != [(s, dtype) for s in shapes]:
        _check.fail(where, "outputs", f"must be {dtype} {shapes}", n.outputs)


def _enter(known: dict[str, Value], values: Iterable[Value]) -> None:
    for value in values:
        if value.name in known:
            _check.fail("check", "names of values", "must differ", value.name)
        known[value.name] = value


def run(graph: Graph, *x: Array) -> list[Array]:
    """Compute a graph: the interpreter that every rewriting is held against.

    The nodes run one after the other, and a value is dropped after its last use.

    Raises:
        BadValue: The graph is not well-formed, or the inputs are not of its shapes and dtypes.
    """
    check(graph)
    check_inputs("run", graph.inputs, x)
    held = {v.name: t for v, t in zip(graph.inputs, x, strict=True)} | dict(graph.constants)
    last = last_uses(graph)
    with torch.no_grad():
        for place, n in enumerate(graph.nodes):
            made = n.rule.run([held[name] for name in n.inputs], n.attributes)
            held |= {value.name: t for value, t in zip(n.outputs, made, strict=True)}
            for name in {*n.inputs, *(value.name for value in n.outputs)}:
                if last.get(name, -1) <= place:
                    del held[name]
    return [held[name] for name in graph.outputs]


def check_inputs(
    caller: str, wanted: Sequence[Value], x: Sequence[Array], *, device: str | None = None
) -> None:
    """Demand as many tensors as are wanted, of their shapes and dtypes, on any device or on one."""
    if len(x) != len(wanted):
        _check.fail(caller, "inputs", f"must be {len(wanted)}", len(x))
    where = f", on {device}" if device else ""
    for value, tensor in zip(wanted, x, strict=True):
        _check.kind(caller, value.name, tensor, Tensor)
        if constant(value.name, tensor) != value or device not in (None, tensor.device.type):
            got = (tuple(tensor.shape), tensor.dtype, str(tensor.device))
            _check.fail(caller, value.name, f"must be {value.dtype} {value.shape}{where}", got)


def last_uses(graph: Graph) -> dict[str, int]:
    """The place of the last node that takes each value; the number of nodes for an output.

    A value that nothing takes is not in it.
    """
    last = {name: place for place, n in enumerate(graph.nodes) for name in n.inputs}
    return last | dict.fromkeys(graph.outputs, len(graph.nodes))


def _same(ours: Array, theirs: Array) -> bool:
    if ours is theirs:
        return True
    if constant("", ours) != constant("", theirs) or ours.device != theirs.device:
        return False
    return not ours.is_meta and torch.equal(ours, theirs)  # two outlines hold nothing to compare
