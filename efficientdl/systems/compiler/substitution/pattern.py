"""Patterns: the two sides of a substitution rule, as small programs over data and filters.

A rule speaks of two kinds of things: data (n c ...), called x, y, z, and filters, the weight and
bias of a product, called f, g. A pattern is a list of steps. `build` writes a pattern down as nodes
of the graph, in one setting: with this convolution, or that linear layer.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from efficientdl import _check
from efficientdl.systems.compiler.graph import Value

# How the channels of data came together: a number, or the two trees that were concatenated.
Tree = int | tuple["Tree", "Tree"]
Ref = str | tuple[int, int]  # a variable, or an output of a step: (step, place)

DATA, FILTERS = ("x", "y", "z"), ("f", "g")


@dataclass(frozen=True)
class Data:
    """Data with channels along axis 1, and how they came together."""

    value: Value
    tree: Tree


@dataclass(frozen=True)
class Filters:
    """Weight (c_out, c_in, ...) and bias of a product, and how the c_out came together."""

    weight: Value
    bias: Value | None
    tree: Tree


Thing = Data | Filters


@dataclass(frozen=True)
class Product:
    """What `apply` means in one setting.

    Attributes:
        op: `conv2d` or `linear`.
        attributes: Its attributes, without an activation.
        activation: What `act` and `apply_act` mean.
    """

    op: str
    attributes: Mapping[str, Any]
    activation: str


class Emit(Protocol):
    """Makes a node and gives its outputs."""

    def __call__(
        self,
        op: str,
        inputs: Sequence[Value],
        **attributes: Any,  # noqa: ANN401
    ) -> tuple[Value, ...]: ...


@dataclass(frozen=True)
class Step:
    """One operation of a pattern."""

    op: str
    args: tuple[Ref, ...]


@dataclass(frozen=True)
class Pattern:
    """Steps, and which of what they give is given back.

    >>> two = Pattern((Step("apply", ("x", "f")), Step("act", ((0, 0),))), ((1, 0),))
    >>> print(two)
    act(apply(x, f))
    """

    steps: tuple[Step, ...]
    outputs: tuple[Ref, ...]

    def variables(self) -> tuple[str, ...]:
        """The variables, in the order in which they are first met."""
        refs = [ref for step in self.steps for ref in step.args] + list(self.outputs)
        return tuple(dict.fromkeys(ref for ref in refs if isinstance(ref, str)))

    def __str__(self) -> str:
        return ", ".join(map(self._text, self.outputs))

    def _text(self, ref: Ref) -> str:
        if isinstance(ref, str):
            return ref
        step = self.steps[ref[0]]
        inside = ", ".join(map(self._text, step.args))
        return f"{step.op}({inside})" + (f"[{ref[1]}]" if step.op == "split" else "")


def parse(text: str) -> Pattern:
    """Read a pattern as it is printed: `act(apply(x, f))`; what is written twice is one step.

    >>> print(parse("act(apply(x, f)), apply(x, g)"))
    act(apply(x, f)), apply(x, g)

    Raises:
        BadValue: The text is not a pattern.
    """
    steps: list[Step] = []
    words = re.findall(r"[a-z_]+|[^\sa-z_]", text)

    def expect(word: str) -> None:
        if not words or words.pop(0) != word:
            _check.fail("parse", "pattern", f"must have {word!r} at each such place", text)

    def term() -> Ref:
        word = words.pop(0) if words else ""
        if word in (*DATA, *FILTERS):
            return word
        _check.one_of("parse", "step", word, TAKES)
        expect("(")
        args = [term()]
        for _ in TAKES[word][1:]:
            expect(",")
            args.append(term())
        expect(")")
        step = Step(word, tuple(args))
        if step not in steps:
            steps.append(step)
        return steps.index(step), _place(words, expect) if word == "split" else 0

    outputs = [term()]
    while words:
        expect(",")
        outputs.append(term())
    return Pattern(tuple(steps), tuple(outputs))


def _place(words: list[str], expect: Callable[[str], None]) -> int:
    """Which part of a split is meant: `[0]` or `[1]`."""
    expect("[")
    place = 1 if words and words[0] == "1" else 0
    expect(str(place))
    expect("]")
    return place


def size(tree: Tree) -> int:
    """How many channels a tree has."""
    return tree if isinstance(tree, int) else size(tree[0]) + size(tree[1])


def build(pattern: Pattern, given: Mapping[str, Thing], product: Product, emit: Emit) -> list[Data]:
    """Write a pattern down as nodes; what its outputs are.

    Args:
        pattern: What to write.
        given: A thing for each variable.
        product: What `apply` means.
        emit: Makes the nodes.

    Raises:
        BadValue: The pattern does not fit these shapes.
    """
    made: list[tuple[Thing, ...]] = []

    def thing(ref: Ref) -> Thing:
        return given[ref] if isinstance(ref, str) else made[ref[0]][ref[1]]

    for step in pattern.steps:  # not a comprehension: each step looks at those before it
        made += [STEPS[step.op](product, emit, *map(thing, step.args))]
    outputs = [thing(ref) for ref in pattern.outputs]
    assert all(isinstance(out, Data) for out in outputs)
    return outputs  # pyright: ignore[reportReturnType]


def _apply(p: Product, emit: Emit, x: Data, f: Filters, **more: Any) -> tuple[Thing, ...]:  # noqa: ANN401
    inputs = [x.value, f.weight, *([] if f.bias is None else [f.bias])]
    (out,) = emit(p.op, inputs, **{**p.attributes, **more})
    return (Data(out, f.tree),)


def _apply_act(p: Product, emit: Emit, x: Data, f: Filters) -> tuple[Thing, ...]:
    return _apply(p, emit, x, f, activation=p.activation)


def _apply_wide(p: Product, emit: Emit, x: Data, f: Filters) -> tuple[Thing, ...]:
    """The same convolution with filters that are enlarged by a rim of zeros."""
    _conv_only(p)
    pairs = zip(p.attributes["padding"], p.attributes["dilation"], strict=True)
    return _apply(p, emit, x, f, padding=tuple(padding + d for padding, d in pairs))


def _conv_only(p: Product) -> None:
    if p.op != "conv2d":
        _check.fail("build", "product", "must be a convolution to be enlarged", p.op)


def _act(p: Product, emit: Emit, x: Data) -> tuple[Thing, ...]:
    return (Data(emit(p.activation, [x.value])[0], x.tree),)


def _add(_: Product, emit: Emit, x: Data, y: Data) -> tuple[Thing, ...]:
    if x.value.shape != y.value.shape:
        _check.fail("build", "terms", "must have one shape", (x.value.shape, y.value.shape))
    tree = y.tree if isinstance(x.tree, int) else x.tree
    return (Data(emit("add", [x.value, y.value])[0], tree),)


def _concat(_: Product, emit: Emit, x: Data, y: Data) -> tuple[Thing, ...]:
    return (Data(emit("concat", [x.value, y.value], axis=1)[0], (x.tree, y.tree)),)


def _split(_: Product, emit: Emit, x: Data) -> tuple[Thing, ...]:
    if isinstance(x.tree, int):
        _check.fail("build", "channels", "must have come together from two", x.tree)
    sizes = (size(x.tree[0]), size(x.tree[1]))
    parts = emit("split", [x.value], axis=1, sizes=sizes)
    return tuple(Data(part, tree) for part, tree in zip(parts, x.tree, strict=True))


def _biases(f: Filters, g: Filters) -> list[Value]:
    if (f.bias is None) != (g.bias is None):
        _check.fail("build", "biases", "must be there for both or for neither", None)
    return [value for value in (f.bias, g.bias) if value is not None]


def _stack(_: Product, emit: Emit, f: Filters, g: Filters) -> tuple[Thing, ...]:
    """Filters that give the outputs of both, one after the other."""
    weight = emit("concat", [f.weight, g.weight], axis=0)[0]
    biases = _biases(f, g)
    bias = emit("concat", biases, axis=0)[0] if biases else None
    return (Filters(weight, bias, (f.tree, g.tree)),)


def _join(_: Product, emit: Emit, f: Filters, g: Filters) -> tuple[Thing, ...]:
    """Filters that take the inputs of both, and give the sum of their outputs."""
    return (_summed(emit, emit("concat", [f.weight, g.weight], axis=1)[0], f, g),)


def _sum(_: Product, emit: Emit, f: Filters, g: Filters) -> tuple[Thing, ...]:
    """Filters that give the sum of the outputs of both."""
    if f.weight.shape != g.weight.shape:
        _check.fail("build", "weights", "must have one shape", (f.weight.shape, g.weight.shape))
    return (_summed(emit, emit("add", [f.weight, g.weight])[0], f, g),)


def _summed(emit: Emit, weight: Value, f: Filters, g: Filters) -> Filters:
    biases = _biases(f, g)
    return Filters(weight, emit("add", biases)[0] if biases else None, f.tree)


def _enlarge(p: Product, emit: Emit, f: Filters) -> tuple[Thing, ...]:
    """Filters with a rim of zeros around each kernel."""
    _conv_only(p)
    (weight,) = emit("pad", [f.weight], widths=((0, 0), (0, 0), (1, 1), (1, 1)))
    return (Filters(weight, f.bias, f.tree),)


STEPS: dict[str, Callable[..., tuple[Thing, ...]]] = {
    "apply": _apply,
    "apply_act": _apply_act,
    "apply_wide": _apply_wide,
    "act": _act,
    "add": _add,
    "concat": _concat,
    "split": _split,
    "stack": _stack,
    "join": _join,
    "sum": _sum,
    "enlarge": _enlarge,
}

# What each step takes: d for data, f for filters. An order that does not matter has one form.
TAKES = {
    "apply": "df",
    "apply_act": "df",
    "apply_wide": "df",
    "act": "d",
    "add": "dd",
    "concat": "dd",
    "split": "d",
    "stack": "ff",
    "join": "ff",
    "sum": "ff",
    "enlarge": "f",
}
COMMUTE = ("add", "sum")
OF_FILTERS = ("stack", "join", "sum", "enlarge")
