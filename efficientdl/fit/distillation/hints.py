"""Feature against feature: the student's middle guided by the teacher's."""

from jaxtyping import Float
from torch import Tensor

from efficientdl.catalogue import Loss, technique
from efficientdl.fit.distillation.pairs import demand_pair


@technique(
    "kd-fitnet",
    paper="Romero, Ballas, Kahou, Chassang, Gatta and Bengio, FitNets: Hints for Thin Deep Nets, "
    "2015",
    survey="2.4",
    lab="05_distillation",
    kind=Loss(),
)
def hint(
    student_features: Float[Tensor, "n ..."], teacher_features: Float[Tensor, "..."]
) -> Float[Tensor, ""]:
    """Hints: regress a layer of the student, the guided one, on a layer of the teacher.

    `L = 1/2 |teacher - r(student)|**2`, where the regressor `r` has brought a thin layer to the
    teacher's width: `regressor` of `efficientdl.compression.distillation`, which is trained along
    and thrown away. The square is a mean over all entries where the paper sums them, so that a
    weight means the same for maps of any size.

    Args:
        student_features: Output of the guided layer, after the regressor.
        teacher_features: Output of the hint layer for the same examples, taken as constants.

    Raises:
        BadValue: The shapes differ: a regressor is missing.

    >>> import torch
    >>> hint(torch.zeros(1, 2), torch.tensor([[1.0, 3.0]]))
    tensor(2.5000)

    Source: Romero et al., "FitNets: Hints for Thin Deep Nets", ICLR 2015, section 2.2, equation 3;
    the survey's section 2.4; lab 05.
    """
    demand_pair("hint", student_features, teacher_features, n_axes=2)
    return (teacher_features.detach() - student_features).square().mean() / 2  # eq. 3
