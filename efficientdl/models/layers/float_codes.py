"""A layer whose weight and bias are kept as floats of few bits."""

import torch
from jaxtyping import Float, Integer
from torch import Tensor, nn

from efficientdl import _check
from efficientdl.models.layers.coded import Coded
from efficientdl.tensors import FloatFormat


class FloatCodes(Coded):
    """A linear layer or convolution that keeps weight and bias in the codes of a float format.

    Arithmetic is in the caller's float: only storage is in codes.

    Args:
        layer: The layer to stand for; a masked one hands its mask on.
        number_format: Such as `FP16`; of 16 bits or fewer, each code takes two bytes or one.

    Raises:
        BadValue: A number is too large for the format, or is none.

    >>> from efficientdl.tensors import FP16
    >>> layer = nn.Linear(1, 1, bias=False)
    >>> _ = layer.weight.data.fill_(0.1)
    >>> FloatCodes(layer, FP16).weight.item()
    0.0999755859375
    """

    codes: Integer[Tensor, "..."]
    bias_codes: Integer[Tensor, "c_out"] | None

    def __init__(self, layer: nn.Linear | nn.Conv2d, number_format: FloatFormat) -> None:
        super().__init__(layer)
        _check.kind("FloatCodes", "number_format", number_format, FloatFormat)
        self.number_format, self.dtype = number_format, layer.weight.dtype
        self.register_buffer("codes", self._coded(layer.weight.detach()))
        bias = None if layer.bias is None else self._coded(layer.bias.detach())
        self.register_buffer("bias_codes", bias)
        self.train(layer.training)

    @property
    def bits(self) -> int:
        """Bits of one number."""
        return self.number_format.bits

    @property
    def side_bits(self) -> int:
        """None: a float stands for itself."""
        return 0

    def decoded(self) -> Float[Tensor, "..."]:
        """The weight that the codes stand for."""
        return self._numbers(self.codes)

    def bias_bits(self) -> int:
        """Bits of the bias, 0 for none."""
        return 0 if self.bias_codes is None else self.bits * self.bias_codes.numel()

    def bias_value(self) -> Float[Tensor, "c_out"] | None:
        """The bias as it is added."""
        return None if self.bias_codes is None else self._numbers(self.bias_codes)

    def _coded(self, values: Tensor) -> Tensor:
        largest = self.number_format.largest
        rounded = self.number_format.round(values)
        fits = rounded.isfinite() & (values.abs() < 2 * largest)
        if not bool(fits.all()):
            rule = f"must be numbers that {self.number_format.name} holds, up to {largest:g}"
            _check.fail("FloatCodes", "weights", rule, float(values[~fits][0]))
        codes = self.number_format.encode(values)
        if self.bits <= 8:
            return codes.to(torch.uint8)
        # two bytes hold 16 bits as a signed number; `_numbers` takes the sign off again
        return codes.to(torch.int16 if self.bits <= 16 else torch.int32)

    def _numbers(self, codes: Tensor) -> Tensor:
        return self.number_format.decode(codes.long() & (2**self.bits - 1)).to(self.dtype)
