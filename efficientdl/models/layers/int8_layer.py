"""What linear layers and convolutions on the int8 kernels share.

Their weight stays in bytes and is multiplied in bytes, with an input that becomes bytes on the way
in: by a scale of its own, found while the network runs, or by one chosen beforehand. They are for
inference alone, on the processor, in float32: the kernels know no gradients.
"""

from math import prod

import torch
from jaxtyping import Float, Float64, Int8, Int32
from torch import Tensor, nn

from efficientdl import _check
from efficientdl.kernels.low_bit.int8_conv_floats import FilterScales, pack_scales
from efficientdl.kernels.low_bit.int8_encode import Levels
from efficientdl.kernels.low_bit.int8_filters import pack_filters
from efficientdl.models.layers.kernel_form import KernelForm, demand_inference
from efficientdl.models.layers.quantized import QuantizedConv2d, QuantizedLinear
from efficientdl.models.layers.quantized_input import QuantizedInput
from efficientdl.models.layers.stored_weight import bits_of
from efficientdl.report import Cost
from efficientdl.tensors import PerChannel, PerTensor, QParams
from efficientdl.tensors.affine import as_signed

BYTE = 8  # bits


class Int8Layer(nn.Module):
    """What both layers share: codes, scales and zero points, and what the input's codes are.

    Args:
        layer: The layer to stand for, which stays as it was: its weight in codes of at most eight
            bits, one scale for all or one for each channel. Where a `QuantizedInput` stands before
            it, the input's codes are those; else each example's range chooses them.
        of: Which kind of layer the weight must be in.

    Raises:
        BadKind: It is no such layer.
        BadValue: Codes have more bits, other groups share scales, zero is not a level, or the
            weight is not float32.
    """

    codes: Int8[Tensor, "c_out ..."]
    scale: Float[Tensor, " c_out"]
    zero_point: Int32[Tensor, " c_out"]
    bias: Float[Tensor, " c_out"] | None
    input_levels: Float64[Tensor, "4"] | None

    def __init__(self, layer: nn.Module, of: type[QuantizedLinear] | type[QuantizedConv2d]) -> None:
        super().__init__()
        caller = type(self).__name__
        coded = layer.layer if isinstance(layer, QuantizedInput) else layer
        _check.kind(caller, "layer", coded, of)
        assert isinstance(coded, QuantizedLinear | QuantizedConv2d)
        _check.kind(caller, "granularity", coded.granularity, (PerTensor, PerChannel))
        if coded.scale.dtype != torch.float32:
            _check.fail(caller, "the weight's dtype", "must be float32", str(coded.scale.dtype))
        signed = _signed(caller, coded.qparams)
        n, ones = len(coded.codes), (1,) * (coded.codes.ndim - 1)
        zero_point = signed.zero_point.flatten().expand(n).to(torch.int32)
        codes = coded.codes.to(torch.int32) + (signed.lowest - coded.lowest)
        if coded.mask is not None:  # what is dropped is zero
            codes = torch.where(coded.mask, codes, zero_point.reshape(-1, *ones))
        levels = _levels(caller, layer.qparams) if isinstance(layer, QuantizedInput) else None
        self.bits = coded.bits
        self.register_buffer("codes", codes.to(torch.int8))
        self.register_buffer("scale", coded.scale.detach().flatten().expand(n).clone())
        self.register_buffer("zero_point", zero_point.clone())
        self.register_buffer("bias", None if coded.bias is None else coded.bias.detach().clone())
        self.register_buffer("input_levels", levels)
        self._filters = KernelForm(_filters_of)
        self.eval()

    @property
    def weight(self) -> Float[Tensor, "c_out ..."]:
        """The weight that the codes stand for; made anew each time, to look at."""
        ones = (1,) * (self.codes.ndim - 1)
        steps = self.codes - self.zero_point.reshape(-1, *ones)
        return steps * self.scale.reshape(-1, *ones)

    @property
    def levels(self) -> Levels | None:
        """What the input's codes stand for, where that was chosen beforehand."""
        if self.input_levels is None:
            return None
        scale, *whole = self.input_levels.tolist()
        return Levels(scale, *map(int, whole))

    def filters(self, groups: int = 1) -> FilterScales:
        """The weight as the convolution reads it."""
        return self._filters.of(self.codes, self.zero_point, self.scale, self.bias, groups)

    def demand_inference(self, x: Tensor) -> None:
        """Refuse what the kernels cannot do.

        Raises:
            BadValue: The layer is in training mode, or the input is of another dtype or device.
        """
        demand_inference(self, x, torch.float32)

    def int8_cost(self, x_shape: tuple[int, ...], y_shape: tuple[int, ...]) -> Cost:
        """MACs in integers; what is stored; floats in and out, and the weight, each moved once."""
        zero_points = self.bits * len(self.codes) if bool(self.zero_point.any()) else 0
        side = bits_of(self.scale) + zero_points + bits_of(self.bias) + bits_of(self.input_levels)
        weight_bits = self.bits * self.codes.numel() + side
        return Cost(
            params=self.codes.numel() + (0 if self.bias is None else len(self.bias)),
            macs=prod(y_shape) * prod(self.codes.shape[1:]),
            weight_bits=weight_bits,
            traffic_bytes=4 * (prod(x_shape) + prod(y_shape)) + weight_bits // 8,
        )

    def extra_repr(self) -> str:
        chosen = "as it runs" if self.input_levels is None else "beforehand"
        return f"{'x'.join(map(str, self.codes.shape))}, bits={self.bits}, input scale {chosen}"


