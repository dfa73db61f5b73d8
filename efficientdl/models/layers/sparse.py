"""Linear and convolution layers on the sparse kernel: what a mask drops is not multiplied.

They hold their weight in compressed rows and are for inference alone: the kernel knows no
gradients, and in training mode they refuse. They run on the processor, in float32 or float64.
"""

from functools import lru_cache
from math import prod

import numpy as np
import torch
from jaxtyping import Float, Int32
from numpy.lib.stride_tricks import sliding_window_view
from torch import Tensor, nn
from torch.nn import functional

from efficientdl import _check
from efficientdl.kernels import csr_matmul
from efficientdl.models.layers.masked import MaskedConv2d, MaskedLinear
from efficientdl.models.layers.stored_weight import bits_of
from efficientdl.report import Cost
from efficientdl.tensors import Csr

_PIXELS = 1024  # of a channel at a time: what is computed meanwhile stays in the caches


class SparseLayer(nn.Module):
    """What both layers share: a weight in compressed rows, and a bias, all of them buffers.

    Args:
        csr: The weight as a matrix, one row for each output channel.
        bias: What is added to each output channel, if anything is.
        weight_shape: Shape of the dense weight, `c_out` first.
    """

    values: Float[Tensor, " kept"]
    columns: Tensor
    row_starts: Tensor
    bias: Float[Tensor, " c_out"] | None

    def __init__(self, csr: Csr, bias: Tensor | None, *, weight_shape: tuple[int, ...]) -> None:
        super().__init__()
        if csr.values.dtype not in (torch.float32, torch.float64):
            rule = "must be float32 or float64, which the kernel is compiled for"
            _check.fail(type(self).__name__, "the weight's dtype", rule, str(csr.values.dtype))
        self.shape, self.weight_shape = csr.shape, weight_shape
        self.register_buffer("values", csr.values)
        self.register_buffer("columns", csr.columns)
        self.register_buffer("row_starts", csr.row_starts)
        self.register_buffer("bias", None if bias is None else bias.detach().clone())
        self.eval()

    @property
    def csr(self) -> Csr:
        """The weight as the kernel reads it."""
        return Csr(self.values, self.columns, self.row_starts, self.shape)

    @property
    def weight(self) -> Float[Tensor, "..."]:
        """The dense weight, zeros and all; made anew each time, to look at."""
        n_groups = self.shape[1] // prod(self.weight_shape[1:])  # their blocks are on the diagonal
        blocks = self.csr.to_dense().unflatten(1, (n_groups, -1)).unflatten(0, (n_groups, -1))
        return blocks.diagonal(dim1=0, dim2=2).permute(2, 0, 1).reshape(self.weight_shape)

    def multiplied(
        self, x: Float[np.ndarray, "k n"], columns: Int32[np.ndarray, " kept"]
    ) -> Float[np.ndarray, "m n"]:
        """The weight times a matrix, plus the bias.

        Args:
            x: What to multiply by.
            columns: Which row of `x` each value meets.
        """
        y = csr_matmul(self.values.numpy(), columns, self.row_starts.numpy(), x)
        if self.bias is not None:
            y += self.bias.numpy()[:, None]
        return y

    def demand_inference(self, x: Tensor) -> None:
        """Refuse what the kernel cannot do.

        Raises:
            BadValue: The layer is in training mode, or the input is of another dtype or device.
        """
        caller = type(self).__name__
        if self.training:
            rule = "must be evaluation, as the kernel knows no gradients: call model.eval() first"
            _check.fail(caller, "mode", rule, "training")
        if x.dtype != self.values.dtype:
            _check.fail(caller, "input", f"must be {self.values.dtype}", str(x.dtype))
        if x.device.type not in ("cpu", "meta"):
            _check.fail(caller, "input", "must be on the CPU", str(x.device))

    def sparse_cost(self, x_shape: tuple[int, ...], y_shape: tuple[int, ...]) -> Cost:
        """The MACs that run, and the bits and traffic of compressed rows, for these shapes."""
        n_kept, n_bias = len(self.values), 0 if self.bias is None else len(self.bias)
        index_bits = bits_of(self.columns) + bits_of(self.row_starts)
        weight_bits = bits_of(self.values) + index_bits + bits_of(self.bias)
        moved = (prod(x_shape) + prod(y_shape)) * self.values.element_size() + weight_bits // 8
        return Cost(
            params=prod(self.weight_shape) + n_bias,
            macs=n_kept * prod(y_shape) // self.shape[0],
            weight_bits=weight_bits,
            traffic_bytes=moved,
        )

    def extra_repr(self) -> str:
        return f"kept={len(self.values)} of {prod(self.weight_shape)}"


