"""What stands between the products of an integer network: sums, pools, clamps, on codes alone.

A maximum and a clamp keep the scale that they find. A sum or a mean of codes with several scales
gets one fixed-point factor for each, and is rounded once.
"""

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float, Int8
from torch import Tensor, nn

from efficientdl.kernels.low_bit.int8_encode import Levels, int8_encode
from efficientdl.kernels.low_bit.int8_pool import int8_max_pool, int8_mean_pool
from efficientdl.kernels.low_bit.int8_sum import ScaledSum, int8_look_up, int8_sum
from efficientdl.kernels.window import Window
from efficientdl.models.layers.activation_codes import ActivationCodes, KeepsCodes
from efficientdl.models.layers.integer import Geometry
from efficientdl.tensors.fixed_point import (
    common_shift,
    fixed_point,
    rescale,
    saturate,
)

Codes = Int8[np.ndarray, "..."]


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
        if xs[0].is_meta:
            return torch.empty_like(xs[0])
        zero_points = tuple(codes.zero_point for codes in self.xs)
        by = ScaledSum(self.multipliers, zero_points, self.shift, *self.y[1:])
        return _in_memory_order(lambda *flat: int8_sum(flat, by), xs)


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
        """A factor for each input, and the new code of each code."""
        factors = torch.tensor([x.scale / self.y.scale for x in self.xs], dtype=torch.float64)
        self.factors = [fixed_point(factor) for factor in factors]
        every = torch.arange(-128, 128, dtype=torch.int8)  # each has 256 codes, done beforehand
        pairs = zip(self.xs, self.factors, strict=True)
        found = [_as_codes(rescale(x.steps(every), m), self.y) for x, m in pairs]
        self.tables = [table.numpy() for table in found]

    def forward(self, *xs: Int8[Tensor, "n _ ..."]) -> Int8[Tensor, "n c ..."]:
        pairs = zip(xs, self.tables, strict=True)
        return torch.cat([x if x.is_meta else _looked_up(x, table) for x, table in pairs], dim=1)


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
        if x.is_meta:
            y = _shape_alone(x, self.geometry)
        else:
            to = (int(self.factor.multiplier), int(self.factor.shift), *self.y[1:])
            kernel, window = _of(self.geometry)
            found = int8_mean_pool(x.numpy(force=True), kernel, window, self.x.zero_point, to)
            y = torch.from_numpy(found).to(x.device)
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
        if x.is_meta:
            return _shape_alone(x, self.geometry)
        found = int8_max_pool(x.numpy(force=True), *_of(self.geometry))
        return torch.from_numpy(found).to(x.device)


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
        if x.dtype == torch.float32 and x.ndim == 4 and not x.is_meta:
            codes = int8_encode(x.numpy(force=True), Levels(*self.codes))
            return torch.from_numpy(codes).to(x.device)
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
            step = attrgetter(name)(self)  # as get_submodule, which takes longer
            values.append(step(*(values[i] for i in takes)))
        return values[-1]

    def forward(self, x: Float[Tensor, "n ..."]) -> Float[Tensor, "n ..."]:
        return self.from_codes(self.integers(self.to_codes(x)), x.dtype)


def _in_memory_order(
    kernel: Callable[..., Codes], xs: Sequence[Int8[Tensor, "*shape"]]
) -> Int8[Tensor, "*shape"]:
    """What a kernel makes of codes in the order in which they lie in memory, all in that order."""
    picture = xs[0].ndim == 4  # in a network, the channels of a pixel lie side by side
    order = torch.channels_last if picture else torch.contiguous_format
    flat = (x.contiguous(memory_format=order) for x in xs)
    arrays = ((x.permute(0, 2, 3, 1) if picture else x).numpy(force=True) for x in flat)
    found = torch.from_numpy(kernel(*arrays)).to(xs[0].device)
    return found.permute(0, 3, 1, 2) if picture else found


def _looked_up(x: Int8[Tensor, "*shape"], table: Codes) -> Int8[Tensor, "*shape"]:
    return _in_memory_order(lambda codes: int8_look_up(codes, table), (x,))


def _of(geometry: Geometry) -> tuple[tuple[int, int], Window]:
    """Size and movement of a window, for a kernel."""
    return (geometry.kernel[0], geometry.kernel[1]), geometry.window


def _shape_alone(x: Tensor, geometry: Geometry) -> Tensor:
    return x.new_empty(geometry.windows(x, border=0).shape[:4])


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
