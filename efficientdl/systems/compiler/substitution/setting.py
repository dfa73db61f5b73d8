"""Settings: small shapes and parameters on which patterns are computed and compared."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from efficientdl import _check
from efficientdl.systems.compiler.graph import Graph, Node, Value, node
from efficientdl.systems.compiler.substitution.pattern import (
    Data,
    Filters,
    Pattern,
    Product,
    Thing,
    Tree,
    build,
)

Draw = Callable[[tuple[int, ...]], np.ndarray]


@dataclass(frozen=True)
class Setting:
    """The shapes of x, y, z, f and g, and what the product is.

    Attributes:
        op: `conv2d` or `linear`.
        picture: (n, h, w); of a linear layer h and w are not used.
        data: Channels of x, of y, and of the two parts of z.
        filters: (c_out, c_in) of f, and of g.
        kernel: Rows and columns of the filters.
        stride: Of a convolution.
        padding: Of a convolution.
        groups: Of a convolution.
        activation: What `act` means.
        has_bias: Whether the filters have one.
    """

    op: str = "conv2d"
    picture: tuple[int, int, int] = (1, 3, 3)
    data: tuple[int, int, int, int] = (2, 2, 2, 2)
    filters: tuple[tuple[int, int], tuple[int, int]] = ((2, 2), (2, 2))
    kernel: tuple[int, int] = (3, 3)
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (1, 1)
    groups: int = 1
    activation: str = "relu"
    has_bias: bool = True

    @property
    def product(self) -> Product:
        """What `apply` means here."""
        attributes: dict[str, Any] = {}
        if self.op == "conv2d":
            attributes = {"stride": self.stride, "padding": self.padding, "dilation": (1, 1)}
            attributes["groups"] = self.groups
        return Product(self.op, attributes, self.activation)

    def things(self) -> dict[str, Thing]:
        """A thing for each variable."""
        n, h, w = self.picture
        place = (h, w) if self.op == "conv2d" else ()
        x, y, left, right = self.data
        trees: dict[str, Tree] = {"x": x, "y": y, "z": (left, right)}
        data = {
            name: Data(_value(name, (n, total, *place)), trees[name])
            for name, total in (("x", x), ("y", y), ("z", left + right))
        }
        kernel = self.kernel if self.op == "conv2d" else ()
        filters = {}
        for name, (c_out, c_in) in zip("fg", self.filters, strict=True):
            weight = _value(f"{name}.weight", (c_out, c_in // self.groups, *kernel))
            bias = _value(f"{name}.bias", (c_out,)) if self.has_bias else None
            filters[name] = Filters(weight, bias, c_out)
        return {**data, **filters}

    def values(self) -> list[Value]:
        """All tensors that the things are made of."""
        found: list[Value] = []
        for thing in self.things().values():
            if isinstance(thing, Data):
                found.append(thing.value)
            else:
                found += [v for v in (thing.weight, thing.bias) if v is not None]
        return found

    def graph(self, pattern: Pattern) -> Graph | None:
        """A pattern as a graph with every tensor as an input; None where it does not fit."""
        nodes: list[Node] = []

        def emit(op: str, inputs: Sequence[Value], **attributes: Any) -> tuple[Value, ...]:  # noqa: ANN401
            nodes.append(node(f"n{len(nodes)}", op, inputs, **attributes))
            return nodes[-1].outputs

        try:
            outputs = build(pattern, self.things(), self.product, emit)
        except _check.BadValue:
            return None  # this is the question: does the pattern fit these shapes?
        names = tuple(data.value.name for data in outputs)
        return Graph(tuple(self.values()), {}, tuple(nodes), names)

    def inputs(self, draw: Draw) -> list[Tensor]:
        """Numbers for every tensor."""
        return [torch.from_numpy(draw(value.shape)) for value in self.values()]


def _value(name: str, shape: tuple[int, ...]) -> Value:
    return Value(name, shape, torch.float64)


def whole_numbers(rng: np.random.Generator, *, most: int) -> Draw:
    """Draw whole numbers from -most to most, as float64: small sums of products are exact."""
    return lambda shape: rng.integers(-most, most, shape, endpoint=True).astype(np.float64)


def real_numbers(rng: np.random.Generator) -> Draw:
    """Draw from a normal distribution."""
    return lambda shape: rng.standard_normal(shape)
