"""Quantized layers of which each output channel has as many bits as it needs."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from efficientdl import _check
from efficientdl.models.layers.quantized import Quantized, QuantizedConv2d, QuantizedLinear
from efficientdl.tensors import PerChannel, QParams, Storage, storage_bits

_WIDTH_BITS = 4  # to say how many bits, 1..16, a channel's codes have
_PER_CHANNEL = PerChannel()


class _ChannelBits(Quantized):
    """What the two layers below share: the width of each channel's codes, and their storage."""

    channel_bits: Int64[Tensor, " c_out"]

    def __init__(
        self, layer: nn.Linear | nn.Conv2d, qparams: QParams, *, bits: Int64[Tensor, " c_out"]
    ) -> None:
        if qparams.lowest:
            rule = "must have codes from 0 on"
            _check.fail(type(self).__name__, "qparams", rule, qparams.lowest)
        super().__init__(layer, qparams, granularity=_PER_CHANNEL)  # pyright: ignore[reportArgumentType]
        if bits.shape != layer.weight.shape[:1]:
            rule = f"must have one entry for each of {len(layer.weight)} channels"
            _check.fail(type(self).__name__, "bits", rule, tuple(bits.shape))
        widest = 2 ** bits.to(self.codes.device) - 1
        highest = _PER_CHANNEL.group(self.codes).to(torch.int64).amax(dim=1)
        if bool((highest > widest).any()):
            rule = "must be enough for every code of its channel"
            _check.fail(type(self).__name__, "bits", rule, bits.tolist())
        self.register_buffer("channel_bits", bits.clone())

    def decode_by(
        self, scale: Float[Tensor, "c_out 1"], zero_point: Float[Tensor, "c_out 1"]
    ) -> None:
        """Let the codes, which stay as they are, stand for other values."""
        self.scale, self.zero_point = scale.to(self.scale), zero_point.to(self.scale)

    def storage(self) -> Storage:
        """Each channel's codes in their smallest form, its width, its scale and its zero point.

        A zero point that is the middle code of its channel is not stored.
        """
        widths = self.channel_bits.tolist()
        if self.mask is None:  # all channels of one width take the same
            row = torch.ones_like(self.codes[0], dtype=torch.bool)
            by_width = {bits: storage_bits(row, value_bits=bits) for bits in set(widths)}
            stored = [by_width[bits] for bits in widths]
        else:
            pairs = zip(self.mask, widths, strict=True)
            stored = [storage_bits(kept, value_bits=bits) for kept, bits in pairs]
        forms = {each.form for each in stored}
        float_bits = 8 * self.scale.element_size()
        middle = (2.0 ** self.channel_bits[:, None] - 2) / 2
        n_moved = int((self.zero_point != middle).sum())
        side = len(stored) * (_WIDTH_BITS + float_bits) + n_moved * float_bits
        return Storage(
            forms.pop() if len(forms) == 1 else "by channel",
            sum(each.bits for each in stored) + side,
            sum(each.index_bits for each in stored),
        )


class ChannelBitsLinear(_ChannelBits, QuantizedLinear):
    """A linear layer whose weight is held as codes, of as many bits as each output is given.

    Args:
        layer: The layer to stand for; a `MaskedLinear` hands its mask on.
        qparams: A scale and a zero point for each output; `n_levels` of the widest.
        bits: Bits of the codes of each output.

    Raises:
        BadValue: A code does not fit into its channel's bits.

    >>> layer = nn.Linear(3, 1, bias=False)
    >>> _ = layer.weight.data.copy_(torch.tensor([[-1.0, 0.3, 1.0]]))
    >>> qparams = QParams(torch.tensor([[1.0]]), torch.tensor([[1.0]]), n_levels=3)
    >>> small = ChannelBitsLinear(layer, qparams, bits=torch.tensor([2]))
    >>> small.weight.tolist(), small.storage().bits  # 3 codes of 2 bits, a width, a scale
    ([[-1.0, 0.0, 1.0]], 42)
    """


class ChannelBitsConv2d(_ChannelBits, QuantizedConv2d):
    """A convolution whose weight is held as codes, of as many bits as each filter is given.

    Args:
        layer: The layer to stand for; a `MaskedConv2d` hands its mask on.
        qparams: A scale and a zero point for each filter; `n_levels` of the widest.
        bits: Bits of the codes of each filter.

    Raises:
        BadValue: A code does not fit into its filter's bits.
    """
