"""Image synthesis: the student's pictures against the teacher's."""

from jaxtyping import Float
from torch import Tensor

from efficientdl.catalogue import Loss, technique
from efficientdl.fit.distillation.pairs import demand_pair


@technique(
    "kd-gan",
    paper="Li, Lin, Ding, Liu, Zhu and Han, GAN Compression: Efficient Architectures for "
    "Interactive Conditional GANs, 2020",
    survey="2.4",
    lab="05_distillation",
    kind=Loss(),
)
def reconstruction(
    student: Float[Tensor, "n ..."], teacher: Float[Tensor, "..."]
) -> Float[Tensor, ""]:
    """Compressing a generator: the mean distance `|G_student(z) - G_teacher(z)|` of the pictures.

    Training with a critic is a moving target, and a small generator easily loses it. The teacher's
    picture for the same input is a fixed one. GAN compression adds this to the critic's loss, and
    regression on features within (`hint`, after a 1x1 `regressor`); the student's critic starts as
    the teacher's. The distance is the mean over all values.

    Args:
        student: What the small generator makes.
        teacher: What its teacher makes of the same input, taken as constants.

    Raises:
        BadValue: The shapes differ.

    >>> import torch
    >>> reconstruction(torch.zeros(1, 2), torch.tensor([[1.0, -3.0]]))
    tensor(2.)

    Source: Li et al., "GAN Compression", CVPR 2020, section 3.1, equations 1 and 2; the survey's
    section 2.4; lab 05.
    """
    demand_pair("reconstruction", student, teacher, n_axes=2)
    return (student - teacher.detach()).abs().mean()  # eq. 1
