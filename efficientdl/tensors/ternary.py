"""Ternary codes: a weight is zero, or one of two numbers, as a rule of the same size.

Two bits hold three levels. Zero among them is worth much: small weights need not be made large.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from efficientdl import _check
from efficientdl.tensors.affine import QParams, ends_of

SHARE = 0.7  # of the mean magnitude: best for normal weights is 0.75, for uniform ones 0.67


def ternary_threshold(
    groups: Float[Tensor, "groups size"], *, share: float = SHARE
) -> Float[Tensor, "groups 1"]:
    """The magnitude up to which a weight becomes zero: `0.7` times the mean magnitude.

    The best threshold is where equation 6 is largest, which has no closed form. For normal and for
    uniform weights it is near 0.7 of the mean, and that is the paper's rule of thumb.

    Args:
        groups: What shares a threshold, one group a row.
        share: Of the mean magnitude, 0 or more.

    >>> ternary_threshold(torch.tensor([[-1.0, 2.0, 3.0]]))
    tensor([[1.4000]])

    Source: Li, Zhang and Liu, "Ternary Weight Networks", 2016, section 2, the rule of thumb for
    equation 6; lab 04.
    """
    _check.at_least("ternary_threshold", "share", share, 0)
    return share * groups.abs().mean(dim=1, keepdim=True)  # instead of eq. 6


def ternary_size(
    groups: Float[Tensor, "groups size"], threshold: Float[Tensor, "groups 1"]
) -> Float[Tensor, "groups 1"]:
    """The size of what does not become zero: the mean magnitude beyond the threshold.

    For this threshold no other size is nearer to the group in the L2 norm. Zero where nothing
    lies beyond.

    >>> ternary_size(torch.tensor([[-1.0, 2.0, 3.0]]), torch.tensor([[1.4]]))
    tensor([[2.5000]])

    Source: Li, Zhang and Liu, "Ternary Weight Networks", 2016, equation 5; lab 04.
    """
    beyond = groups.abs() > threshold
    total = (groups.abs() * beyond).sum(dim=1, keepdim=True)
    return total / beyond.sum(dim=1, keepdim=True).clamp(min=1)  # eq. 5


def ternary(groups: Float[Tensor, "groups size"], *, bits: int = 2) -> QParams:
    """Three levels, `-E`, 0 and `+E`; what rounds to them is cut at half of `E`.

    The levels of a ternary weight, as a rule: `choose_qparams(..., bits=2, rule=ternary)`. To cut
    at the paper's threshold, quantize what `ternarize` gives: it holds these levels already.

    Args:
        groups: What shares a scale, one group a row.
        bits: 2; another number has other rules.

    >>> ternary(torch.tensor([[-1.0, 2.0, 3.0]])).scale
    tensor([[2.5000]])

    Source: Li, Zhang and Liu, "Ternary Weight Networks", 2016, section 2; lab 04.
    """
    _check.one_of("ternary", "bits", bits, (2,))
    ends_of("ternary", groups)
    size = ternary_size(groups, ternary_threshold(groups))
    return QParams(torch.where(size > 0, size, 1.0), torch.ones_like(size), 3)


def ternarize(groups: Float[Tensor, "groups size"]) -> Float[Tensor, "groups size"]:
    """Each weight as -E, 0 or +E of its group, with a straight-through gradient.

    >>> ternarize(torch.tensor([[-1.0, 2.0, -3.0]]))
    tensor([[ 0.0000,  2.5000, -2.5000]])

    Source: Li, Zhang and Liu, "Ternary Weight Networks", 2016, equations 3 and 5; lab 04.
    """
    fixed = groups.detach()
    threshold = ternary_threshold(fixed)
    beyond = fixed.abs() > threshold
    values = fixed.sign() * beyond * ternary_size(fixed, threshold)  # eq. 3
    return values + (groups - fixed)  # which is zero, with the gradient of a sum
