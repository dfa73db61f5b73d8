"""Output sensitivity: whether the network's output notices a weight."""

from jaxtyping import Float
from torch import Tensor

from efficientdl.catalogue import Criterion, technique


@technique(
    "crit-sensitivity",
    paper="Engelbrecht, A New Pruning Heuristic Based on Variance Analysis of Sensitivity "
    "Information, 2001",
    survey="2.1",
    lab="02_pruning",
    kind=Criterion(),
)
def sensitivity(
    weight: Float[Tensor, "*shape"], *, sensitivity_variance: Float[Tensor, "*shape"], **_: Tensor
) -> Float[Tensor, "*shape"]:
    """Variance nullity: a weight to which the output answers alike on every input tells nothing.

    The sensitivity of an output to a weight is `S = do/dw`, one number for each example. Where it
    does not vary from example to example, the weight moves the output by a constant at most, which
    a bias can do as well; a dead unit has `S = 0` throughout. The score is `w^2 var(S)`, the
    variance of the first-order change of the output when the weight goes. No label is needed.

    The paper tests the variance of `S` against zero and averages outputs before it does; here the
    variances are averaged, so that outputs of opposite sign do not cancel, and `w^2` ranks weights
    by what removing them does rather than moving them.

    Args:
        weight: The weight.
        sensitivity_variance: Variance over examples of `do/dw`, averaged over the outputs.

    >>> import torch
    >>> sensitivity(torch.tensor([3.0, 1.0]), sensitivity_variance=torch.tensor([0.0, 2.0]))
    tensor([0., 2.])

    Source: Engelbrecht, "A New Pruning Heuristic Based on Variance Analysis of Sensitivity
    Information", IEEE Transactions on Neural Networks 12(6), 2001; the survey's section 2.1,
    "Importance Criteria"; lab 02.
    """
    return sensitivity_variance * weight.square()
