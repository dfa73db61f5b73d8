"""Group norms: how large a row, a kernel or a filter is as a whole."""

from jaxtyping import Float
from torch import Tensor

from efficientdl.catalogue import Criterion, technique


@technique(
    "crit-l2-norm",
    paper="He, Zhang and Sun, Channel Pruning for Accelerating Very Deep Neural Networks, 2017",
    survey="2.1",
    lab="02_pruning",
    kind=Criterion(),
)
def l2_norm(weight: Float[Tensor, "*shape"], **_: Tensor) -> Float[Tensor, "*shape"]:
    """Group L2 norm: a group whose weights have little energy together matters little.

    Each weight scores its square. Groups are ranked by their mean score, which for a group of
    `n` weights is `||w||^2 / n`: among groups of one size the order is that of their L2 norms,
    and weights alone are ranked as by magnitude. One large weight therefore saves its group,
    where the mean magnitude would drown it. Between layers whose groups differ in size, what is
    compared is the root mean square, so a group is not kept for being large.

    >>> import torch
    >>> from efficientdl.tensors import PerChannel
    >>> spread, peaked = [2.0, 2.0, 2.0, 2.0], [5.0, 0.0, 0.0, 0.0]
    >>> PerChannel().group(l2_norm(torch.tensor([spread, peaked]))).sum(dim=1).sqrt()
    tensor([4., 5.])

    Source: He, Zhang and Sun, "Channel Pruning for Accelerating Very Deep Neural Networks", ICCV
    2017, where it is the baseline; the survey's section 2.1, "Importance Criteria"; lab 02.
    """
    return weight.square()
