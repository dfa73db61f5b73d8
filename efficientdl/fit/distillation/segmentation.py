"""Segmentation: the class of every pixel, and how alike the pixels are."""

from jaxtyping import Float
from torch import Tensor, einsum

from efficientdl.catalogue import Loss, technique
from efficientdl.fit.distillation.directions import unit
from efficientdl.fit.distillation.logits import demand_temperature, divergence
from efficientdl.fit.distillation.pairs import demand_pair


def pixelwise(
    student: Float[Tensor, "n classes h w"],
    teacher: Float[Tensor, "_ _ _ _"],
    *,
    temperature: float = 1.0,
) -> Float[Tensor, ""]:
    """Soft targets for every pixel by itself: `1 / (h w) sum_i KL(p_teacher,i || p_student,i)`.

    Args:
        student: Scores before the softmax.
        teacher: Its teacher's, of the same shape, taken as constants.
        temperature: Above zero; the loss is multiplied by its square, as in `soft_targets`.

    Raises:
        BadValue: The shapes differ, or the temperature is not a positive number.

    >>> import torch
    >>> float(pixelwise(torch.zeros(1, 3, 2, 2), torch.zeros(1, 3, 2, 2)))
    0.0

    Source: Liu et al., CVPR 2019, section 3.1, equation 1; lab 05.
    """
    demand_pair("pixelwise", student, teacher, n_axes=4)
    demand_temperature("pixelwise", temperature)
    kl = divergence(student, teacher, temperature=temperature, dim=1)
    return temperature**2 * kl.mean()  # eq. 1


def affinity(features: Float[Tensor, "n c *place"]) -> Float[Tensor, "n positions positions"]:
    """How alike any two positions are: the cosine of the angle between their feature vectors.

    >>> import torch
    >>> affinity(torch.tensor([[[1.0, 2.0, 0.0]], [[0.0, 0.0, 1.0]]]).transpose(0, 1))
    tensor([[[1., 1., 0.],
             [1., 1., 0.],
             [0., 0., 1.]]])
    """
    direction = unit(features.flatten(2), dim=1)
    return einsum("nci,ncj->nij", direction, direction)  # eq. 2


@technique(
    "kd-segmentation",
    paper="Liu, Chen, Liu, Qin, Luo and Wang, Structured Knowledge Distillation for Semantic "
    "Segmentation, 2019",
    survey="2.4",
    lab="05_distillation",
    kind=Loss(),
)
def pairwise(
    student_features: Float[Tensor, "n c h w"], teacher_features: Float[Tensor, "_ c_teacher _ _"]
) -> Float[Tensor, ""]:
    """Structured distillation: positions that are alike to the teacher are to be alike here too.

    `L = 1 / (h w)**2 sum_ij (a_student,ij - a_teacher,ij)**2` with `a_ij` the cosine of the angle
    between the features at positions `i` and `j`. A map of labels is no heap of pixels, each with
    its class: it has structure, and the pairs hold it. The number of channels is free. For the
    classes of the pixels there is `pixelwise`. The matrix has `(h w)**2` entries: take a layer
    of low resolution. The paper's third part, an adversarial one, is left out.

    Args:
        student_features: A layer's output.
        teacher_features: A layer's output at the same resolution, taken as constants.

    Raises:
        BadValue: The maps have different sizes.

    >>> import torch
    >>> gen = torch.Generator().manual_seed(0)
    >>> features = torch.rand(2, 3, 4, 4, generator=gen)
    >>> float(pairwise(features, torch.cat([features, features], dim=1))) < 1e-6
    True

    Source: Liu et al., "Structured Knowledge Distillation for Semantic Segmentation", CVPR 2019,
    section 3.1, equations 1 and 2; the survey's section 2.4; lab 05.
    """
    demand_pair("pairwise", student_features, teacher_features, n_axes=4, free=(1,))
    mine, theirs = affinity(student_features), affinity(teacher_features.detach())
    return (mine - theirs).square().mean()  # eq. 2
