"""What stands between the products of an integer network: sums, pools, clamps, on codes alone.

A maximum and a clamp keep the scale that they find. A sum or a mean of codes with several scales
gets one fixed-point factor for each, and is rounded once.
"""

from collections.abc import Sequence
from typing import ClassVar

import torch
from jaxtyping import Float, Int8
from torch import Tensor, nn

from efficientdl.models.layers.activation_codes import ActivationCodes, KeepsCodes
from efficientdl.models.layers.integer import Geometry
from efficientdl.tensors.fixed_point import (
    common_shift,
    fixed_point,
    rescale,
    saturate,
    sum_of_scaled,
)


class IntegerAdd(KeepsCodes):
    """Add activations of different scales, as a residual connection does.

    Args:
        xs: What the codes of each input stand for.
        y: What those of the sum stand for.

    >>> halves, units = ActivationCodes(0.5, 0), ActivationCodes(1.0, 10)
    >>> a, b = torch.tensor([[3], [12]], dtype=torch.int8)
    >>> IntegerAdd((halves, units), units)(a, b)  # 1.5 + 2.0, and a half is rounded up
    tensor([14], dtype=torch.int8)
    """

    kept: ClassVar[tuple[str, ...]] = ("xs", "y")

    def __init__(self, xs: Sequence[ActivationCodes], y: ActivationCodes) -> None:
        super().__init__()
        self.xs, self.y = tuple(xs), y
        self.derive()

    def derive(self) -> None:
        """A factor for each input, over one power of two."""
        factors = torch.tensor([x.scale / self.y.scale for x in self.xs], dtype=torch.float64)
        self.multipliers, self.shift = common_shift(factors)

    def forward(self, *xs: Int8[Tensor, "*shape"]) -> Int8[Tensor, "*shape"]:
        steps = tuple(codes.steps(x) for codes, x in zip(self.xs, xs, strict=True))
        total = sum_of_scaled(steps, self.multipliers, self.shift)
        return _as_codes(total, self.y)


class IntegerConcat(KeepsCodes):
    """Put activations of different scales side by side, as channels.

    Args:
        xs: What the codes of each input stand for.
        y: What those of the output stand for.
    """

    kept: ClassVar[tuple[str, ...]] = ("xs", "y")

    def __init__(self, xs: Sequence[ActivationCodes], y: ActivationCodes) -> None:
        super().__init__()
        self.xs, self.y = tuple(xs), y
        self.derive()

    def derive(self) -> None:
        """A factor for each input."""
        factors = torch.tensor([x.scale / self.y.scale for x in self.xs], dtype=torch.float64)
        self.factors = [fixed_point(factor) for factor in factors]

    def forward(self, *xs: Int8[Tensor, "n _ ..."]) -> Int8[Tensor, "n c ..."]:
        triples = zip(self.xs, self.factors, xs, strict=True)
        parts = [_as_codes(rescale(x.steps(q), m), self.y) for x, m, q in triples]
        return torch.cat(parts, dim=1)


class IntegerAveragePool(KeepsCodes):
    """Mean over windows: a sum of steps, and one factor that divides and changes the scale.

    Args:
        geometry: How the window moves; a border counts as zeros.
        x: What the codes of the input stand for.
        y: What those of the output stand for.
        keeps_axes: Whether height and width stay, as axes of one pixel where they are averaged.
    """

    kept: ClassVar[tuple[str, ...]] = ("x", "y")

    def __init__(
        self,
        geometry: Geometry,
        *,
        x: ActivationCodes,
        y: ActivationCodes,
        keeps_axes: bool = True,
    ) -> None:
        super().__init__()
        self.geometry, self.x, self.y, self.keeps_axes = geometry, x, y, keeps_axes
        self.derive()

    def derive(self) -> None:
        """One factor, which divides by the size of a window too."""
        rows, columns = self.geometry.kernel
        one = self.x.scale / self.y.scale / (rows * columns)
        share = torch.tensor(one, dtype=torch.float64)
        self.factor = fixed_point(share)

    def forward(self, x: Int8[Tensor, "n c h w"]) -> Int8[Tensor, "n c ..."]:
        windows = self.geometry.windows(x, border=self.x.zero_point)
        total = self.x.steps(windows).sum(dim=(-2, -1), dtype=torch.int32)
        y = _as_codes(rescale(total, self.factor), self.y)
        return y if self.keeps_axes else y.flatten(1)


