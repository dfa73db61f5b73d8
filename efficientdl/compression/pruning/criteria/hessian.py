"""Second order: what the loss would change by, read off its curvature.

Near a minimum the gradient is zero and the loss is `w^T H w / 2` around it. Optimal Brain Damage
looks at the diagonal of `H` alone: no weight answers for another. Optimal Brain Surgeon lets the
weights that stay make up for the one that goes, and so asks for the inverse of `H`.
"""

from jaxtyping import Float
from torch import Tensor

from efficientdl.catalogue import Criterion, technique


@technique(
    "crit-obd",
    paper="LeCun, Denker and Solla, Optimal Brain Damage, 1989",
    survey="2.1",
    lab="02_pruning",
    kind=Criterion(),
)
def obd(
    weight: Float[Tensor, "*shape"], *, hessian_diagonal: Float[Tensor, "*shape"], **_: Tensor
) -> Float[Tensor, "*shape"]:
    """Optimal Brain Damage: how much the loss rises when a weight goes, others staying put.

    The saliency is `s_k = h_kk w_k^2 / 2`. At the minimum of a quadratic loss it is the true
    change when one weight goes; where the Hessian is diagonal the changes of several add up.

    `prune` takes `h_kk` from the Gauss-Newton matrix, which is never negative: it leaves out the
    curvature of the network itself, which is zero, for one weight, where units are piecewise
    linear. Given a Hessian with negative entries, such weights go first.

    Args:
        weight: The weight.
        hessian_diagonal: Second derivative of the mean loss in each weight by itself, `h_kk`.

    >>> import torch
    >>> obd(torch.tensor([1.0, 2.0]), hessian_diagonal=torch.tensor([6.0, 0.5]))
    tensor([3., 1.])

    Source: LeCun, Denker and Solla, "Optimal Brain Damage", NeurIPS 1989, the recipe in section 2;
    the survey's section 2.1, "Importance Criteria"; lab 02.
    """
    return hessian_diagonal * weight.square() / 2  # the recipe, step 4


def obs(
    weight: Float[Tensor, "*shape"], *, inverse_hessian_diagonal: Float[Tensor, "..."], **_: Tensor
) -> Float[Tensor, "*shape"]:
    """Optimal Brain Surgeon's score: how much the error rises when a weight goes and others adjust.

    The saliency is `L_q = w_q^2 / (2 [H^-1]_qq)`: never more than Optimal Brain Damage's, since
    the others may help. Scores alone do not move them: `optimal_brain_surgeon` does that too.

    Args:
        weight: The weight.
        inverse_hessian_diagonal: Diagonal of the inverse of the layer's Hessian, in a shape that
            broadcasts against the weight's.

    >>> import torch
    >>> obs(torch.tensor([1.0, 2.0]), inverse_hessian_diagonal=torch.tensor([0.5, 1.0]))
    tensor([1., 2.])

    Source: Hassibi and Stork, "Second Order Derivatives for Network Pruning: Optimal Brain
    Surgeon", NeurIPS 1993, equation 5; the survey's section 2.1, "Importance Criteria"; lab 02.
    """
    return weight.square() / (2 * inverse_hessian_diagonal)  # eq. 5
