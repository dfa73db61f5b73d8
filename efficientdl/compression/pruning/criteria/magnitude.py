"""Magnitude: how large a weight is."""

from jaxtyping import Float
from torch import Tensor

from efficientdl.catalogue import Criterion, technique


@technique(
    "crit-magnitude",
    paper="Han, Pool, Tran and Dally, Learning both Weights and Connections for Efficient Neural "
    "Networks, 2015",
    survey="2.1",
    lab="00_start_here",
    kind=Criterion(),
)
def magnitude(weight: Float[Tensor, "*shape"], **_: Tensor) -> Float[Tensor, "*shape"]:
    """Magnitude: a weight near zero does little, so it matters little.

    It looks at nothing but the weight itself, and is hard to beat.

    >>> import torch
    >>> magnitude(torch.tensor([-3.0, 0.5]))
    tensor([3.0000, 0.5000])

    Source: Han et al., "Learning both Weights and Connections for Efficient Neural Networks",
    NeurIPS 2015, section 3; the survey's section 2.1, "Importance Criteria"; lab 00.
    """
    return weight.abs()
