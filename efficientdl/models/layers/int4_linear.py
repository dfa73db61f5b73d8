"""A linear layer of few bits that is multiplied as it is stored: no weight becomes a float in
memory."""

from math import prod

import numpy as np
import torch
from jaxtyping import Float, Int32, Integer
from torch import Tensor, nn
from torch.nn import functional

from efficientdl import _check
from efficientdl.kernels.low_bit import (
    CodedWeights,
    PackedCodes,
    int4_gemv,
    pack_codes,
    unpack_codes,
)
from efficientdl.models.layers.coded import Coded
from efficientdl.models.layers.float_codes import FloatCodes
from efficientdl.models.layers.kernel_form import KernelForm, demand_features, demand_inference
from efficientdl.models.layers.quantized import QuantizedLinear
from efficientdl.models.layers.shared_weight import SharedLinear
from efficientdl.models.layers.sparse_layer import drops_weights
from efficientdl.models.layers.stored_weight import bits_of
from efficientdl.models.layers.ternary import TwoScaleTernary
from efficientdl.report import Cost

CodedLinear = QuantizedLinear | SharedLinear | FloatCodes | TwoScaleTernary

MOST_BITS = 4
_ROWS = 64  # of a batch, from which on unpacking the weight once is cheaper than reading it often
_RUN = 64  # weights that a kernel reads at a time


