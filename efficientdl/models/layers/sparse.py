"""Linear and convolution layers on the sparse kernels: what a mask drops is not multiplied.

A weight is kept in compressed rows, and packed for the kernel that is fastest for it: which one,
its structure and the input's shape decide.
"""

from math import prod

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from efficientdl import _check
from efficientdl.kernels.pattern_conv import pattern_conv
from efficientdl.kernels.pattern_weight import PatternWeight, pack_pattern
from efficientdl.kernels.window import Window
from efficientdl.models.layers.conv_form import ConvForm
from efficientdl.models.layers.kernel_form import KernelForm, demand_features, demand_images
from efficientdl.models.layers.masked import MaskedConv2d, MaskedLinear
from efficientdl.models.layers.quantized import QuantizedConv2d, QuantizedLinear
from efficientdl.models.layers.shared_weight import SharedConv2d, SharedLinear
from efficientdl.models.layers.sparse_layer import SparseLayer
from efficientdl.models.layers.sparse_windows import convolve_windows, filters_in_groups
from efficientdl.report import Cost
from efficientdl.tensors import Csr

_PIXELS = 64  # of an image, from which on it fills registers by itself


class SparseLinear(SparseLayer):
    """A linear layer that multiplies by the weights kept alone, for inference.

    `y = W x + b`, with the input turned so that its samples lie side by side: the kernels run
    along them. One sample alone is a product with a vector, which has forms of its own. No gradient
    comes back, whether the input wants one or not.

    Args:
        layer: The linear layer with a mask to stand for, which stays as it was. Where it holds
            codes, they are turned into floats.

    Raises:
        BadValue: The weight is not float32 or float64; called in training mode, or with an input
            of another dtype, device or width.

    >>> from torch import nn
    >>> masked = MaskedLinear(nn.Linear(2, 3), torch.tensor([[True, False]] * 3))
    >>> x = torch.ones(4, 2)
    >>> torch.allclose(SparseLinear(masked)(x), masked(x))
    True

    Source: the survey's section 6; labs 02 and 13.
    """

    def __init__(self, layer: MaskedLinear | QuantizedLinear | SharedLinear) -> None:
        _check.kind("SparseLinear", "layer", layer, (MaskedLinear, QuantizedLinear, SharedLinear))
        csr = Csr.from_dense(layer.weight, layer.mask)
        super().__init__(csr, layer.bias, weight_shape=csr.shape)
        self.in_features, self.out_features = layer.in_features, layer.out_features

    def forward(self, input: Float[Tensor, "*batch c_in"]) -> Float[Tensor, "*batch c_out"]:
        self.demand_inference(input)
        demand_features(self, input, self.in_features)
        y_shape = (*input.shape[:-1], self.out_features)
        if input.is_meta or not prod(y_shape):
            return input.new_empty(y_shape)
        samples = input.detach().numpy().reshape(-1, self.in_features)
        y = np.ascontiguousarray(self.matrix.times(samples.T).T)
        if self.bias is not None:
            y += self.bias.numpy()
        return torch.from_numpy(y.reshape(y_shape))

    def cost(self, x_shape: tuple[int, ...]) -> Cost:
        """The MACs that run, one for each weight kept and sample; weights in compressed rows."""
        return self.sparse_cost(x_shape, (*x_shape[:-1], self.out_features))