class IntegerMaxPool(nn.Module):
    """Largest code of each window; the scale stays.

    Args:
        geometry: How the window moves; a border never wins.
    """

    def __init__(self, geometry: Geometry) -> None:
        super().__init__()
        self.geometry = geometry

    def forward(self, x: Int8[Tensor, "n c h w"]) -> Int8[Tensor, "n c p q"]:
        return self.geometry.windows(x, border=-128).amax(dim=(-2, -1))


class IntegerClamp(KeepsCodes):
    """A ReLU or ReLU6 that stands behind no sum of its own; the scale stays.

    Args:
        y: What the codes stand for, and which of them it lets through.
    """

    kept: ClassVar[tuple[str, ...]] = ("y",)

    def __init__(self, y: ActivationCodes) -> None:
        super().__init__()
        self.y = y

    def forward(self, x: Int8[Tensor, "*shape"]) -> Int8[Tensor, "*shape"]:
        return x.clamp(self.y.lowest, self.y.highest)


class IntegerReshape(nn.Module):
    """The same codes in another shape; the batch stays.

    Args:
        shape: The shape of one example.
    """

    def __init__(self, shape: Sequence[int]) -> None:
        super().__init__()
        self.shape = tuple(shape)

    def forward(self, x: Int8[Tensor, "n ..."]) -> Int8[Tensor, "n ..."]:
        return x.reshape(len(x), *self.shape)


class ToCodes(KeepsCodes):
    """From floats to codes: where an integer network begins.

    Args:
        codes: What the codes stand for.
    """

    kept: ClassVar[tuple[str, ...]] = ("codes",)

    def __init__(self, codes: ActivationCodes) -> None:
        super().__init__()
        self.codes = codes

    def forward(self, x: Float[Tensor, "*shape"]) -> Int8[Tensor, "*shape"]:
        places = x / self.codes.scale + self.codes.zero_point
        return places.round().clamp(self.codes.lowest, self.codes.highest).to(torch.int8)


class FromCodes(KeepsCodes):
    """From codes to floats: where an integer network ends.

    Args:
        codes: What the codes stand for.
    """

    kept: ClassVar[tuple[str, ...]] = ("codes",)

    def __init__(self, codes: ActivationCodes) -> None:
        super().__init__()
        self.codes = codes

    def forward(self, x: Int8[Tensor, "*shape"], dtype: torch.dtype) -> Float[Tensor, "*shape"]:
        return self.codes.steps(x).to(dtype) * self.codes.scale


class IntegerNetwork(nn.Module):
    """Steps on codes, one after another, between a float picture and float scores.

    Args:
        steps: Name, module, and the values that it takes: 0 is the input, `i` the output of
            step `i`; the last output is the network's. A dot in a name makes a folder.
        x: What the codes of the input stand for.
        y: What those of the output stand for.
    """

    def __init__(
        self,
        steps: Sequence[tuple[str, nn.Module, tuple[int, ...]]],
        *,
        x: ActivationCodes,
        y: ActivationCodes,
    ) -> None:
        super().__init__()
        self.to_codes = ToCodes(x)
        self.wires = [(name, takes) for name, _, takes in steps]
        for name, module, _ in steps:
            _place(self, name, module)
        self.from_codes = FromCodes(y)

    def integers(self, codes: Int8[Tensor, "n ..."]) -> Int8[Tensor, "n ..."]:
        """From the input's codes to the output's: not one float on the way."""
        values: list[Tensor] = [codes]
        for name, takes in self.wires:
            values.append(self.get_submodule(name)(*(values[i] for i in takes)))
        return values[-1]

    def forward(self, x: Float[Tensor, "n ..."]) -> Float[Tensor, "n ..."]:
        return self.from_codes(self.integers(self.to_codes(x)), x.dtype)


def _place(root: nn.Module, name: str, module: nn.Module) -> None:
    """Put a module where its name says, in modules that only hold others."""
    *above, last = name.split(".")
    for part in above:
        if part not in root._modules:
            root.add_module(part, nn.Module())
        root = root.get_submodule(part)
    root.add_module(last, module)


def _as_codes(steps: Tensor, y: ActivationCodes) -> Int8[Tensor, "..."]:
    return saturate(steps, y.zero_point, lowest=y.lowest, highest=y.highest)