class Int4Linear(nn.Module):
    """A linear layer with weights of 4, 3 or 2 bits, for inference.

    One sample meets every weight once, so that memory sets the pace, and codes are an eighth of
    the floats or less. `int4_gemv` looks each code up in a table of 16 floats that a register
    holds, so any codes will do: evenly spaced, a k-means codebook, floats of four bits. The
    products are those of the layer that it stands for, summed in another order. Batches of 64 or
    more unpack the weight, once for each call. No gradient comes back.

    Args:
        layer: The linear layer in codes to stand for, which stays as it was.

    Raises:
        BadValue: The layer has more than 16 levels, a mask, or scales whose groups are no whole
            runs of 64 weights of a row; called in training mode, or with an input of another dtype,
            device or width.

    >>> from efficientdl.tensors import PerChannel, choose_qparams
    >>> linear = nn.Linear(64, 2)
    >>> qparams = choose_qparams(linear.weight, bits=4, granularity=PerChannel())
    >>> coded = QuantizedLinear(linear, qparams, granularity=PerChannel())
    >>> x = torch.ones(1, 64)
    >>> torch.allclose(Int4Linear(coded)(x), coded(x), atol=1e-6)
    True

    Source: Lin et al., "AWQ", MLSys 2024, section 4; Han, Mao and Dally, "Deep Compression", ICLR
    2016, section 3, for codebooks; the survey's section 6.2; lab 13.
    """

    words: Int32[Tensor, " words"]
    table: Float[Tensor, " 16"]
    scales: Float[Tensor, " scales"]
    offsets: Float[Tensor, " scales"]
    bias: Float[Tensor, " c_out"] | None

    def __init__(self, layer: CodedLinear) -> None:
        super().__init__()
        weights = coded_weights(layer)
        if weights is None:
            rule = "must be linear, without a mask, in at most 16 levels, a scale for 64 weights of"
            _check.fail("Int4Linear", "layer", f"{rule} a row or more", layer)
        packed = pack_codes(weights)
        self.out_features, self.in_features = weights.codes.shape
        self.bits, self.unit = packed.bits, packed.unit
        self.sizes = packed.bits, packed.unit, packed.k, packed.n
        self.register_buffer("words", torch.from_numpy(packed.words.view(np.int32).copy()))
        for name in ("table", "scales", "offsets"):
            self.register_buffer(name, torch.from_numpy(getattr(packed, name).copy()))
        bias = layer.bias_value() if isinstance(layer, Coded) else layer.bias
        self.register_buffer("bias", None if bias is None else bias.detach().clone())
        self._packed = KernelForm(_packed_of)
        self.eval()

    @property
    def packed(self) -> PackedCodes:
        """The weight as the kernel reads it."""
        return self._packed.of(self.words, self.table, self.scales, self.offsets, self.sizes)

    @property
    def weight(self) -> Float[Tensor, "c_out c_in"]:
        """The dense weight, made anew each time, to look at."""
        return torch.from_numpy(unpack_codes(self.packed).dense)

    def forward(self, input: Float[Tensor, "*batch c_in"]) -> Float[Tensor, "*batch c_out"]:
        demand_inference(self, input, torch.float32)
        demand_features(self, input, self.in_features)
        y_shape = (*input.shape[:-1], self.out_features)
        if input.is_meta or not prod(y_shape):
            return input.new_empty(y_shape)
        x = input.detach().reshape(-1, self.in_features)
        if len(x) >= _ROWS or not bool(x.isfinite().all()):  # the kernel takes finite floats alone
            return functional.linear(x, self.weight, self.bias).reshape(y_shape)
        y = np.stack([int4_gemv(row, self.packed) for row in x.numpy()])
        if self.bias is not None:
            y += self.bias.numpy()
        return torch.from_numpy(y).reshape(y_shape)

    def cost(self, x_shape: tuple[int, ...]) -> Cost:
        """The MACs of the dense shape, in float; the weight's bits are those of codes and scales.

        What fills up the last registers of a row is not counted.
        """
        n_weights, n_samples = self.in_features * self.out_features, prod(x_shape[:-1])
        n_scales = self.out_features * -(-self.in_features // self.unit)
        side = bits_of(self.table) + 32 * n_scales * (2 if self.offsets.numel() else 1)
        weight_bits = n_weights * self.bits + side + bits_of(self.bias)
        moved = 4 * n_samples * (self.in_features + self.out_features) + weight_bits // 8
        n_bias = 0 if self.bias is None else self.out_features
        return Cost(
            params=n_weights + n_bias,
            macs=n_weights * n_samples,
            weight_bits=weight_bits,
            traffic_bytes=moved,
        )

    def extra_repr(self) -> str:
        return f"{self.out_features}x{self.in_features}, bits={self.bits}"


def coded_weights(layer: nn.Module) -> CodedWeights | None:
    """A layer's codes as `int4_gemv` takes them; None where it does not.

    Args:
        layer: Any layer.

    >>> coded_weights(nn.Linear(2, 2)) is None
    True
    """
    if not isinstance(layer, CodedLinear) or drops_weights(layer):
        return None
    if isinstance(layer, QuantizedLinear):
        return _evenly_spaced(layer)
    if isinstance(layer, SharedLinear):
        books, size, length = layer.codebooks.shape
        if (books, length) != (1, 1) or size > 2**MOST_BITS:
            return None
        return _from_table(layer.codes, layer.codebooks.flatten(), layer.shape)
    if isinstance(layer._form[0], nn.Conv2d) or layer.bits > MOST_BITS:
        return None
    if isinstance(layer, TwoScaleTernary):
        return _from_table(layer.codes, layer.levels, layer.weight_shape)
    values = layer.number_format.decode(torch.arange(2**layer.bits)).to(layer.dtype)
    return _from_table(layer.codes, values, layer.weight_shape)


def _from_table(
    codes: Integer[Tensor, "..."], table: Tensor, shape: tuple[int, ...]
) -> CodedWeights | None:
    """Codes into a table that all weights share; none where an entry that is used is no number."""
    if table.dtype != torch.float32:
        return None
    plain = codes.reshape(shape).numpy().astype(np.uint8)
    room = np.zeros(_n_levels(len(table)), np.float32)
    room[: len(table)] = table.detach().numpy()
    finite = np.isfinite(room)
    if not finite[np.unique(plain)].all():
        return None
    n, k = plain.shape
    group = _RUN * -(-k // _RUN)
    return CodedWeights(plain, np.where(finite, room, 0), np.ones((n, 1), np.float32), group)


def _evenly_spaced(layer: QuantizedLinear) -> CodedWeights | None:
    """`(code - zero_point) * scale`: the table counts, and groups have scales and offsets."""
    n, group = len(layer.codes), _group_of(layer)
    if group is None or layer.n_levels > 2**MOST_BITS or layer.scale.dtype != torch.float32:
        return None
    by_row = layer.scale.expand(n, -1) if len(layer.scale) == 1 else layer.scale
    scales = by_row.reshape(n, -1).numpy()
    zero_points = layer.zero_point.expand(len(layer.scale), 1).numpy()
    first = float(zero_points[0, 0]) - layer.lowest  # in codes from zero on
    codes = (layer.codes.to(torch.int16) - layer.lowest).to(torch.uint8).numpy()
    table = np.arange(_n_levels(layer.n_levels), dtype=np.float32)
    if (zero_points == zero_points[0, 0]).all():
        return CodedWeights(codes, table - np.float32(first), np.ascontiguousarray(scales), group)
    offsets = (layer.lowest - zero_points).reshape(scales.shape) * scales
    return CodedWeights(codes, table, np.ascontiguousarray(scales), group, offsets)


def _group_of(layer: QuantizedLinear) -> int | None:
    """How many weights of a row share a scale; None where groups are no whole runs of a row."""
    (n, k), n_groups = layer.codes.shape, len(layer.scale)
    row = _RUN * -(-k // _RUN)
    if n_groups == 1:
        return row
    if n_groups % n or k % (n_groups // n):
        return None
    group = k // (n_groups // n)
    places = torch.arange(n * k).reshape(n, k)
    if not torch.equal(layer.granularity.group(places), places.reshape(-1, group)):
        return None  # tiles of several rows, say
    return row if group == k else group if group % _RUN == 0 else None


def _n_levels(n: int) -> int:
    """The next size of table: 4, 8 or 16."""
    return max(4, 1 << (n - 1).bit_length())


def _packed_of(
    words: Tensor, table: Tensor, scales: Tensor, offsets: Tensor, sizes: tuple[int, int, int, int]
) -> PackedCodes:
    floats = table.numpy(), scales.numpy(), offsets.numpy()
    return PackedCodes(words.numpy().view(np.uint32), *floats, *sizes)
