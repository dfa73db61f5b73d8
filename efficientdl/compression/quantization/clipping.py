"""Where to cut a range, worked out on paper: the clipping that a bell-shaped tensor wants.

Few levels over the whole range are far apart; over a part of it they are near, but what lies
outside is cut. For Laplace and Gauss densities both errors are closed forms, and their sum has
one least point, which depends on the bits alone once the density's own width is taken out.
"""

from collections.abc import Callable
from functools import cache
from math import erfc, exp, pi, sqrt

import torch
from jaxtyping import Float
from scipy.optimize import brentq
from torch import Tensor

from efficientdl import _check
from efficientdl.tensors import QParams, affine_between
from efficientdl.tensors.affine import ends_of

_FARTHEST = 100.0  # widths: beyond every least point of up to 17 bits


@cache
def laplace_cut(bits: int) -> float:
    """Where to cut a Laplace density `exp(-|x| / b) / 2b`, in units of `b`.

    In `2**bits` steps from `-a` to `a` the error is `2 b^2 exp(-a/b) + a^2 / (3 4^bits)`: what is
    cut, and what is rounded. Its derivative is zero here.

    Args:
        bits: Bits of a code, 1..17.

    >>> [round(laplace_cut(bits), 2) for bits in (2, 3, 4)]
    [2.83, 3.9, 5.03]

    Source: Banner, Nahshan and Soudry, "Post Training 4-bit Quantization of Convolutional Networks
    for Rapid-Deployment", NeurIPS 2019, section 2, equation 6; the survey's section 2.3; lab 04.
    """
    _check.whole("laplace_cut", "bits", bits, 1, 17)

    def slope(a: float) -> float:
        return a / (3 * 4**bits) - exp(-a)  # eq. 6, halved

    return float(brentq(slope, 0.0, _FARTHEST))  # pyright: ignore[reportArgumentType]


@cache
def gauss_cut(bits: int) -> float:
    """Where to cut a Gauss density, in units of its standard deviation.

    What is cut costs `2 int_a^inf (x - a)^2 phi(x) dx`, what is rounded `a^2 / (3 4^bits)`. The
    derivative of their sum is zero here.

    Args:
        bits: Bits of a code, 1..17.

    >>> [round(gauss_cut(bits), 2) for bits in (2, 3, 4)]
    [1.71, 2.15, 2.56]

    Source: Banner, Nahshan and Soudry, "Post Training 4-bit Quantization of Convolutional Networks
    for Rapid-Deployment", NeurIPS 2019, section 2; the survey's section 2.3; lab 04.
    """
    _check.whole("gauss_cut", "bits", bits, 1, 17)

    def slope(a: float) -> float:
        density, tail = exp(-a * a / 2) / sqrt(2 * pi), erfc(a / sqrt(2)) / 2
        return a / (6 * 4**bits) - (density - a * tail)  # the derivative, divided by 4

    return float(brentq(slope, 0.0, _FARTHEST))  # pyright: ignore[reportArgumentType]


def laplace(groups: Float[Tensor, "groups size"], *, bits: int) -> QParams:
    """A range by analytical clipping, as if the values had a Laplace density.

    Its width `b` is the mean distance from the mean. Values that are never negative, as behind a
    ReLU, are taken as the upper half of a density around zero: `b` is the mean of the positive
    ones, and the levels, which cover one side alone, are as near as one more bit would make them.
    The range never leaves the values' own; zero is a level.

    Args:
        groups: What shares a scale, one group a row.
        bits: Bits of a code, 1..16.

    Source: Banner, Nahshan and Soudry, NeurIPS 2019, section 2; the survey's section 2.3; lab 04.
    """
    _check.whole("laplace", "bits", bits, 1, 16)
    low, high = ends_of("laplace", groups)
    one_sided, centre = _centre(groups, low)
    distance = (groups - centre).abs()
    width = torch.where(one_sided, _mean_of_positive(groups), distance.mean(dim=1, keepdim=True))
    reach = _reach(one_sided, width, laplace_cut, bits)
    return _within(low, high, centre, reach, bits)


def gauss(groups: Float[Tensor, "groups size"], *, bits: int) -> QParams:
    """A range by analytical clipping, as if the values had a Gauss density.

    As `laplace`, with the standard deviation as width; behind a ReLU it is the root of the mean
    square of the positive values.

    Args:
        groups: What shares a scale, one group a row.
        bits: Bits of a code, 1..16.

    Source: Banner, Nahshan and Soudry, NeurIPS 2019, section 2; the survey's section 2.3; lab 04.
    """
    _check.whole("gauss", "bits", bits, 1, 16)
    low, high = ends_of("gauss", groups)
    size = torch.maximum(low.abs(), high.abs())
    units = groups / size.where(size > 0, 1.0)  # the square of a tiny number is zero
    one_sided, centre = _centre(groups, low)
    _, middle = _centre(units, low)
    mean = torch.where(
        one_sided,
        _mean_of_positive(units.square()),
        (units - middle).square().mean(dim=1, keepdim=True),
    )
    reach = _reach(one_sided, size * mean.sqrt(), gauss_cut, bits)
    return _within(low, high, centre, reach, bits)


def _centre(groups: Tensor, low: Tensor) -> tuple[Tensor, Tensor]:
    """Which groups are one-sided, and what their values lie around."""
    one_sided = low >= 0
    return one_sided, torch.where(one_sided, 0.0, groups.mean(dim=1, keepdim=True))


def _mean_of_positive(groups: Tensor) -> Tensor:
    positive = groups > 0
    return (groups * positive).sum(dim=1, keepdim=True) / positive.sum(dim=1, keepdim=True).clamp(
        min=1
    )


def _within(low: Tensor, high: Tensor, centre: Tensor, reach: Tensor, bits: int) -> QParams:
    """Levels from `reach` below the centre to `reach` above, as far as there are values."""
    near, far = torch.maximum(low, centre - reach), torch.minimum(high, centre + reach)
    constant = low == high  # the mean of equal numbers is off by a rounding, and they are not
    return affine_between(low.where(constant, near), high.where(constant, far), bits=bits)


def _reach(one_sided: Tensor, width: Tensor, cut: Callable[[int], float], bits: int) -> Tensor:
    return width * torch.where(one_sided, cut(bits + 1), cut(bits))