class SparseLinear(SparseLayer):
    """A linear layer that multiplies by the weights kept alone, for inference.

    `y = W x + b`, with the input turned so that its samples lie side by side: the kernel runs
    along them. No gradient comes back, whether the input wants one or not.

    Args:
        layer: The masked layer to stand for, which stays as it was.

    Raises:
        BadValue: The weight is not float32 or float64; called in training mode, or with an input
            of another dtype, device or width.

    >>> masked = MaskedLinear(nn.Linear(2, 3), torch.tensor([[True, False]] * 3))
    >>> x = torch.ones(4, 2)
    >>> torch.allclose(SparseLinear(masked)(x), masked(x))
    True
    """

    def __init__(self, layer: MaskedLinear) -> None:
        _check.kind("SparseLinear", "layer", layer, MaskedLinear)
        csr = Csr.from_dense(layer.weight, layer.mask)
        super().__init__(csr, layer.bias, weight_shape=tuple(layer.weight.shape))
        self.in_features, self.out_features = layer.in_features, layer.out_features

    def forward(self, input: Float[Tensor, "*batch c_in"]) -> Float[Tensor, "*batch c_out"]:
        self.demand_inference(input)
        if not input.ndim or input.shape[-1] != self.in_features:
            rule = f"must have {self.in_features} features last"
            _check.fail("SparseLinear", "input", rule, tuple(input.shape))
        y_shape = (*input.shape[:-1], self.out_features)
        if input.is_meta:
            return input.new_empty(y_shape)
        samples = input.detach().numpy().reshape(-1, self.in_features)
        y = self.multiplied(samples.T, self.columns.numpy())
        return torch.from_numpy(np.ascontiguousarray(y.T).reshape(y_shape))

    def cost(self, x_shape: tuple[int, ...]) -> Cost:
        """The MACs that run, one for each weight kept and sample; weights in compressed rows."""
        return self.sparse_cost(x_shape, (*x_shape[:-1], self.out_features))