class SparseConv2d(ConvForm, SparseLayer):
    """A convolution that multiplies by the weights kept alone, for inference.

    No copy of the input for each place of the kernel (im2col) is made. A weight meets, over all
    outputs, one window of the padded input, which begins at the weight's own place: `pattern_conv`
    runs along it, filters with much the same mask four at a time. A 1 x 1 convolution is a matrix
    product. In groups, or in float64, the windows are the rows of a product in compressed rows. No
    gradient comes back, whether the input wants one or not.

    Args:
        layer: The convolution with a mask to stand for, which stays as it was. Where it holds
            codes, they are turned into floats.

    Raises:
        BadValue: The weight is not float32 or float64; called in training mode, or with an input
            of another dtype or device, or of other channels.

    >>> from torch import nn
    >>> conv = nn.Conv2d(1, 2, 3, padding=1)
    >>> masked = MaskedConv2d(conv, torch.eye(3, dtype=torch.bool).expand(2, 1, 3, 3))
    >>> x = torch.ones(4, 1, 5, 5)
    >>> torch.allclose(SparseConv2d(masked)(x), masked(x))
    True

    Source: direct sparse convolution: Park, Li, Wen, Tang, Li, Chen and Dubey, "Faster CNNs with
    Direct Sparse Convolutions and Guided Pruning", ICLR 2017, section 2.1; the survey's section
    6; labs 02 and 13.
    """

    def __init__(self, layer: MaskedConv2d | QuantizedConv2d | SharedConv2d) -> None:
        _check.kind("SparseConv2d", "layer", layer, (MaskedConv2d, QuantizedConv2d, SharedConv2d))
        weight = layer.weight.detach()
        csr = filters_in_groups(weight, layer.mask, layer.groups)
        super().__init__(csr, layer.bias, weight_shape=tuple(weight.shape))
        self.take_form(layer)
        self.border_mode = "constant" if layer.padding_mode == "zeros" else layer.padding_mode
        self._filters = KernelForm(_filters_of)

    def forward(self, input: Float[Tensor, "*n c_in h w"]) -> Float[Tensor, "*n c_out p q"]:
        self.demand_inference(input)
        demand_images(self, input, self.in_channels)
        y_shape = self._output_shape(tuple(input.shape))
        if input.is_meta or not prod(y_shape):  # nothing to compute
            return input.new_empty(y_shape)
        images = input.detach().reshape(-1, *input.shape[-3:])
        y = self._convolve(images)
        if self.bias is not None:
            y += self.bias[:, None, None]
        return y.reshape(y_shape)

    def cost(self, x_shape: tuple[int, ...]) -> Cost:
        """The MACs that run, one for each weight kept and window; weights in compressed rows."""
        return self.sparse_cost(x_shape, self._output_shape(x_shape))

    def _convolve(self, images: Tensor) -> Tensor:
        if self.groups > 1 or images.dtype != torch.float32:
            padded = functional.pad(images, self.border, mode=self.border_mode)
            return convolve_windows(padded, self.csr, self.kernel_size, self.stride, self.dilation)
        if self.kernel_size == (1, 1) and not any(self.border):
            return self._by_pixels(images)
        left, right, top, bottom = self.border
        padding = (top, left)
        if self.border_mode != "constant" or (left, top) != (right, bottom):
            images, padding = functional.pad(images, self.border, mode=self.border_mode), (0, 0)
        packed = self._filters.of(self.values, self.columns, self.row_starts, self.weight_shape)
        window = Window(self.stride, padding, self.dilation)
        return torch.from_numpy(pattern_conv(images.numpy(), packed, window))

    def _by_pixels(self, images: Tensor) -> Tensor:
        """The weight times pixels: of an image after the other, or of all where they are small."""
        seen = images[:, :, :: self.stride[0], :: self.stride[1]]
        n, c_in, p, q = seen.shape
        if p * q >= _PIXELS or n == 1:
            columns = seen.reshape(n, c_in, p * q).numpy()
            y = [torch.from_numpy(self.matrix.times(image)) for image in columns]
            return torch.stack(y).reshape(n, -1, p, q) if n > 1 else y[0].reshape(1, -1, p, q)
        y = self.matrix.times(seen.transpose(0, 1).reshape(c_in, n * p * q).numpy())
        return torch.from_numpy(y).reshape(-1, n, p, q).transpose(0, 1).contiguous()

    def _output_shape(self, x_shape: tuple[int, ...]) -> tuple[int, ...]:
        *batch, _, height, width = x_shape
        left, right, top, bottom = self.border
        padded = (height + top + bottom, width + left + right)
        window = Window(self.stride, (0, 0), self.dilation)
        p, q = window.outputs("SparseConv2d", padded, self.kernel_size)
        return (*batch, self.out_channels, p, q)


def _filters_of(
    values: Tensor, columns: Tensor, row_starts: Tensor, shape: tuple[int, ...]
) -> PatternWeight:
    """The filters of an ungrouped convolution as lists of taps."""
    matrix = Csr(values, columns, row_starts, (shape[0], prod(shape[1:])))
    return pack_pattern(matrix.to_dense().reshape(shape).numpy())