def fits_bytes(layer: QuantizedInput) -> bool:
    """Whether weight and input are in codes of one byte, of which one stands for zero.

    Args:
        layer: A linear layer or a convolution behind codes.
    """
    coded = layer.layer
    by_channel = isinstance(coded.granularity, PerTensor | PerChannel)
    each = coded.qparams, layer.qparams
    return by_channel and coded.scale.dtype == torch.float32 and not any(map(_faults, each))


def _signed(caller: str, qparams: QParams) -> QParams:
    """Levels under signed codes, zero among them, that fit into bytes."""
    for name, rule, got in _faults(qparams):
        _check.fail(caller, name, rule, got)
    return as_signed(qparams)


def _faults(qparams: QParams) -> list[tuple[str, str, object]]:
    """Why levels have no codes of one byte, one for zero among them: what, the rule, the value."""
    if qparams.bits > BYTE:
        return [("bits", f"must be at most {BYTE}", qparams.bits)]
    zero_point = qparams.zero_point.detach()
    odd = zero_point[zero_point != zero_point.round()]
    if len(odd):
        rule = "must be a whole number, as symmetric and affine give it"
        return [("zero point", rule, float(odd[0]))]
    signed = as_signed(qparams).zero_point
    if not -128 <= float(signed.min()) <= float(signed.max()) <= 127:
        return [("zero point", "must be a code, so that 0.0 is a level", qparams.zero_point)]
    return []


def _levels(caller: str, qparams: QParams) -> Float64[Tensor, "4"]:
    """Scale, zero point, lowest and highest code of an input."""
    signed = _signed(caller, qparams)
    highest = signed.lowest + signed.n_levels - 1
    numbers = float(signed.scale), float(signed.zero_point), signed.lowest, highest
    return torch.tensor(numbers, dtype=torch.float64)


def _filters_of(
    codes: Tensor, zero_point: Tensor, scale: Tensor, bias: Tensor | None, groups: int
) -> FilterScales:
    codes = codes if codes.ndim == 4 else codes[:, :, None, None]
    packed = pack_filters(codes.numpy(), zero_point.numpy(), groups=groups)
    return pack_scales(packed, scale.numpy(), None if bias is None else bias.numpy())
