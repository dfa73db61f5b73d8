"""First-order Taylor: what the loss would change by, read off its gradient."""

from jaxtyping import Float
from torch import Tensor

from efficientdl.catalogue import Criterion, technique


@technique(
    "crit-taylor",
    paper="Molchanov, Tyree, Karras, Aila and Kautz, Pruning Convolutional Neural Networks for "
    "Resource Efficient Transfer Learning, 2017",
    survey="2.1",
    lab="02_pruning",
    kind=Criterion(),
)
def taylor(
    weight: Float[Tensor, "*shape"], *, grad: Float[Tensor, "*shape"], **_: Tensor
) -> Float[Tensor, "*shape"]:
    """First-order Taylor: the change of the loss when a weight becomes zero, to first order.

    Setting `w` to zero moves the loss by `L(0) - L(w) = -g w + O(w^2)`, where `g = dL/dw`, so the
    score is `|g w|`. One gradient scores every weight at once. At the end of training the
    gradient is near zero and says little; the second-order criteria look further. The paper
    scores whole feature maps; this is the same expansion, weight by weight.

    Args:
        weight: The weight.
        grad: Gradient of the mean loss in this weight.

    >>> import torch
    >>> taylor(torch.tensor([4.0, 0.5]), grad=torch.tensor([-0.1, 2.0]))
    tensor([0.4000, 1.0000])

    Source: Molchanov et al., "Pruning Convolutional Neural Networks for Resource Efficient
    Transfer Learning", ICLR 2017, section 2.2; the survey's section 2.1, "Importance
    Criteria"; lab 02.
    """
    return (grad * weight).abs()
