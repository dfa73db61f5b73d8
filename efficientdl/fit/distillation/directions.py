"""Vectors of length one, at any size of their entries."""

import torch
from jaxtyping import Float
from torch import Tensor


def peak(x: Float[Tensor, "*shape"], dim: int | tuple[int, ...]) -> Float[Tensor, "..."]:
    """The largest magnitude along some axes, as a constant, and one where all entries are zero.

    What is divided by it neither overflows nor vanishes when it is squared.
    """
    largest = x.detach().abs().amax(dim=dim, keepdim=True)
    return torch.where(largest > 0, largest, torch.ones_like(largest))


def unit(x: Float[Tensor, "*shape"], dim: int) -> Float[Tensor, "*shape"]:
    """`x` divided by its Euclidean norm along one axis; a vector of zeros stays one.

    >>> unit(torch.tensor([[3e30, 4e30], [0.0, 0.0]]), dim=1)
    tensor([[0.6000, 0.8000],
            [0.0000, 0.0000]])
    """
    # The peak counts as a constant: a direction does not change with the length, and neither
    # does its derivative but for the factor 1 / peak.
    scaled = x / peak(x, dim)
    norm = torch.linalg.vector_norm(scaled, dim=dim, keepdim=True)
    return scaled / torch.where(norm > 0, norm, torch.ones_like(norm))
