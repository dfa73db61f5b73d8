"""Bring the student's features to the shape of the teacher's."""

from jaxtyping import Float
from torch import Tensor, nn

from efficientdl import _check
from efficientdl.models.initialise import seeded


def regressor(
    student_features: Float[Tensor, "n ..."], teacher_features: Float[Tensor, "..."], *, seed: int
) -> nn.Module:
    """A linear map from the student's width to the teacher's, to be trained along.

    For maps it is a convolution without padding, whose kernel is as large as the resolutions
    differ and one: 1x1 where they agree. Else it is a linear layer over the last axis.

    Args:
        student_features: A layer's output for an example.
        teacher_features: The output of the teacher's layer for the same example.
        seed: Decides its first weights.

    Raises:
        BadValue: The features have different axes, or the teacher's map is the larger.

    >>> import torch
    >>> regressor(torch.zeros(1, 4, 8, 8), torch.zeros(1, 16, 6, 8), seed=0)
    Conv2d(4, 16, kernel_size=(3, 1), stride=(1, 1))
    >>> regressor(torch.zeros(5, 7, 32), torch.zeros(5, 7, 64), seed=0)
    Linear(in_features=32, out_features=64, bias=True)

    Source: Romero et al., "FitNets: Hints for Thin Deep Nets", ICLR 2015, section 2.2; lab 05.
    """
    mine, theirs = tuple(student_features.shape), tuple(teacher_features.shape)
    if len(mine) != len(theirs) or len(mine) < 2:
        rule = f"must have as many axes as the teacher's, {theirs}, and two or more"
        _check.fail("regressor", "student_features", rule, mine)
    if len(mine) != 4:
        made = seeded(lambda: nn.Linear(mine[-1], theirs[-1]), seed=seed)
        return made.to(student_features)
    rows, columns = mine[2] - theirs[2] + 1, mine[3] - theirs[3] + 1
    if min(rows, columns) < 1:
        rule = f"must be at least as large as the teacher's map, {theirs[2:]}"
        _check.fail("regressor", "student_features", rule, mine[2:])
    made = seeded(lambda: nn.Conv2d(mine[1], theirs[1], (rows, columns)), seed=seed)
    return made.to(student_features)
