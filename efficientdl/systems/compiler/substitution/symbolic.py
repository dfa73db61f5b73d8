"""Compute a graph on polynomials instead of numbers: graphs that agree are equal for all inputs.

Every input number is a variable. A convolution, a linear layer, a sum, a concatenation of
polynomials is polynomials again, with whole coefficients, and there is one way to write a
polynomial down. An activation is any function at all: of equal polynomials it gives the same new
variable. So where two graphs of one shape give the same polynomials, they are equal for every
input of this shape and every activation: a proof, not a test. What holds only for one activation,
as that a second ReLU does nothing, is not found.
"""

from collections.abc import Callable, Mapping
from itertools import product
from typing import Any

import numpy as np

from efficientdl import _check
from efficientdl.systems.compiler.graph import Graph
from efficientdl.systems.compiler.ops import ACTIVATIONS, Shape

Monomial = tuple[int, ...]  # numbers of variables, sorted; () is 1
Key = frozenset[tuple[Monomial, int]]


class Polynomial:
    """A polynomial with whole coefficients: `{monomial: coefficient}`, none of them zero.

    >>> x, y = Polynomial({(0,): 1}), Polynomial({(1,): 1})
    >>> ((x + y) * (x + y)).terms == {(0, 0): 1, (0, 1): 2, (1, 1): 1}
    True
    """

    __slots__ = ("terms",)

    def __init__(self, terms: Mapping[Monomial, int]) -> None:
        self.terms = {m: c for m, c in terms.items() if c}

    def __add__(self, other: "Polynomial") -> "Polynomial":
        terms = dict(self.terms)
        for monomial, c in other.terms.items():
            terms[monomial] = terms.get(monomial, 0) + c
        return Polynomial(terms)

    def __mul__(self, other: "Polynomial") -> "Polynomial":
        terms: dict[Monomial, int] = {}
        for (m, c), (n, d) in product(self.terms.items(), other.terms.items()):
            monomial = tuple(sorted(m + n))
            terms[monomial] = terms.get(monomial, 0) + c * d
        return Polynomial(terms)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Polynomial) and self.terms == other.terms

    __hash__ = None  # pyright: ignore[reportAssignmentType]

    def key(self) -> Key:
        """What two equal polynomials have in common."""
        return frozenset(self.terms.items())


ZERO = Polynomial({})


class Algebra:
    """Variables for inputs, and for activations of polynomials; shared by graphs to compare."""

    def __init__(self) -> None:
        self.numbers: dict[object, int] = {}

    def variable(self, what: object) -> Polynomial:
        """The variable that stands for something: always the same for the same thing."""
        return Polynomial({(self.numbers.setdefault(what, len(self.numbers)),): 1})

    def unknowns(self, name: str, shape: Shape) -> np.ndarray:
        """An array of variables."""
        out = np.empty(shape, dtype=object)
        for place in np.ndindex(shape):
            out[place] = self.variable((name, place))
        return out

    def activated(self, x: np.ndarray, activation: str | None) -> np.ndarray:
        """An activation of each polynomial, itself a variable."""
        if activation is None:
            return x
        out = np.empty(x.shape, dtype=object)
        for place in np.ndindex(x.shape):
            polynomial: Polynomial = x[place]  # pyright: ignore[reportAssignmentType]
            out[place] = self.variable((activation, polynomial.key()))
        return out

    def run(self, graph: Graph) -> list[np.ndarray]:
        """The outputs of a graph without constants, as arrays of polynomials."""
        held = {v.name: self.unknowns(v.name, v.shape) for v in graph.inputs}
        for n in graph.nodes:
            _check.one_of("Algebra.run", "op", n.op, [*RULES, *ACTIVATIONS])
            x = [held[name] for name in n.inputs]
            if n.op in ACTIVATIONS:
                made = [self.activated(x[0], n.op)]
            else:
                made = RULES[n.op](x, n.attributes)
                if n.attributes.get("activation"):
                    made = [self.activated(made[0], n.attributes["activation"])]
            held |= {v.name: array for v, array in zip(n.outputs, made, strict=True)}
        return [held[name] for name in graph.outputs]


def equal(left: Graph, right: Graph) -> bool:
    """Whether two graphs with the same inputs give the same polynomials.

    >>> from efficientdl.systems.compiler.graph import Value, node
    >>> x, y = Value("x", (1, 1)), Value("y", (1, 1))
    >>> one = Graph((x, y), {}, (node("sum", "add", [x, y]),), ("sum",))
    >>> equal(one, Graph((x, y), {}, (node("sum", "add", [y, x]),), ("sum",)))
    True
    """
    algebra = Algebra()
    pairs = zip(algebra.run(left), algebra.run(right), strict=True)
    return all(a.shape == b.shape and bool(np.all(a == b)) for a, b in pairs)


def _conv2d(x: list[np.ndarray], a: Mapping[str, Any]) -> list[np.ndarray]:
    """The definition: each output is a sum over input channels and places in the kernel."""
    data, weight, *bias = x
    (n, c_in, h, w), (c_out, c_group, r, s) = data.shape, weight.shape
    (down, right), (top, left), (dr, ds) = a["stride"], a["padding"], a["dilation"]
    p = (h + 2 * top - dr * (r - 1) - 1) // down + 1
    q = (w + 2 * left - ds * (s - 1) - 1) // right + 1
    out = np.empty((n, c_out, p, q), dtype=object)
    for image, o, i, j in np.ndindex(n, c_out, p, q):
        total = bias[0][o] if bias else ZERO
        first = o // (c_out // a["groups"]) * (c_in // a["groups"])
        for c, u, v in np.ndindex(c_group, r, s):
            row, column = i * down + u * dr - top, j * right + v * ds - left
            if 0 <= row < h and 0 <= column < w:
                total = total + data[image, first + c, row, column] * weight[o, c, u, v]
        out[image, o, i, j] = total
    return [out]


def _linear(x: list[np.ndarray], _: Mapping[str, Any]) -> list[np.ndarray]:
    data, weight, *bias = x
    out = np.dot(data, weight.T)
    return [out + bias[0] if bias else out]


def _add(x: list[np.ndarray], _: Mapping[str, Any]) -> list[np.ndarray]:
    return [x[0] + x[1]]


def _concat(x: list[np.ndarray], a: Mapping[str, Any]) -> list[np.ndarray]:
    return [np.concatenate(x, axis=a["axis"])]


def _split(x: list[np.ndarray], a: Mapping[str, Any]) -> list[np.ndarray]:
    return np.split(x[0], np.cumsum(a["sizes"])[:-1], axis=a["axis"])


def _pad(x: list[np.ndarray], a: Mapping[str, Any]) -> list[np.ndarray]:
    if a["value"] != 0.0:
        _check.fail("Algebra.run", "padding", "must be zeros", a["value"])
    inner = tuple(slice(b, b + n) for (b, _), n in zip(a["widths"], x[0].shape, strict=True))
    out = np.empty([b + n + e for (b, e), n in zip(a["widths"], x[0].shape, strict=True)], object)
    out.fill(ZERO)
    out[inner] = x[0]
    return [out]


RULES: dict[str, Callable[[list[np.ndarray], Mapping[str, Any]], list[np.ndarray]]] = {
    "conv2d": _conv2d,
    "linear": _linear,
    "add": _add,
    "concat": _concat,
    "split": _split,
    "pad": _pad,
}
