"""Number formats: floats of few bits, emulated bit by bit.

A float is a sign, an exponent and a mantissa, `(-1)^s 2^(e - bias) (1 + m / 2^M)`; below the least
exponent the leading one goes and what is left are subnormals. A format is how many bits each part
gets, and what the highest exponent is used for. Rounding is to the nearest, ties to the even code.
"""

from dataclasses import dataclass
from enum import Enum
from math import inf, nan

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from efficientdl import _check


class Top(Enum):
    """What the codes of the highest exponent stand for."""

    SPECIAL = "infinity and no-numbers, as in IEEE 754"
    ONE_NAN = "numbers, but for the last code, which is no number"


@dataclass(frozen=True)
class FloatFormat:
    """A float of `1 + exponent_bits + mantissa_bits` bits.

    Attributes:
        name: As the field writes it.
        exponent_bits: Bits of the exponent, 2..8.
        mantissa_bits: Bits of the mantissa, 1..23.
        top: What the highest exponent is used for.

    >>> FP8_E4M3.bits, FP8_E4M3.largest, FP16.largest
    (8, 448.0, 65504.0)
    """

    name: str
    exponent_bits: int
    mantissa_bits: int
    top: Top = Top.SPECIAL

    def __post_init__(self) -> None:
        _check.whole("FloatFormat", "exponent_bits", self.exponent_bits, 2, 8)
        _check.whole("FloatFormat", "mantissa_bits", self.mantissa_bits, 1, 23)

    @property
    def bits(self) -> int:
        """Bits of a code."""
        return 1 + self.exponent_bits + self.mantissa_bits

    @property
    def bias(self) -> int:
        """What is taken off the stored exponent."""
        return 2 ** (self.exponent_bits - 1) - 1

    @property
    def largest_code(self) -> int:
        """The code of the largest finite number."""
        special = 2**self.mantissa_bits if self.top is Top.SPECIAL else 1
        return 2 ** (self.bits - 1) - 1 - special

    @property
    def largest(self) -> float:
        """The largest finite number."""
        return float(self.decode(torch.tensor([self.largest_code]))[0])

    @property
    def smallest(self) -> float:
        """The smallest number above zero, a subnormal."""
        return 2.0 ** (1 - self.bias - self.mantissa_bits)

    def decode(self, codes: Int64[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """The numbers that codes stand for, in float32, which holds all of them exactly.

        Args:
            codes: Sign, exponent and mantissa side by side, 0 .. 2**bits - 1.

        >>> FP8_E5M2.decode(torch.tensor([0b0_01111_00, 0b1_10000_10, 0b0_11111_00]))
        tensor([ 1., -3., inf])
        """
        _check_codes(self, codes)
        mantissa = codes & (2**self.mantissa_bits - 1)
        exponent = (codes >> self.mantissa_bits) & (2**self.exponent_bits - 1)
        normal = exponent > 0
        whole = torch.where(normal, mantissa + 2**self.mantissa_bits, mantissa).double()
        power = torch.where(normal, exponent, 1) - self.bias - self.mantissa_bits
        value = torch.ldexp(whole, power)
        magnitude = codes & (2 ** (self.bits - 1) - 1)
        over = magnitude > self.largest_code
        infinite = over & (mantissa == 0) & (self.top is Top.SPECIAL)
        value = value.masked_fill(over, nan).masked_fill(infinite, inf)
        return torch.where(codes >= 2 ** (self.bits - 1), -value, value).float()

    def round(self, x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Each number as this format would hold it, in the type that came in.

        What is too large becomes infinite, or `largest` where the format has no infinity.

        >>> FP8_E4M3.round(torch.tensor([0.3, 17.0, 1e-9, -500.0])).tolist()
        [0.3125, 16.0, 0.0, -448.0]
        """
        wide = x.double()
        exponent = torch.frexp(wide).exponent - 1  # of 1.m * 2^exponent
        least = exponent.clamp(min=1 - self.bias) - self.mantissa_bits
        steps = torch.ldexp(wide, -least).round()  # to even, as torch rounds
        rounded = torch.ldexp(steps, least)
        rounded = rounded.where(wide.isfinite(), wide)
        over = (rounded.abs() > self.largest) & ~rounded.isnan()
        beyond = inf if self.top is Top.SPECIAL else self.largest
        return rounded.where(~over, rounded.sign() * beyond).to(x.dtype)

    def encode(self, x: Float[Tensor, "*shape"]) -> Int64[Tensor, "*shape"]:
        """The code of the nearest number; `decode` gives what `round` gives.

        >>> FP16.encode(torch.tensor([1.0, -2.0]))
        tensor([15360, 49152])
        """
        rounded = self.round(x.double())
        exponent = (torch.frexp(rounded).exponent - 1).clamp(min=1 - self.bias)
        whole = torch.ldexp(rounded.abs(), self.mantissa_bits - exponent)
        normal = whole >= 2**self.mantissa_bits
        finite = whole.nan_to_num(posinf=0.0).long() - normal * 2**self.mantissa_bits
        stored = (exponent.long() + self.bias) * normal
        code = (stored << self.mantissa_bits) + finite
        top = (2**self.exponent_bits - 1) << self.mantissa_bits
        no_number = 2 ** (self.bits - 1) - 1
        code = torch.where(rounded.isinf(), top, code)
        code = torch.where(rounded.isnan(), no_number, code)
        return code + rounded.signbit() * 2 ** (self.bits - 1)


FP16 = FloatFormat("fp16", 5, 10)
BF16 = FloatFormat("bf16", 8, 7)
TF32 = FloatFormat("tf32", 8, 10)
FP8_E4M3 = FloatFormat("fp8 e4m3", 4, 3, Top.ONE_NAN)
FP8_E5M2 = FloatFormat("fp8 e5m2", 5, 2)


@dataclass(frozen=True)
class AdaptivFloat:
    """A float whose exponents are moved to where a tensor's values are.

    The highest exponent is that of the tensor's largest value, `2^e_max <= max|x|`; the bias is
    stored once for the tensor. There are no subnormals, no infinities and no no-numbers: every
    code is a number, but the least one of each sign, which stands for zero.

    Attributes:
        bits: Of a code, 3..16.
        exponent_bits: Of these, 1 or more, and at least one is left for the mantissa.

    Source: Tambe et al., "Algorithm-Hardware Co-Design of Adaptive Floating-Point Encodings for
    Resilient Deep Learning Inference", DAC 2020, algorithm 1.
    """

    bits: int
    exponent_bits: int

    def __post_init__(self) -> None:
        _check.whole("AdaptivFloat", "bits", self.bits, 3, 16)
        _check.whole("AdaptivFloat", "exponent_bits", self.exponent_bits, 1, min(8, self.bits - 2))

    @property
    def mantissa_bits(self) -> int:
        """What sign and exponent leave."""
        return self.bits - self.exponent_bits - 1

    def least_exponent(self, x: Float[Tensor, "..."]) -> int:
        """The bias of a tensor: the exponent of its code 0; 0 where every value is zero.

        >>> AdaptivFloat(bits=4, exponent_bits=2).least_exponent(torch.tensor([-2.0, 3.0]))
        -2
        """
        largest = x.detach().abs().max() if x.numel() else x.new_zeros(())
        if not bool(largest.isfinite()):
            _check.fail("AdaptivFloat", "x", "must hold finite numbers alone", float(largest))
        if largest == 0:
            return 0
        return int(torch.frexp(largest).exponent) - 1 - (2**self.exponent_bits - 1)

    def values(self, least_exponent: int) -> Float[Tensor, "codes"]:
        """What every code stands for, in the order of the codes, in float64.

        >>> AdaptivFloat(bits=4, exponent_bits=2).values(-2)[:8].tolist()
        [0.0, 0.375, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0]
        """
        codes = torch.arange(2 ** (self.bits - 1))
        whole = (codes & (2**self.mantissa_bits - 1)) + 2**self.mantissa_bits
        power = (codes >> self.mantissa_bits) + least_exponent - self.mantissa_bits
        positive = torch.ldexp(whole.double(), power)
        positive[0] = 0.0
        return torch.cat([positive, -positive])

    def round(self, x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Each number as the nearest that the format holds, with this tensor's own bias.

        Ties go to the even mantissa, and from the middle between zero and the least number up.

        >>> AdaptivFloat(bits=4, exponent_bits=2).round(torch.tensor([-2.4, 0.1, 0.2, 3.0]))
        tensor([-2.0000,  0.0000,  0.3750,  3.0000])
        """
        least = self.least_exponent(x)
        wide = x.double()
        size, mantissa_bits = wide.abs(), self.mantissa_bits
        smallest = 2.0**least * (1 + 2.0**-mantissa_bits)  # algorithm 1's value_min
        largest = 2.0 ** (least + 2**self.exponent_bits) - 2.0 ** (
            least + 2**self.exponent_bits - 1 - mantissa_bits
        )  # value_max
        exponent = (torch.frexp(size).exponent - 1).clamp(min=least) - mantissa_bits
        rounded = torch.ldexp(torch.ldexp(size, -exponent).round(), exponent)
        rounded = rounded.clamp(smallest, largest).where(size >= smallest / 2, 0.0)
        return (rounded * wide.sign()).to(x.dtype)


def _check_codes(fmt: FloatFormat, codes: Tensor) -> None:
    if codes.numel() and not 0 <= int(codes.min()) <= int(codes.max()) < 2**fmt.bits:
        bad = codes[(codes < 0) | (codes >= 2**fmt.bits)][0]
        rule = f"must be in [0, {2**fmt.bits - 1}] for {fmt.name}"
        _check.fail("FloatFormat.decode", "codes", rule, int(bad))
