"""Linear codes: a weight is a whole number of equal steps.

The survey's equation 2 rounds `x` to the nearest of `n` levels between `a` and `b`, one step
`s = (b - a) / (n - 1)` apart. `fake_quantize` is that equation, with the straight-through
gradient that training needs. `quantize` and `dequantize` are its two halves, for storage: codes
`0 .. n-1`, and `value = (code - zero_point) * scale`, with `scale = s` and `zero_point = -a / s`.
Signed codes are the same levels counted from another place.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float, Integer
from torch import Tensor

from efficientdl import _check
from efficientdl.catalogue import Measure, technique
from efficientdl.tensors.granularity import Granularity


class QParams(NamedTuple):
    """Where codes stand on the number line, one row for each group.

    Attributes:
        scale: The step from one level to the next; in a group of one value, that
            value's size.
        zero_point: The code that stands for 0.0, where there is one.
        n_levels: How many levels there are.
        lowest: The lowest code: 0, or a negative number where codes are signed.
    """

    scale: Float[Tensor, "groups 1"]
    zero_point: Float[Tensor, "groups 1"]
    n_levels: int
    lowest: int = 0

    @property
    def bits(self) -> int:
        """Bits that one code takes."""
        return (self.n_levels - 1).bit_length()


Rule = Callable[..., QParams]


def as_signed(qparams: QParams) -> QParams:
    """The same levels under signed codes, from `-2**(bits-1)` or one above it.

    Where `symmetric` chose the range the code of 0.0 becomes 0, as arithmetic wants it.

    >>> qparams = symmetric(torch.tensor([[-1.0, 0.5]]), bits=8)
    >>> int(qparams.zero_point), int(as_signed(qparams).zero_point), as_signed(qparams).lowest
    (127, 0, -127)
    """
    shift = qparams.lowest + qparams.n_levels // 2
    return qparams._replace(zero_point=qparams.zero_point - shift, lowest=qparams.lowest - shift)


def symmetric(groups: Float[Tensor, "groups size"], *, bits: int) -> QParams:
    """The range from `-max|x|` to `max|x|`, in `2**bits - 1` levels with zero in their middle.

    One level is given up so that zero is exact and no zero point needs to be stored. A group of
    one value takes that as its step, so that it is exact too.

    Args:
        groups: What shares a scale, one group a row.
        bits: Bits of a code, 2..16.

    >>> symmetric(torch.tensor([[-1.0, 0.5], [0.0, 3.5]]), bits=4).scale
    tensor([[0.1429],
            [0.5000]])
    """
    return symmetric_between(*ends_of("symmetric", groups), bits=bits)


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
    return affine_between(*ends_of("affine", groups), bits=bits)


Ends = Float[Tensor, "groups 1"]
Between = Callable[..., QParams]


def ends_of(caller: str, groups: Float[Tensor, "groups size"]) -> tuple[Ends, Ends]:
    """The least and the largest value of each group.

    Args:
        caller: Who asks, for the error.
        groups: What shares a scale, one group a row.

    Raises:
        BadValue: A value is no finite number, or a group is empty.
    """
    if groups.shape[1] == 0:
        _check.fail(caller, "x", "must hold values", tuple(groups.shape))
    low, high = groups.amin(dim=1, keepdim=True), groups.amax(dim=1, keepdim=True)
    if not bool((low.isfinite() & high.isfinite()).all()):
        bad = float(groups[~groups.isfinite()][0].detach())
        _check.fail(caller, "x", "must hold finite numbers alone", bad)
    return low, high


def symmetric_between(low: Ends, high: Ends, *, bits: int) -> QParams:
    """As `symmetric`, for ends that are chosen already: the one farther from zero counts.

    Args:
        low: The lower end of each group's range.
        high: The upper end.
        bits: Bits of a code, 2..16.
    """
    _check.whole("symmetric", "bits", bits, 2, 16)
    n_levels = 2**bits - 1
    size = torch.maximum(low.abs(), high.abs())
    scale = _exact_if_constant(_step(-size, size, n_levels), low, high)
    return QParams(scale, torch.full_like(scale, (n_levels - 1) / 2), n_levels)


def affine_between(low: Ends, high: Ends, *, bits: int) -> QParams:
    """As `affine`, for ends that are chosen already; zero comes to lie between them.

    Args:
        low: The lower end of each group's range.
        high: The upper end.
        bits: Bits of a code, 1..16.
    """
    _check.whole("affine", "bits", bits, 1, 16)
    below, above = low.clamp(max=0), high.clamp(min=0)
    scale = _exact_if_constant(_step(below, above, 2**bits), low, high)
    return QParams(scale, (-below / scale).round(), 2**bits)


@technique(
    "quant-range-minmax",
    paper="Jacob, Kligys, Chen, Zhu, Tang, Howard, Adam and Kalenichenko, Quantization and "
    "Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference, 2018",
    survey="2.3, eq. 2",
    lab="04_quantization",
    kind=Measure(),
)
def min_max(groups: Float[Tensor, "groups size"], *, bits: int) -> QParams:
    """Min-max range, equation 2's own: `a` the least value, `b` the largest, `n = 2**bits` levels.

    Both ends are exact; zero is a level only by chance. One row is a range per tensor, a row for
    each filter a range per channel.

    Args:
        groups: What shares a scale, one group a row.
        bits: Bits of a code, 1..16.

    >>> min_max(torch.tensor([[-1.0, 0.5, 2.0], [0.0, 30.0, 3.0]]), bits=2).scale.tolist()
    [[1.0], [10.0]]

    Source: Jacob et al., "Quantization and Training of Neural Networks for Efficient
    Integer-Arithmetic-Only Inference", CVPR 2018, section 3; the survey's equation 2 in section
    2.3; lab 04.
    """
    _check.whole("min_max", "bits", bits, 1, 16)
    low, high = ends_of("min_max", groups)
    scale = _exact_if_constant(_step(low, high, 2**bits), low, high)
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
    """The code of the nearest level; what lies outside takes the end level.

    Codes are bytes where they fit into one: `uint8`, or `int8` where they are signed.

    >>> from efficientdl.tensors import PerTensor
    >>> x = torch.tensor([-1.0, 0.3, 1.0])
    >>> quantize(x, choose_qparams(x, bits=2, granularity=PerTensor()), granularity=PerTensor())
    tensor([0, 1, 2], dtype=torch.uint8)
    """
    step = qparams.scale.where(qparams.scale != 0, 1.0)  # 0 in a binary group of zeros
    places = granularity.group(x) / step + qparams.zero_point
    codes = places.round().clamp(qparams.lowest, qparams.lowest + qparams.n_levels - 1)
    byte = torch.uint8 if qparams.lowest == 0 else torch.int8
    dtype = byte if qparams.n_levels <= 256 else torch.int32
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


def _exact_if_constant(scale: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """A group of one value takes it as its step, and one step from zero is that value exactly."""
    return torch.where((low == high) & (low != 0), low.abs(), scale)


def _step(low: Tensor, high: Tensor, n_levels: int) -> Tensor:
    """`s(a, b, n)` of eq. 2; 1 where a = b, so that a constant group divides by no zero."""
    step = (high - low) / (n_levels - 1)
    return step.where(step > 0, 1.0)


def _round_straight_through(x: Tensor) -> Tensor:
    """`x.round()` whose gradient is 1. The difference is exact in floats, so the sum is too."""
    return x + (x.round() - x).detach()
