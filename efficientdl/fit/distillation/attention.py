"""Where a network looks, against where its teacher looks."""

from math import isfinite

import torch
from jaxtyping import Float
from torch import Tensor

from efficientdl import _check
from efficientdl.catalogue import Loss, technique
from efficientdl.fit.distillation.directions import peak, unit
from efficientdl.fit.distillation.pairs import demand_pair


def attention_map(
    features: Float[Tensor, "n c h w"], *, power: float = 2.0
) -> Float[Tensor, "n positions"]:
    """How strongly each position of a map is activated: `sum_c |features_c|**p`, at length one.

    Args:
        features: Output of a convolution, or of the activation after it.
        power: `p`, 1 or more; the higher, the more the strongest channel counts.

    Raises:
        BadValue: There is no map, or the power is less than 1.

    >>> features = torch.zeros(1, 2, 1, 2)
    >>> features[0, :, 0, 0] = torch.tensor([1.0, -2.0])
    >>> attention_map(features)
    tensor([[1., 0.]])

    Source: Zagoruyko and Komodakis, ICLR 2017, section 3.1; lab 05.
    """
    _demand_map("attention_map", features, power)
    # A map at length one does not know the size of the features: dividing by it is free.
    size = peak(features, (1, 2, 3))
    return unit((features / size).abs().pow(power).sum(dim=1).flatten(1), dim=1)


@technique(
    "kd-attention",
    paper="Zagoruyko and Komodakis, Paying More Attention to Attention: Improving the Performance "
    "of Convolutional Neural Networks via Attention Transfer, 2017",
    survey="2.4",
    lab="05_distillation",
    kind=Loss(),
)
def attention_transfer(
    student_features: Float[Tensor, "n c h w"],
    teacher_features: Float[Tensor, "_ c_teacher _ _"],
    *,
    power: float = 2.0,
) -> Float[Tensor, ""]:
    """Attention transfer: the student is to look where the teacher looks.

    `L = | Q_student / |Q_student| - Q_teacher / |Q_teacher| |`, mean over the examples, with `Q`
    the sum of squared activations over the channels. The channels are summed up, so the two
    networks may have any number of them; the positions must be the same.

    Args:
        student_features: A layer's output.
        teacher_features: A layer's output at the same resolution, taken as constants.
        power: To which each activation is raised, 1 or more.

    Raises:
        BadValue: The maps have different sizes, or the power is less than 1.

    >>> student, teacher = torch.ones(1, 3, 4, 4), torch.ones(1, 16, 4, 4)
    >>> attention_transfer(student, teacher)
    tensor(0.)

    Source: Zagoruyko and Komodakis, "Paying More Attention to Attention", ICLR 2017, section 3.1,
    equation 2; the survey's section 2.4; lab 05.
    """
    demand_pair("attention_transfer", student_features, teacher_features, n_axes=4, free=(1,))
    _demand_map("attention_transfer", student_features, power)
    mine = attention_map(student_features, power=power)
    theirs = attention_map(teacher_features.detach(), power=power)
    return torch.linalg.vector_norm(mine - theirs, dim=1).mean()  # eq. 2


def _demand_map(caller: str, features: Tensor, power: float) -> None:
    _check.kind(caller, "features", features, Tensor)
    if features.ndim != 4 or features.numel() == 0:
        rule = "must be a map of n, c, h, w, none of them 0"
        _check.fail(caller, "features", rule, tuple(features.shape))
    if not (_check.number(caller, "power", power) >= 1 and isfinite(power)):
        _check.fail(caller, "power", "must be a number, 1 or more", power)