class SparseConv2d(SparseLayer):
    """A convolution that multiplies by the weights kept alone, for inference.

    Where the whole input lies in one row of memory, what a weight meets, over all outputs, is one
    window of that row: it begins at the weight's own place, and no copy of the input for each
    place of the kernel (im2col) is made. So a convolution is the sparse matrix times the windows. A
    few outputs at the right border mix two lines, and are cut off. With a stride, the input is
    first sorted into its phases: at stride 2, even and odd lines. No gradient comes back, whether
    the input wants one or not.

    Args:
        layer: The masked layer to stand for, which stays as it was.

    Raises:
        BadValue: The weight is not float32 or float64; called in training mode, or with an input
            of another dtype or device, or of other channels.

    >>> conv = nn.Conv2d(1, 2, 3, padding=1)
    >>> masked = MaskedConv2d(conv, torch.eye(3, dtype=torch.bool).expand(2, 1, 3, 3))
    >>> x = torch.ones(4, 1, 5, 5)
    >>> torch.allclose(SparseConv2d(masked)(x), masked(x))
    True

    Source: direct sparse convolution: Park, Li, Wen, Tang, Li, Chen and Dubey, "Faster CNNs with
    Direct Sparse Convolutions and Guided Pruning", ICLR 2017, section 2.1; lab 02.
    """

    def __init__(self, layer: MaskedConv2d) -> None:
        _check.kind("SparseConv2d", "layer", layer, MaskedConv2d)
        super().__init__(_filters(layer), layer.bias, weight_shape=tuple(layer.weight.shape))
        self.in_channels, self.out_channels = layer.in_channels, layer.out_channels
        self.kernel_size, self.stride = layer.kernel_size, layer.stride
        self.dilation = layer.dilation
        # widths of the border, last axis first, as functional.pad takes them
        self.border = list(layer._reversed_padding_repeated_twice)
        self.border_mode = "constant" if layer.padding_mode == "zeros" else layer.padding_mode

    def forward(self, input: Float[Tensor, "*n c_in h w"]) -> Float[Tensor, "*n c_out p q"]:
        self.demand_inference(input)
        if input.ndim not in {3, 4} or input.shape[-3] != self.in_channels:
            rule = f"must be images of {self.in_channels} channels"
            _check.fail("SparseConv2d", "input", rule, tuple(input.shape))
        y_shape = self._output_shape(tuple(input.shape))
        if input.is_meta or not y_shape[0]:  # nothing to compute
            return input.new_empty(y_shape)
        images = input.detach().reshape(-1, *input.shape[-3:])
        y = images.new_empty(len(images), *y_shape[-3:])
        n_together = max(1, _PIXELS // images[0, 0].numel())
        for some, outputs in zip(images.split(n_together), y.split(n_together), strict=True):
            self._convolve(some, outputs)
        return y.reshape(y_shape)

    def cost(self, x_shape: tuple[int, ...]) -> Cost:
        """The MACs that run, one for each weight kept and window; weights in compressed rows."""
        return self.sparse_cost(x_shape, self._output_shape(x_shape))

    def _convolve(self, images: Tensor, outputs: Tensor) -> None:
        """Write the outputs of some images into their place."""
        phases = self._phases(images).contiguous()
        places, n_outputs = _places(tuple(phases.shape), self.kernel_size, self.dilation)
        windows = sliding_window_view(phases.numpy().reshape(-1), n_outputs)
        y = torch.from_numpy(self.multiplied(windows, places[self.columns.numpy()]))
        height, width = phases.shape[-2:]  # the pitch at which the outputs still stand
        outputs.copy_(y.as_strided(outputs.shape, (height * width, n_outputs, width, 1)))

    def _phases(self, images: Tensor) -> Tensor:
        """The padded images, sorted by channel and phase: `c_in, stride, stride, n, h, w`."""
        if any(self.border):
            images = functional.pad(images, self.border, mode=self.border_mode)
        down, right = self.stride
        rest = (0, -images.shape[3] % right, 0, -images.shape[2] % down)
        whole = functional.pad(images, rest) if any(rest) else images
        return whole.unflatten(3, (-1, right)).unflatten(2, (-1, down)).permute(1, 3, 5, 0, 2, 4)

    def _output_shape(self, x_shape: tuple[int, ...]) -> tuple[int, ...]:
        *batch, _, height, width = x_shape
        left, right, top, bottom = self.border
        padded = (height + top + bottom, width + left + right)
        sides = zip(padded, self.kernel_size, self.dilation, self.stride, strict=True)
        p, q = ((side - d * (r - 1) - 1) // stride + 1 for side, r, d, stride in sides)
        if min(p, q) < 1:
            rule = f"must be at least as large as the kernel, {tuple(self.kernel_size)}"
            _check.fail("SparseConv2d", "input", rule, tuple(x_shape))
        return (*batch, self.out_channels, p, q)


@lru_cache(maxsize=256)  # the same for every batch of one shape
def _places(
    shape: tuple[int, ...], kernel_size: tuple[int, int], dilation: tuple[int, int]
) -> tuple[Int32[np.ndarray, " places"], int]:
    """Where in phases of this shape each weight of a filter meets the first output, in order.

    And how many outputs, at the input's pitch, it then has a place for.
    """
    c_in, down, right, n_images, height, width = shape
    r, s = (d * np.arange(n) for n, d in zip(kernel_size, dilation, strict=True))
    phase = (r % down)[:, None] * right + s % right
    within = (r // down)[:, None] * width + s // right
    channel = np.arange(c_in)[:, None, None] * (down * right)
    places = (channel + phase) * (n_images * height * width) + within
    n_outputs = n_images * height * width - int(within.max())
    return places.astype(np.int32).reshape(-1), n_outputs


def _filters(layer: MaskedConv2d) -> Csr:
    """The filters as a matrix: a row for each, a column for each place in all input channels."""
    csr = Csr.from_dense(layer.weight.flatten(1), layer.mask.flatten(1))
    c_out, per_group = csr.shape
    group = torch.arange(c_out) // (c_out // layer.groups)
    first_column = (group * per_group).repeat_interleave(csr.row_starts.diff().long())
    columns = (csr.columns + first_column).to(torch.int32)
    return Csr(csr.values, columns, csr.row_starts, (c_out, per_group * layer.groups))
