"""Matrix products, in groups: what an array of multipliers knows how to do."""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from jaxtyping import Num

from efficientdl import _check


class Bits(NamedTuple):
    """Widths in bits of a word of the input, of a weight, and of a sum."""

    x: int = 8
    weight: int = 8
    y: int = 32


INT8 = Bits()


class Words(NamedTuple):
    """Distinct words of a layer: what moves when each is moved once."""

    x: int
    weight: int
    y: int


def check_bits(caller: str, bits: Bits) -> None:
    """Demand widths that a machine can have."""
    _check.kind(caller, "bits", bits, Bits)
    for name, width in bits._asdict().items():
        _check.whole(caller, f"bits.{name}", width, 1, 64)


@dataclass(frozen=True)
class Gemm:
    """`groups` products of an (m, k) by a (k, n) matrix, one after the other.

    Attributes:
        m: Rows of x: output pixels, tokens, or images of a batch.
        k: What is summed over: the window of a convolution, the features of a linear layer.
        n: Columns of w: filters.
        groups: Independent products of this shape.
        bits: Widths of the words.

    >>> Gemm(m=4, k=3, n=2, groups=5).macs
    120
    """

    m: int
    k: int
    n: int
    groups: int = 1
    bits: Bits = INT8

    def __post_init__(self) -> None:
        for name in ("m", "k", "n", "groups"):
            _check.whole("Gemm", name, getattr(self, name), 1)
        check_bits("Gemm", self.bits)

    @property
    def macs(self) -> int:
        """Multiply-accumulates."""
        return self.groups * self.m * self.k * self.n

    @property
    def words(self) -> Words:
        """Distinct words."""
        g, m, k, n = self.groups, self.m, self.k, self.n
        return Words(g * m * k, g * k * n, g * m * n)

    @property
    def x_shape(self) -> tuple[int, ...]:
        """Shape of the input: groups m k, or m k where there is one group."""
        return self._grouped(self.m, self.k)

    @property
    def weight_shape(self) -> tuple[int, ...]:
        """Shape of the weights: groups k n, or k n."""
        return self._grouped(self.k, self.n)

    def gemms(self) -> tuple["Gemm", ...]:
        """The matrix products of which the layer consists: itself."""
        return (self,)

    def lower(
        self, x: Num[np.ndarray, "*x"], weight: Num[np.ndarray, "*weight"]
    ) -> tuple[Num[np.ndarray, "g m k"], Num[np.ndarray, "g k n"]]:
        """The operands as groups of matrices."""
        check_operands("Gemm.lower", self, x, weight)
        return x.reshape(-1, self.m, self.k), weight.reshape(-1, self.k, self.n)

    def assemble(self, y: Num[np.ndarray, "g m n"]) -> Num[np.ndarray, "..."]:
        """The layer's output, from the products of its groups."""
        return y.reshape(self._grouped(self.m, self.n))

    def reference(
        self, x: Num[np.ndarray, "*x"], weight: Num[np.ndarray, "*weight"]
    ) -> Num[np.ndarray, "..."]:
        """What NumPy computes, in 64 bits: the truth that every machine is held against."""
        a, b = self.lower(x, weight)
        return self.assemble(wide(a) @ wide(b))

    def _grouped(self, *shape: int) -> tuple[int, ...]:
        return shape if self.groups == 1 else (self.groups, *shape)


class Shaped(Protocol):
    """A layer with operands of given shapes."""

    @property
    def x_shape(self) -> tuple[int, ...]: ...

    @property
    def weight_shape(self) -> tuple[int, ...]: ...


def check_operands(caller: str, layer: Shaped, x: object, weight: object) -> None:
    """Demand arrays of the layer's shapes, of finite numbers."""
    shapes = {"x": (x, layer.x_shape), "weight": (weight, layer.weight_shape)}
    for name, (array, shape) in shapes.items():
        _check.kind(caller, name, array, np.ndarray)
        if array.shape != shape:  # pyright: ignore[reportAttributeAccessIssue]
            _check.fail(caller, name, f"must have the shape {shape}", array.shape)  # pyright: ignore[reportAttributeAccessIssue]
        check_finite(caller, name, array)  # pyright: ignore[reportArgumentType]


def check_finite(caller: str, name: str, array: Num[np.ndarray, "..."]) -> None:
    """Demand whole or real numbers, none NaN or infinite; the first bad one is named."""
    if array.dtype.kind not in "iuf":
        raise _check.BadKind(f"{caller}: {name} must hold numbers, got {array.dtype}")
    if array.dtype.kind != "f":
        return
    bad = np.argwhere(~np.isfinite(array))
    if len(bad):
        place = tuple(int(i) for i in bad[0])
        _check.fail(caller, f"{name}{list(place)}", "must be finite", float(array[place]))


def wide(array: Num[np.ndarray, "..."]) -> Num[np.ndarray, "..."]:
    """The same numbers in 64 bits, so that no sum overflows that a machine could count."""
    return array.astype(np.float64 if array.dtype.kind == "f" else np.int64)
