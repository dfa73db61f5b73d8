"""Linear layers and convolutions on the int8 kernels, floats in and floats out."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from efficientdl import _check
from efficientdl.kernels.low_bit.int8_conv_floats import int8_conv_floats
from efficientdl.kernels.low_bit.int8_encode import Levels, int8_encode
from efficientdl.kernels.low_bit.int8_linear import int8_linear
from efficientdl.kernels.low_bit.int8_panels import Int8Panels, pack_int8
from efficientdl.kernels.low_bit.int8_quantize import quantize_rows
from efficientdl.kernels.window import Window
from efficientdl.models.layers.conv_form import ConvForm
from efficientdl.models.layers.int8_layer import Int8Layer
from efficientdl.models.layers.kernel_form import KernelForm
from efficientdl.models.layers.quantized import QuantizedConv2d, QuantizedLinear
from efficientdl.models.layers.quantized_input import QuantizedInput
from efficientdl.report import Cost
from efficientdl.tensors import PerChannel, choose_qparams

EIGHT_BITS, EACH = 8, PerChannel()


class Int8Linear(Int8Layer):
    """A linear layer that multiplies bytes by bytes, for inference.

    `y = S_x S_w sum (x - Z_x) (w - Z_w) + b`, the sum in int32. No gradient comes back.

    Args:
        layer: A `QuantizedLinear`: then each row of the input gets a scale of its own. Or a
            `QuantizedInput` around one: then the input's scale is that.

    Raises:
        BadValue: The layer's codes do not fit into bytes; called in training mode, or with an
            input of another dtype, device or width, or, where the scale comes from the input, with
            one that is not finite.

    >>> layer = nn.utils.skip_init(nn.Linear, 3, 2)
    >>> _ = layer.weight.data.copy_(torch.tensor([[1.0, -1.0, 0.5], [0.0, 2.0, 1.0]]))
    >>> _ = layer.bias.data.zero_()
    >>> Int8Linear.of(layer)(torch.tensor([[1.0, 0.0, 2.0]])).round(decimals=1)
    tensor([[2., 2.]])

    Source: Jacob et al., "Quantization and Training of Neural Networks for Efficient
    Integer-Arithmetic-Only Inference", CVPR 2018, section 2; the survey's section 2.3; lab 13.
    """

    def __init__(self, layer: QuantizedLinear | QuantizedInput) -> None:
        super().__init__(layer, QuantizedLinear)
        self.out_features, self.in_features = self.codes.shape
        self._panels = KernelForm(_panels_of)

    @classmethod
    def of(cls, layer: nn.Linear) -> "Int8Linear":
        """A float layer in eight bits, a scale for each output.

        Args:
            layer: The layer, which stays as it was.
        """
        _check.kind("Int8Linear.of", "layer", layer, nn.Linear)
        qparams = choose_qparams(layer.weight.detach(), bits=EIGHT_BITS, granularity=EACH)
        return cls(QuantizedLinear(layer, qparams, granularity=EACH))

    def forward(self, input: Float[Tensor, "*batch c_in"]) -> Float[Tensor, "*batch c_out"]:
        self.demand_inference(input)
        if not input.ndim or input.shape[-1] != self.in_features:
            rule = f"must have {self.in_features} features last"
            _check.fail("Int8Linear", "input", rule, tuple(input.shape))
        y_shape = (*input.shape[:-1], self.out_features)
        if input.is_meta:
            return input.new_empty(y_shape)
        rows = input.detach().numpy().reshape(-1, self.in_features)
        levels = self.levels
        y = self._by_row(rows) if levels is None else self._by_levels(rows, levels)
        return torch.from_numpy(y).reshape(y_shape)

    def _by_row(self, rows: np.ndarray) -> np.ndarray:
        y = int8_linear(rows, self._panels.of(self.codes, self.zero_point), self.scale.numpy())
        return y if self.bias is None else y + self.bias.numpy()

    def _by_levels(self, rows: np.ndarray, levels: Levels) -> np.ndarray:
        codes = int8_encode(rows[None, None], levels)[0, 0].T[None, :, :, None]
        numbers = np.full(1, levels.zero_point, np.int32), np.full(1, levels.scale, np.float32)
        y = int8_conv_floats(codes, self.filters(), Window(), *numbers)
        return y[0, :, :, 0].T  # an example stood in each pixel

    def cost(self, x_shape: tuple[int, ...]) -> Cost:
        """As `int8_cost` says."""
        return self.int8_cost(x_shape, (*x_shape[:-1], self.out_features))


class Int8Conv2d(ConvForm, Int8Layer):
    """A convolution that multiplies bytes by bytes, for inference; grouped and depthwise ones too.

    The border that convolutions pad with is the code of zero. No gradient comes back. The output's
    channels lie side by side in memory (`channels_last`), as the next layer likes them best.

    Args:
        layer: A `QuantizedConv2d`: then each picture gets a scale of its own. Or a
            `QuantizedInput` around one: then the input's scale is that.

    Raises:
        BadValue: The layer's codes do not fit into bytes; called in training mode, or with an
            input of another dtype or device, or of other channels, or, where the scale comes from
            the input, with one that is not finite.

    >>> conv = nn.utils.skip_init(nn.Conv2d, 1, 1, 2, bias=False)
    >>> _ = conv.weight.data.copy_(torch.tensor([[[[1.0, 0.0], [0.0, -1.0]]]]))
    >>> Int8Conv2d.of(conv)(torch.tensor([[[[5.0, 1.0], [0.0, 2.0]]]])).round(decimals=1)
    tensor([[[[3.]]]])

    Source: Jacob et al., "Quantization and Training of Neural Networks for Efficient
    Integer-Arithmetic-Only Inference", CVPR 2018, section 2; the survey's section 2.3; lab 13.
    """

    def __init__(self, layer: QuantizedConv2d | QuantizedInput) -> None:
        super().__init__(layer, QuantizedConv2d)
        coded = layer.layer if isinstance(layer, QuantizedInput) else layer
        assert isinstance(coded, QuantizedConv2d)
        self.take_form(coded)

    @classmethod
    def of(cls, layer: nn.Conv2d) -> "Int8Conv2d":
        """A float layer in eight bits, a scale for each output.

        Args:
            layer: The layer, which stays as it was.
        """
        _check.kind("Int8Conv2d.of", "layer", layer, nn.Conv2d)
        qparams = choose_qparams(layer.weight.detach(), bits=EIGHT_BITS, granularity=EACH)
        return cls(QuantizedConv2d(layer, qparams, granularity=EACH))

    def forward(self, input: Float[Tensor, "*n c_in h w"]) -> Float[Tensor, "*n c_out p q"]:
        self.demand_inference(input)
        if input.ndim not in {3, 4} or input.shape[-3] != self.in_channels:
            rule = f"must be images of {self.in_channels} channels"
            _check.fail("Int8Conv2d", "input", rule, tuple(input.shape))
        if input.is_meta or not input.numel():  # nothing to compute
            return input.new_empty(self.y_shape(tuple(input.shape), tuple(self.codes.shape)))
        images = input.detach().reshape(-1, *input.shape[-3:])
        y = self._convolved(images)
        return y.reshape(*input.shape[:-3], *y.shape[1:])

    def _convolved(self, images: Float[Tensor, "n c_in h w"]) -> Float[Tensor, "n c_out p q"]:
        left, right, top, bottom = self.border
        padding = top, left
        if self.padding_mode != "zeros" or (top, left) != (bottom, right):  # no window has those
            mode = "constant" if self.padding_mode == "zeros" else self.padding_mode
            images, padding = functional.pad(images, self.border, mode=mode), (0, 0)
        codes, zero_points, scales = self._codes(images)
        to = self.filters(self.groups)
        window = Window(self.stride, padding, self.dilation)
        return torch.from_numpy(int8_conv_floats(codes, to, window, zero_points, scales))

    def _codes(self, images: Float[Tensor, "n c_in h w"]) -> tuple[np.ndarray, ...]:
        """The images in bytes, and for each the code of zero and what a step stands for."""
        levels, n = self.levels, len(images)
        if levels is not None:
            codes = int8_encode(images.numpy(), levels)
            zero_points = np.full(n, levels.zero_point, np.int32)
            return codes, zero_points, np.full(n, levels.scale, np.float32)
        pixels = images.permute(0, 2, 3, 1)
        codes, scales, zero_points = quantize_rows(pixels.reshape(n, -1).numpy())
        return codes.reshape(pixels.shape).transpose(0, 3, 1, 2), zero_points, scales

    def cost(self, x_shape: tuple[int, ...]) -> Cost:
        """As `int8_cost` says."""
        return self.int8_cost(x_shape, self.y_shape(x_shape, tuple(self.codes.shape)))


def _panels_of(codes: Tensor, zero_point: Tensor) -> Int8Panels:
    return pack_int8(np.ascontiguousarray(codes.numpy().T), zero_point.numpy())
