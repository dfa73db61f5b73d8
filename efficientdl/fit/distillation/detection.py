"""Detection: classes among which the background is far the most frequent, and boxes."""

from math import isfinite

import torch
from jaxtyping import Float
from torch import Tensor

from efficientdl import _check
from efficientdl.catalogue import Loss, technique
from efficientdl.fit.distillation.pairs import demand_pair


@technique(
    "kd-detection",
    paper="Chen, Choi, Yu, Han and Chandraker, Learning Efficient Object Detection Models with "
    "Knowledge Distillation, 2017",
    survey="2.4",
    lab="05_distillation",
    kind=Loss(options={"background_weight": 1.5}),
)
def weighted_soft_targets(
    student: Float[Tensor, "*n classes"],
    teacher: Float[Tensor, "*_"],
    *,
    background_weight: float = 1.5,
) -> Float[Tensor, ""]:
    """Distillation for detection: soft targets in which the background, class 0, weighs more.

    `L = -sum_c w_c p_teacher,c log p_student,c` with `w_0` for the background and 1 for the others,
    less what the teacher itself would get, so that agreement is zero. Most places show no object,
    and mistaking background for one is the most frequent mistake. The weight has a price: the
    minimum is no longer the teacher but the shares `w_c p_teacher,c`, brought back to a sum of one,
    so a student that leans towards the background may come out below zero. Boxes are taught by
    `bounded_regression`, features by `hint`.

    Args:
        student: Scores before the softmax, the classes last, the background first among them.
        teacher: Its teacher's, of the same shape, taken as constants.
        background_weight: `w_0`, above zero; 1 is `soft_targets` at temperature 1.

    Raises:
        BadValue: The shapes differ, or the weight is not a positive number.

    >>> scores = torch.tensor([[2.0, 0.0, 1.0]])
    >>> round(float(weighted_soft_targets(torch.zeros(1, 3), scores, background_weight=1.5)), 3)
    0.496

    Source: Chen et al., "Learning Efficient Object Detection Models with Knowledge Distillation",
    NeurIPS 2017, section 3.2, equation 3; the survey's section 2.4; lab 05.
    """
    caller = "weighted_soft_targets"
    demand_pair(caller, student, teacher, n_axes=2)
    _check.at_least(caller, "background_weight", background_weight, 0)
    if background_weight == 0 or not isfinite(background_weight):
        _check.fail(caller, "background_weight", "must be a positive number", background_weight)
    mine, theirs = student.log_softmax(-1), teacher.detach().log_softmax(-1)
    weight = theirs.new_ones(theirs.shape[-1])
    weight[0] = background_weight
    return (weight * theirs.exp() * (theirs - mine)).sum(-1).mean()  # eq. 3


def bounded_regression(
    student: Float[Tensor, "*n offsets"],
    teacher: Float[Tensor, "*_"],
    *,
    target: Float[Tensor, "*_"],
    margin: float,
) -> Float[Tensor, ""]:
    """The student's squared error, where it is not yet better than the teacher by a margin.

    `L = |student - y|**2` where `|student - y|**2 + m > |teacher - y|**2`, else 0; mean over the
    boxes. A teacher may point in a direction that is wrong altogether, so its boxes are no
    targets: they are a bar, and who has passed it is left alone.

    Args:
        student: Offsets of boxes, four to each as a rule, the last axis.
        teacher: Its teacher's, of the same shape, taken as constants.
        target: The true offsets, of the same shape.
        margin: `m`, 0 or more, a squared distance.

    Raises:
        BadValue: The shapes differ, or the margin is negative.

    >>> student, teacher = torch.tensor([[1.0], [3.0]]), torch.tensor([[2.0], [2.0]])
    >>> bounded_regression(student, teacher, target=torch.zeros(2, 1), margin=0.0)  # 0 and 9
    tensor(4.5000)

    Source: Chen et al., NeurIPS 2017, section 3.3, equation 4; lab 05.
    """
    caller = "bounded_regression"
    demand_pair(caller, student, teacher, n_axes=2)
    demand_pair(caller, student, target, n_axes=2)
    _check.at_least(caller, "margin", margin, 0)
    mine = (student - target).square().sum(-1)
    theirs = (teacher.detach() - target).square().sum(-1)
    return torch.where(mine + margin > theirs, mine, 0.0).mean()  # eq. 4
