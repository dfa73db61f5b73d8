"""Real factors as whole numbers: how arithmetic on integers multiplies by a scale.

Between two layers of integer codes stands a real factor `M`, a quotient of scales. It is known
before the network runs, so it is written once as `M = multiplier * 2**-shift`, a 31-bit whole
number and a power of two; multiplying by it is then one product of integers and one shift that
rounds. No float is needed while the network runs.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int8, Int32, Int64, Integer
from torch import Tensor

from efficientdl import _check

# A multiplier takes the 31 bits below the sign; a shift at most leaves one bit of an int64.
MULTIPLIER_BITS, LARGEST_SHIFT = 31, 62
# What a factor takes in a file: an int32 multiplier and a byte that says the shift.
FACTOR_BITS = 32 + 8


class FixedPoint(NamedTuple):
    """Factors `multiplier * 2**-shift`.

    Attributes:
        multiplier: In `2**30 .. 2**31 - 1`; less only for a factor below `2**-32`.
        shift: In 1 .. 62.
    """

    multiplier: Int32[Tensor, "*shape"]
    shift: Int32[Tensor, "*shape"]

    @property
    def value(self) -> Float[Tensor, "*shape"]:
        """The factors as floats of double precision."""
        return torch.ldexp(self.multiplier.double(), -self.shift)


def fixed_point(factor: Float[Tensor, "*shape"]) -> FixedPoint:
    """The nearest fixed-point number to each real factor.

    `M = 2**-n M_0` with `M_0` in [1/2, 1), and `M_0` is rounded to 31 bits, so that the factor is
    right to one part in `2**31`.

    Args:
        factor: Not negative, and below `2**29`.

    Raises:
        BadValue: A factor is negative, too large, or no number.

    >>> fixed_point(torch.tensor([0.25, 1.0]))
    FixedPoint(multiplier=tensor([1073741824, 1073741824], dtype=torch.int32),
        shift=tensor([32, 30], dtype=torch.int32))

    Source: Jacob et al., "Quantization and Training of Neural Networks for Efficient
    Integer-Arithmetic-Only Inference", CVPR 2018, section 2.2, eq. 6; the survey's section 2.3.
    """
    factor = factor.detach().double()
    good = (factor >= 0) & (factor < 2.0**29)
    if not bool(good.all()):
        _check.fail("fixed_point", "factor", "must be in [0, 2**29)", float(factor[~good][0]))
    _, exponent = torch.frexp(factor)  # eq. 6: M = 2**-n M_0, n here is -exponent
    shift = (MULTIPLIER_BITS - exponent).clamp(max=LARGEST_SHIFT)
    multiplier = torch.ldexp(factor, shift).round()
    full = multiplier == 2.0**MULTIPLIER_BITS  # 1 - 2**-33, say, is rounded up to 1
    multiplier, shift = torch.where(full, multiplier / 2, multiplier), shift - full.int()
    return FixedPoint(multiplier.to(torch.int32), shift.to(torch.int32))


def rescale(x: Integer[Tensor, "*shape"], factor: FixedPoint) -> Int64[Tensor, "*shape"]:
    """`x` times a factor, rounded once to the nearest whole number, a half upwards.

    The paper rounds the product and then the shift; here the product is kept whole, and only the
    shift rounds.

    Args:
        x: Integers of at most 32 bits: their product with a multiplier has 63.
        factor: One that broadcasts against `x`.

    >>> rescale(torch.tensor([10, -10, 2, -2], dtype=torch.int32), fixed_point(torch.tensor(0.25)))
    tensor([ 3, -2,  1,  0])

    Source: Jacob et al., 2018, section 2.2: a fixed-point product, then a shift that rounds.
    """
    half = torch.ones_like(factor.shift, dtype=torch.int64) << (factor.shift - 1)
    return (x.to(torch.int64) * factor.multiplier + half) >> factor.shift


def saturate(
    x: Integer[Tensor, "*shape"], zero_point: int, *, lowest: int, highest: int
) -> Int8[Tensor, "*shape"]:
    """Codes in a byte: the zero point is added, and what does not fit takes the end code.

    Args:
        x: Steps from zero.
        zero_point: The code of zero.
        lowest: The least code, -128 or more.
        highest: The largest, 127 or less.

    >>> saturate(torch.tensor([-300, -1, 300]), 5, lowest=-128, highest=127)
    tensor([-128,    4,  127], dtype=torch.int8)
    """
    return (x + zero_point).clamp(lowest, highest).to(torch.int8)


def common_shift(factors: Float[Tensor, " terms"]) -> tuple[tuple[int, ...], int]:
    """Several factors as whole numbers over one power of two, that of the largest.

    Args:
        factors: As `fixed_point` takes them.

    Returns:
        The multipliers, and the shift of them all.

    >>> common_shift(torch.tensor([0.5, 0.125]))
    ((1073741824, 268435456), 31)
    """
    shift = fixed_point(factors).shift.min()
    multipliers = torch.ldexp(factors.detach().double(), shift).round().long()
    return tuple(multipliers.tolist()), int(shift)


def sum_of_scaled(
    terms: tuple[Int32[Tensor, "*shape"], ...], multipliers: tuple[int, ...], shift: int
) -> Int64[Tensor, "*shape"]:
    """Codes of several scales added up in another: `sum_i multiplier_i term_i * 2**-shift`.

    The sum is exact, and is rounded once.

    Args:
        terms: Steps from zero, at most 16 bits each.
        multipliers: The scale of each over the scale of the sum, as `common_shift` writes them.
        shift: The power of two that they share.

    >>> steps = torch.tensor([3], dtype=torch.int32)
    >>> sum_of_scaled((steps, steps), *common_shift(torch.tensor([0.5, 0.125])))
    tensor([2])
    """
    pairs = zip(terms, multipliers, strict=True)
    total = torch.stack([term.to(torch.int64) * m for term, m in pairs]).sum(dim=0)
    return (total + (1 << (shift - 1))) >> shift
