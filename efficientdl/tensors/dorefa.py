"""DoReFa's rules: weights through tanh, activations cut to 0..1, gradients with noise.

Each maps its tensor into 0..1, rounds it there to one of `2**bits` levels, and maps it back.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from efficientdl import _check
from efficientdl.tensors.affine import fake_quantize


def unit_levels(x: Float[Tensor, "*shape"], *, bits: int) -> Float[Tensor, "*shape"]:
    """Numbers in 0..1 as the nearest of `2**bits` levels there, with a straight-through gradient.

    Args:
        x: What to round; what lies outside 0..1 is cut.
        bits: Bits of a code, 1..16.

    >>> unit_levels(torch.tensor([0.1, 0.4, 0.6, 1.3]), bits=2).mul(3).tolist()
    [0.0, 1.0, 2.0, 3.0]

    Source: Zhou, Wu, Ni, Zhou, Wen and Zou, "DoReFa-Net", 2016, equation 5; lab 04.
    """
    _check.whole("unit_levels", "bits", bits, 1, 16)
    return fake_quantize(x, low=0.0, high=1.0, n_levels=2**bits)  # eq. 5


def dorefa_weight(weight: Float[Tensor, "*shape"], *, bits: int) -> Float[Tensor, "*shape"]:
    """A weight in -1..1: squeezed by tanh, stretched to the whole range, rounded.

    One bit is the sign times the mean magnitude, whose gradient goes straight through. The largest
    value, by which the others are stretched, counts as a constant in the gradient.

    Args:
        weight: The weight.
        bits: Bits of a code, 1..16.

    >>> dorefa_weight(torch.tensor([-9.0, 0.1, 9.0]), bits=2).mul(3).round().tolist()
    [-3.0, 1.0, 3.0]

    Source: Zhou et al., "DoReFa-Net", 2016, equations 7 and 9; the survey's section 2.3; lab 04.
    """
    if bits == 1:
        size = weight.detach().abs().mean()
        values = torch.where(weight.detach() >= 0, size, -size)
        return values + (weight - weight.detach())  # eq. 7, 8
    squeezed = weight.tanh()
    largest = squeezed.detach().abs().amax().clamp(min=torch.finfo(weight.dtype).tiny)
    return 2 * unit_levels(squeezed / (2 * largest) + 0.5, bits=bits) - 1  # eq. 9


def dorefa_activation(x: Float[Tensor, "*shape"], *, bits: int) -> Float[Tensor, "*shape"]:
    """An activation in 0..1: cut, and rounded. What lies outside gets no gradient.

    >>> dorefa_activation(torch.tensor([-1.0, 0.4, 7.0]), bits=1).tolist()
    [0.0, 0.0, 1.0]

    Source: Zhou et al., "DoReFa-Net", 2016, equation 11; lab 04.
    """
    return unit_levels(x, bits=bits)  # eq. 11


def dorefa_gradient(
    grad: Float[Tensor, "n ..."], u: Float[Tensor, "n ..."], *, bits: int
) -> Float[Tensor, "n ..."]:
    """A gradient rounded example by example, with noise that makes it right on average.

    Without the noise the many small values would all become zero; with it each has a chance.

    Args:
        grad: The gradient by a layer's output, examples first.
        u: Uniform in [0, 1), of the same shape.
        bits: Bits of a code, 1..16.

    >>> grad = torch.tensor([[1.0, 0.1, -1.0]])
    >>> dorefa_gradient(grad, torch.tensor([[0.5, 0.9, 0.5]]), bits=2).mul(3).round().tolist()
    [[3.0, 1.0, -3.0]]

    Source: Zhou et al., "DoReFa-Net", 2016, equation 12; lab 04.
    """
    _check.whole("dorefa_gradient", "bits", bits, 1, 16)
    largest = grad.abs().flatten(1).amax(dim=1).reshape(-1, *[1] * (grad.ndim - 1))
    reach = 2 * largest.clamp(min=torch.finfo(grad.dtype).tiny)
    noise = (u - 0.5) / (2**bits - 1)
    return reach * (unit_levels(grad / reach + 0.5 + noise, bits=bits) - 0.5)  # eq. 12
