"""What a chain of layers is made of: convolutions from planes to planes, on a kernel each.

A step has the batch norm behind the convolution in its weight and bias, and the ReLU behind that
in the kernel's last store.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeGuard

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from efficientdl.kernels.depthwise_planes import depthwise_planes
from efficientdl.kernels.pattern_conv import pattern_planes
from efficientdl.kernels.pattern_loops import scratch_floats
from efficientdl.kernels.pattern_weight import PatternWeight, pack_pattern
from efficientdl.kernels.planes import Finish, Floats, Planes, finish_of, floats_of, planes_of
from efficientdl.kernels.sparse.blocks import BlockedRows
from efficientdl.kernels.sparse.matrix import SparseMatrix
from efficientdl.kernels.sparse.planes import plane_matmul
from efficientdl.kernels.window import Window
from efficientdl.models.layers.folded import folded_weight
from efficientdl.models.layers.masked import MaskedConv2d
from efficientdl.models.layers.sparse import SparseConv2d
from efficientdl.tensors import Csr

Shape = tuple[int, int, int]  # c h w
Run = Callable[[Planes, Floats, Floats], Planes]
ANY = (-float("inf"), float("inf"))
BOUNDS: dict[type[nn.Module], tuple[float, float]] = {
    nn.ReLU: (0.0, float("inf")),
    nn.ReLU6: (0.0, 6.0),
}


@dataclass(frozen=True)
class Step:
    """A convolution from planes to planes, with what follows it.

    Attributes:
        caller: Whom an error names: the layer's class.
        run: `f(planes, place, scratch) -> planes` puts its result there.
        c_in: Channels that it takes.
        c_out: Channels that it gives.
        n_planes: Planes that it writes: `c_out`, and those that fill up a tile.
        kernel: Lines and columns of the kernel.
        window: How this moves.
        sparse: Whether it leaves out what a mask drops.
        filters: What it needs scratch for, if anything.
    """

    caller: str
    run: Run
    c_in: int
    c_out: int
    n_planes: int
    kernel: tuple[int, int]
    window: Window
    sparse: bool
    filters: PatternWeight | None = None

    def y_shape(self, x_shape: Shape) -> Shape:
        """The shape that an image comes out in."""
        p, q = self.window.outputs(self.caller, x_shape[1:], self.kernel)
        return self.c_out, p, q

    def floats(self, x_shape: Shape) -> int:
        """Floats that its result takes."""
        _, p, q = self.y_shape(x_shape)
        return floats_of(self.n_planes, p * q)

    def scratch(self, x_shape: Shape) -> int:
        """Floats that it needs beside."""
        if self.filters is None:
            return 0
        _, p, q = self.y_shape(x_shape)
        return scratch_floats((1, *x_shape), self.filters, self.window, (p, q))


def step_of(
    layer: nn.Module, norm: nn.BatchNorm2d | None, bounds: tuple[float, float]
) -> Step | None:
    """The step that does what a convolution and what follows it do; None where no kernel does.

    Args:
        layer: What may be a convolution.
        norm: The batch norm behind it, if there is one.
        bounds: What its activation keeps the outputs within.
    """
    if type(layer) is SparseConv2d and layer.groups == 1:
        return _sparse_step(layer, norm, bounds)
    if isinstance(layer, nn.Conv2d) and type(layer) in (nn.Conv2d, MaskedConv2d):
        return _depthwise_step(layer, norm, bounds)
    return None


def folds(norm: nn.Module | None, layer: nn.Module) -> TypeGuard[nn.BatchNorm2d]:
    """Whether what stands behind a convolution is a norm that its weights can take in.

    It must have running statistics, one for each channel, in float32.
    """
    if type(norm) is not nn.BatchNorm2d or norm.running_mean is None:
        return False
    fits = norm.num_features == getattr(layer, "out_channels", None)
    return fits and norm.running_mean.dtype == torch.float32


def _sparse_step(
    layer: SparseConv2d, norm: nn.BatchNorm2d | None, bounds: tuple[float, float]
) -> Step | None:
    padding = _symmetrical(layer.border)
    if padding is None or layer.border_mode != "constant" or not layer.matrix.packs:
        return None
    csr, finish = _folded_rows(layer, norm, bounds)
    window = Window(layer.stride, padding, layer.dilation)
    caller, shape = type(layer).__name__, (layer.in_channels, layer.out_channels)
    if layer.kernel_size == (1, 1) and padding == (0, 0):
        values, columns, row_starts = csr.values, csr.columns, csr.row_starts
        matrix = SparseMatrix(values.numpy(), columns.numpy(), row_starts.numpy(), csr.shape[1])
        weight = matrix.for_planes
        run = _by_pixels(weight, finish.of(weight.n_rows), layer.stride)
        return Step(caller, run, *shape, weight.n_rows, (1, 1), window, sparse=True)
    filters = pack_pattern(csr.to_dense().reshape(layer.weight_shape).numpy())
    run = _by_taps(filters, window, finish)
    kernel = layer.kernel_size
    return Step(caller, run, *shape, shape[1], kernel, window, sparse=True, filters=filters)


def _depthwise_step(
    layer: nn.Conv2d, norm: nn.BatchNorm2d | None, bounds: tuple[float, float]
) -> Step | None:
    c = layer.in_channels
    padding = _symmetrical(layer._reversed_padding_repeated_twice)
    depthwise, weight = layer.groups == c == layer.out_channels, layer.weight.detach()
    zeros = layer.padding_mode == "zeros" and weight.dtype == torch.float32
    if padding is None or not zeros or not depthwise:
        return None
    if isinstance(layer, MaskedConv2d):
        weight = weight * layer.mask
    factor, bias = _after(layer.bias, norm, c)
    filters = (weight[:, 0] * factor[:, None, None]).numpy()
    stride, dilation = layer.stride, layer.dilation
    window = Window((stride[0], stride[1]), padding, (dilation[0], dilation[1]))
    finish = finish_of(bias.numpy(), bounds)
    caller, kernel = type(layer).__name__, (filters.shape[1], filters.shape[2])
    run = _by_channel(filters, window, finish)
    return Step(caller, run, c, c, c, kernel, window, sparse=False)


def _by_pixels(weight: BlockedRows, finish: Finish, stride: tuple[int, int]) -> Run:
    def run(x: Planes, into: Floats, _: Floats) -> Planes:
        if stride != (1, 1):
            x = planes_of(x.image[:, :: stride[0], :: stride[1]])
        return plane_matmul(weight, x, finish, into)

    return run


def _by_taps(filters: PatternWeight, window: Window, finish: Finish) -> Run:
    return lambda x, into, scratch: pattern_planes(x, filters, window, finish, into, scratch)


def _by_channel(filters: np.ndarray, window: Window, finish: Finish) -> Run:
    return lambda x, into, _: depthwise_planes(x, filters, window, finish, into)


def _symmetrical(border: Sequence[int]) -> tuple[int, int] | None:
    """The widths of a border, above and below, left and right, if these are the same."""
    left, right, top, bottom = border
    return (top, left) if (left, top) == (right, bottom) else None


def _folded_rows(
    layer: SparseConv2d, norm: nn.BatchNorm2d | None, bounds: tuple[float, float]
) -> tuple[Csr, Finish]:
    """A layer's weight with the norm in it, and what is done to its sums."""
    factor, bias = _after(layer.bias, norm, layer.out_channels)
    of_value = factor.repeat_interleave(layer.row_starts.diff().long())
    csr = Csr(layer.values * of_value, layer.columns, layer.row_starts, layer.shape)
    return csr, finish_of(bias.numpy(), bounds)


def _after(
    bias: Tensor | None, norm: nn.BatchNorm2d | None, c: int
) -> tuple[Float[Tensor, " c"], Float[Tensor, " c"]]:
    """By what each channel's weights are multiplied, and its bias, norm included."""
    ones = torch.ones(c, dtype=torch.float32)
    if norm is None:
        return ones, torch.zeros_like(ones) if bias is None else bias.detach().clone()
    factor, bias = folded_weight(ones, bias, norm)
    return factor.detach(), bias.detach()
