"""Linear and convolution layers whose weight is held as integer codes and scales.

Nothing but codes, scales and zero points is kept; every use turns them into floats and runs the
float kernel. That saves memory, not arithmetic: arithmetic on integers is another layer's work.
"""

import torch
from jaxtyping import Bool, Float, Integer
from torch import Tensor, nn
from torch.nn import functional

from efficientdl.models.layers.conv_form import ConvForm
from efficientdl.models.layers.masked import MaskedConv2d, MaskedLinear
from efficientdl.models.layers.stored_weight import bits_of, dense_kernel_cost
from efficientdl.report import Cost
from efficientdl.tensors import (
    Granularity,
    QParams,
    Storage,
    dequantize,
    quantize,
    storage_bits,
)


class Quantized(nn.Module):
    """What quantized layers share: a weight as codes, with a scale for each group, and a mask.

    Args:
        layer: The layer to stand for; a masked one hands its mask on.
        qparams: Scales, zero points and number of levels.
        granularity: Which weights share a scale.
    """

    codes: Integer[Tensor, "..."]
    scale: Float[Tensor, "groups 1"]
    zero_point: Float[Tensor, "groups 1"]
    mask: Bool[Tensor, "..."] | None

    def __init__(
        self, layer: nn.Linear | nn.Conv2d, qparams: QParams, *, granularity: Granularity
    ) -> None:
        super().__init__()
        weight = layer.weight.detach()
        masked = isinstance(layer, MaskedLinear | MaskedConv2d)
        self.granularity = granularity
        self.n_levels, self.lowest = qparams.n_levels, qparams.lowest
        self.register_buffer("codes", quantize(weight, qparams, granularity=granularity))
        self.register_buffer("scale", qparams.scale.detach().to(weight.dtype))
        self.register_buffer("zero_point", qparams.zero_point.detach().to(weight.dtype))
        self.register_buffer("mask", layer.mask.clone() if masked else None)
        self.bias = layer.bias
        self.train(layer.training)

    @property
    def qparams(self) -> QParams:
        """Scales, zero points, number of levels and lowest code."""
        return QParams(self.scale, self.zero_point, self.n_levels, self.lowest)

    @property
    def bits(self) -> int:
        """Bits of one code."""
        return self.qparams.bits

    @property
    def weight(self) -> Float[Tensor, "..."]:
        """The weight that the codes stand for; what the mask drops is exactly zero."""
        weight = dequantize(self.codes, self.qparams, granularity=self.granularity)
        return weight if self.mask is None else weight * self.mask

    def storage(self) -> Storage:
        """Codes in the smallest form, index bits included, and what turns them into values.

        A zero point that is the middle code of every group is not stored; a whole number takes
        as many bits as a code, any other as many as a scale.
        """
        every = torch.ones_like(self.codes, dtype=torch.bool)
        values = storage_bits(every if self.mask is None else self.mask, value_bits=self.bits)
        float_bits = 8 * self.scale.element_size()
        middle = self.lowest + (self.n_levels - 1) / 2
        if bool((self.zero_point == middle).all()):
            zero_point_bits = 0
        elif bool((self.zero_point == self.zero_point.round()).all()):
            zero_point_bits = self.bits
        else:
            zero_point_bits = float_bits
        side = len(self.scale) * (float_bits + zero_point_bits)
        return values._replace(bits=values.bits + side)

    def stored_cost(self, y_shape: tuple[int, ...]) -> Cost:
        """Cost of giving an output of this shape."""
        return dense_kernel_cost(
            y_shape,
            weight_shape=tuple(self.codes.shape),
            weight_bits=self.storage().bits,
            bias_bits=bits_of(self.bias),
        )

    def extra_repr(self) -> str:
        shape = "x".join(map(str, self.codes.shape))
        return f"{shape}, bits={self.bits}, granularity={self.granularity}"


class QuantizedLinear(Quantized):
    """A linear layer whose weight is held as codes.

    Args:
        layer: The layer to stand for; a `MaskedLinear` hands its mask on.
        qparams: Scales, zero points and number of levels.
        granularity: Which weights share a scale.

    >>> from efficientdl.tensors import PerTensor, choose_qparams
    >>> layer = nn.Linear(3, 1, bias=False)
    >>> _ = layer.weight.data.copy_(torch.tensor([[-1.0, 0.3, 1.0]]))
    >>> qparams = choose_qparams(layer.weight, bits=2, granularity=PerTensor())
    >>> QuantizedLinear(layer, qparams, granularity=PerTensor()).weight
    tensor([[-1., 0., 1.]])
    """

    def __init__(self, layer: nn.Linear, qparams: QParams, *, granularity: Granularity) -> None:
        super().__init__(layer, qparams, granularity=granularity)
        self.in_features, self.out_features = layer.in_features, layer.out_features

    def forward(self, input: Float[Tensor, "*batch c_in"]) -> Float[Tensor, "*batch c_out"]:
        return functional.linear(input, self.weight, self.bias)

    def cost(self, x_shape: tuple[int, ...]) -> Cost:
        """Dense MACs in float; the weight's bits are those of codes, indices and scales."""
        return self.stored_cost((*x_shape[:-1], self.out_features))


class QuantizedConv2d(ConvForm, Quantized):
    """A convolution whose weight is held as codes.

    Args:
        layer: The layer to stand for; a `MaskedConv2d` hands its mask on.
        qparams: Scales, zero points and number of levels.
        granularity: Which weights share a scale.
    """

    def __init__(self, layer: nn.Conv2d, qparams: QParams, *, granularity: Granularity) -> None:
        super().__init__(layer, qparams, granularity=granularity)
        self.take_form(layer)

    def forward(self, input: Float[Tensor, "*n c_in h w"]) -> Float[Tensor, "*n c_out p q"]:
        return self.convolve(input, self.weight, self.bias)

    def cost(self, x_shape: tuple[int, ...]) -> Cost:
        """Dense MACs in float; the weight's bits are those of codes, indices and scales."""
        return self.stored_cost(self.y_shape(x_shape, tuple(self.codes.shape)))
