"""A layer that takes its input in codes, so that it multiplies few bits by few bits."""

from math import ceil, prod

from jaxtyping import Float
from torch import Tensor, nn

from efficientdl import _check
from efficientdl.models.layers.quantized import QuantizedConv2d, QuantizedLinear
from efficientdl.report import Cost
from efficientdl.tensors import PerTensor, QParams
from efficientdl.tensors.straight_through import on_levels

CodedLayer = QuantizedLinear | QuantizedConv2d
_WHOLE = PerTensor()


class QuantizedInput(nn.Module):
    """A quantized layer behind a quantizer: its input is rounded to levels chosen beforehand.

    All that enters a product is then in codes. The codes are emulated in float, as the weight's
    are; the gradient goes straight through the rounding.

    Args:
        layer: The layer, its weight in codes.
        qparams: The levels of the input, one scale for the whole tensor.

    Raises:
        BadKind: The weight of the layer is not in codes.
        BadValue: There are several scales.

    >>> import torch
    >>> from efficientdl.tensors import affine, choose_qparams
    >>> layer = nn.Linear(2, 1, bias=False)
    >>> _ = layer.weight.data.fill_(1.0)
    >>> qparams = choose_qparams(layer.weight, bits=8, granularity=PerTensor())
    >>> coded = QuantizedLinear(layer, qparams, granularity=PerTensor())
    >>> small = QuantizedInput(coded, affine(torch.tensor([[0.0, 3.0]]), bits=2))
    >>> small(torch.tensor([[0.9, 7.0]])).item()  # 1 and 3, the nearest of 0, 1, 2 and 3
    4.0

    Source: Jacob et al., "Quantization and Training of Neural Networks for Efficient
    Integer-Arithmetic-Only Inference", CVPR 2018, section 3; the survey's section 2.3; lab 04.
    """

    scale: Float[Tensor, "1 1"]
    zero_point: Float[Tensor, "1 1"]

    def __init__(self, layer: CodedLayer, qparams: QParams) -> None:
        super().__init__()
        _check.kind("QuantizedInput", "layer", layer, (QuantizedLinear, QuantizedConv2d))
        if qparams.scale.shape != (1, 1):
            rule = "must have one scale for the whole input"
            _check.fail("QuantizedInput", "qparams", rule, tuple(qparams.scale.shape))
        self.layer, self.n_levels, self.lowest = layer, qparams.n_levels, qparams.lowest
        self.register_buffer("scale", qparams.scale.detach().clone())
        self.register_buffer("zero_point", qparams.zero_point.detach().clone())
        self.training = layer.training

    @property
    def qparams(self) -> QParams:
        """The levels of the input."""
        return QParams(self.scale, self.zero_point, self.n_levels, self.lowest)

    @property
    def bits(self) -> int:
        """Bits of one code of the input."""
        return self.qparams.bits

    def forward(self, input: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """What the layer gives for the rounded input."""
        return self.layer(on_levels(input, self.qparams, granularity=_WHOLE))

    def cost(self, x_shape: tuple[int, ...]) -> Cost:
        """The layer's cost, its input in codes, its output in float.

        Activations and traffic count the input as it would be kept and moved: packed codes.
        """
        own = self.layer.cost(x_shape)
        n_out = prod(_output_shape(self.layer, x_shape))
        activations = ceil(prod(x_shape) * self.bits / 8) + n_out * self.scale.element_size()
        moved = activations + ceil((own.weight_bits or 0) / 8)
        return Cost(
            params=own.params,
            macs=own.macs,
            weight_bits=own.weight_bits,
            activation_bytes=activations,
            traffic_bytes=moved,
        )

    def extra_repr(self) -> str:
        return f"input bits={self.bits}"


def _output_shape(layer: CodedLayer, x_shape: tuple[int, ...]) -> tuple[int, ...]:
    if isinstance(layer, QuantizedLinear):
        return (*x_shape[:-1], layer.out_features)
    return layer.y_shape(x_shape, tuple(layer.codes.shape))
