"""Linear codes: a weight is a whole number of equal steps.

The survey's equation 2 rounds `x` to the nearest of `n` levels between `a` and `b`, one step
`s = (b - a) / (n - 1)` apart. `fake_quantize` is that equation, with the straight-through
gradient that training needs. `quantize` and `dequantize` are its two halves, for storage: codes
`0 .. n-1`, and `value = (code - zero_point) * scale`, with `scale = s` and `zero_point = -a / s`.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float, Integer
from torch import Tensor

from efficientdl import _check
from efficientdl.tensors.granularity import Granularity


class QParams(NamedTuple):
    """Where codes stand on the number line, one row for each group.

    Attributes:
        scale: The step from one level to the next; 1 for a group that holds one value only.
        zero_point: The code that stands for 0.0, where there is one.
        n_levels: How many levels there are.
    """

    scale: Float[Tensor, "groups 1"]
    zero_point: Float[Tensor, "groups 1"]
    n_levels: int

    @property
    def bits(self) -> int:
        """Bits that one code takes."""
        return (self.n_levels - 1).bit_length()


Rule = Callable[..., QParams]


def symmetric(groups: Float[Tensor, "groups size"], *, bits: int) -> QParams:
    """The range from `-max|x|` to `max|x|`, in `2**bits - 1` levels with zero in their middle.

    One level is given up so that zero is exact and no zero point needs to be stored.

    Args:
        groups: What shares a scale, one group a row.
        bits: Bits of a code, 2..16.

    >>> symmetric(torch.tensor([[-1.0, 0.5], [0.0, 3.5]]), bits=4).scale
    tensor([[0.1429],
            [0.5000]])
    """
    _check.whole("symmetric", "bits", bits, 2, 16)
    n_levels = 2**bits - 1
    high = groups.abs().amax(dim=1, keepdim=True)
    scale = _step(-high, high, n_levels)
    return QParams(scale, torch.full_like(scale, (n_levels - 1) / 2), n_levels)


def affine(groups: Float[Tensor, "groups size"], *, bits: int) -> QParams:
    """The range from least to largest, moved and widened so that 0.0 is a level.

    Zeros (padding, pruned weights) then stay exact. The zero point is a whole number, as
    arithmetic on integers needs it.

    Args:
        groups: What shares a scale, one group a row.
        bits: Bits of a code, 1..16.

    Source: Jacob et al., "Quantization and Training of Neural Networks for Efficient
    Integer-Arithmetic-Only Inference", CVPR 2018, section 2.1 and 3; the survey's section 2.3.
    """
    _check.whole("affine", "bits", bits, 1, 16)
    low = groups.amin(dim=1, keepdim=True).clamp(max=0)
    high = groups.amax(dim=1, keepdim=True).clamp(min=0)
    scale = _step(low, high, 2**bits)
    return QParams(scale, (-low / scale).round(), 2**bits)


def min_max(groups: Float[Tensor, "groups size"], *, bits: int) -> QParams:
    """Equation 2's own range: `a` the least value, `b` the largest, `n = 2**bits` levels.

    Both ends are exact; zero is a level only by chance.

    Args:
        groups: What shares a scale, one group a row.
        bits: Bits of a code, 1..16.
    """
    _check.whole("min_max", "bits", bits, 1, 16)
    low, high = groups.amin(dim=1, keepdim=True), groups.amax(dim=1, keepdim=True)
    scale = _step(low, high, 2**bits)
    return QParams(scale, -low / scale, 2**bits)


def choose_qparams(
    x: Float[Tensor, "..."], *, bits: int, granularity: Granularity, rule: Rule = symmetric
) -> QParams:
    """Scale and zero point for each group of `x`.

    Args:
        x: The tensor to be quantized.
        bits: Bits of a code, 1..16 (2..16 where the range is symmetric).
        granularity: Which weights share a scale.
        rule: How the range is chosen: `symmetric`, `affine` or `min_max`.
    """
    return rule(granularity.group(x), bits=bits)


def quantize(
    x: Float[Tensor, "*shape"], qparams: QParams, *, granularity: Granularity
) -> Integer[Tensor, "*shape"]:
    """The code of the nearest level, `0 .. n_levels-1`; what lies outside takes the end level.

    >>> from efficientdl.tensors import PerTensor
    >>> x = torch.tensor([-1.0, 0.3, 1.0])
    >>> quantize(x, choose_qparams(x, bits=2, granularity=PerTensor()), granularity=PerTensor())
    tensor([0, 1, 2], dtype=torch.uint8)
    """
    places = granularity.group(x) / qparams.scale + qparams.zero_point
    codes = places.round().clamp(0, qparams.n_levels - 1)
    dtype = torch.uint8 if qparams.n_levels <= 256 else torch.int32
    return granularity.ungroup(codes.to(dtype), tuple(x.shape))


def dequantize(
    codes: Integer[Tensor, "*shape"], qparams: QParams, *, granularity: Granularity
) -> Float[Tensor, "*shape"]:
    """The values that the codes stand for.

    >>> from efficientdl.tensors import PerTensor
    >>> x = torch.tensor([-1.0, 0.3, 1.0])
    >>> qparams = choose_qparams(x, bits=2, granularity=PerTensor())
    >>> dequantize(quantize(x, qparams, granularity=PerTensor()), qparams, granularity=PerTensor())
    tensor([-1., 0., 1.])
    """
    groups = granularity.group(codes).to(qparams.scale.dtype)
    return granularity.ungroup((groups - qparams.zero_point) * qparams.scale, tuple(codes.shape))


def fake_quantize(
    x: Float[Tensor, "*shape"],
    *,
    low: Float[Tensor, "..."] | float,
    high: Float[Tensor, "..."] | float,
    n_levels: int,
) -> Float[Tensor, "*shape"]:
    """Round `x` to the nearest of `n_levels` levels from `low` to `high`, still in float.

    The gradient goes straight through the rounding: it is 1 inside the range and, by the clamp,
    0 outside. `low` and `high` get theirs too, so that a range can be learned.

    Args:
        x: What to round.
        low: The lowest level, `a`; a number, or a tensor that broadcasts against `x`.
        high: The highest level, `b`.
        n_levels: How many levels there are, `n`.

    >>> x = torch.tensor([-3.0, 0.1, 0.4], requires_grad=True)
    >>> q = fake_quantize(x, low=-1.0, high=1.0, n_levels=5)
    >>> q
    tensor([-1.0000,  0.0000,  0.5000], grad_fn=<AddBackward0>)
    >>> torch.autograd.grad(q.sum(), x)[0]
    tensor([0., 1., 1.])

    Source: equation 2 in section 2.3 of the survey; straight-through estimator: Bengio, Léonard
    and Courville, "Estimating or Propagating Gradients Through Stochastic Neurons", 2013; lab 00.
    """
    _check.whole("fake_quantize", "n_levels", n_levels, 2)
    low, high = (torch.as_tensor(end, dtype=x.dtype, device=x.device) for end in (low, high))
    if not bool((low <= high).all()):
        _check.fail("fake_quantize", "low", "must not be above high", (low, high))
    step = _step(low, high, n_levels)
    clamped = x.clamp(low, high)
    return _round_straight_through((clamped - low) / step) * step + low  # eq. 2


def _step(low: Tensor, high: Tensor, n_levels: int) -> Tensor:
    """`s(a, b, n)` of eq. 2; 1 where a = b, so that a constant group divides by no zero."""
    step = (high - low) / (n_levels - 1)
    return step.where(step > 0, 1.0)


def _round_straight_through(x: Tensor) -> Tensor:
    """`x.round()` whose gradient is 1. The difference is exact in floats, so the sum is too."""
    return x + (x.round() - x).detach()
