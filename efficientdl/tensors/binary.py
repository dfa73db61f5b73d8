"""Binary codes: a weight, or an activation, is one of two numbers.

The sign of a number has no gradient worth having. While a network trains, the gradient of the
sign is therefore handed to the number itself, as long as that is between -1 and 1.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from efficientdl import _check
from efficientdl.tensors.affine import QParams, ends_of


def binarize(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """The sign of each number, +1 for zero, with a straight-through gradient.

    Its gradient is that of the identity where `|x| <= 1`, and zero beyond, where moving `x` would
    not help any more.

    >>> x = torch.tensor([-2.0, -0.5, 0.0, 0.5], requires_grad=True)
    >>> b = binarize(x)
    >>> b.tolist(), torch.autograd.grad(b.sum(), x)[0].tolist()
    ([-1.0, -1.0, 1.0, 1.0], [0.0, 1.0, 1.0, 1.0])

    Source: the survey's equation 3; gradient: Courbariaux, Hubara, Soudry, El-Yaniv and Bengio,
    "Binarized Neural Networks", 2016, equation 4; lab 04.
    """
    sign = torch.where(x.detach() >= 0, 1.0, -1.0).to(x.dtype)  # eq. 3
    clipped = x.clamp(-1, 1)
    return sign + (clipped - clipped.detach())


def hard_sigmoid(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """The probability that a number becomes +1: 0 at -1, 1/2 at 0, 1 at 1.

    >>> hard_sigmoid(torch.tensor([-3.0, 0.0, 0.5])).tolist()
    [0.0, 0.5, 0.75]

    Source: the survey's equation 5; Courbariaux, Bengio and David, "BinaryConnect", 2015,
    equation 3; lab 04.
    """
    return ((x + 1) / 2).clamp(0, 1)  # eq. 5


def binarize_stochastically(
    x: Float[Tensor, "*shape"], u: Float[Tensor, "*shape"]
) -> Float[Tensor, "*shape"]:
    """+1 with the probability `hard_sigmoid(x)`, -1 otherwise, with a straight-through gradient.

    Between -1 and 1 its expectation is `x` itself.

    Args:
        x: What to binarize.
        u: Uniform in [0, 1).

    >>> x = torch.tensor([0.5, 0.5, -1.0])
    >>> binarize_stochastically(x, torch.tensor([0.7, 0.8, 0.0])).tolist()
    [1.0, -1.0, -1.0]

    Source: the survey's equation 4; Courbariaux, Bengio and David, "BinaryConnect", 2015,
    equation 2; lab 04.
    """
    sign = torch.where(u < hard_sigmoid(x.detach()), 1.0, -1.0).to(x.dtype)  # eq. 4
    clipped = x.clamp(-1, 1)
    return sign + (clipped - clipped.detach())


def binary(groups: Float[Tensor, "groups size"], *, bits: int = 1) -> QParams:
    """Two levels, `-a` and `+a`, with `a` the mean magnitude of each group.

    Of all factors for the signs of a group this one is nearest to the group in the L2 norm. It is a
    rule, as `symmetric` is: `choose_qparams(x, bits=1, granularity=PerChannel(), rule=binary)`.

    Args:
        groups: What shares a factor, one group a row.
        bits: 1; another number has other rules.

    >>> binary(torch.tensor([[-1.0, 0.5, 3.0]])).scale / 2
    tensor([[1.5000]])

    Source: Rastegari, Ordonez, Redmon and Farhadi, "XNOR-Net", ECCV 2016, equation 6; lab 04.
    """
    _check.one_of("binary", "bits", bits, (1,))
    ends_of("binary", groups)
    size = groups.abs().mean(dim=1, keepdim=True)  # eq. 6
    scale = torch.where(size > 0, 2 * size, 0.0)
    return QParams(scale, torch.full_like(scale, 0.5), 2)
