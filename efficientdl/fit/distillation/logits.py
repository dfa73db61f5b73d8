"""Output against output: logits by their distance, and probabilities softened by a temperature."""

from math import isfinite

from jaxtyping import Float
from torch import Tensor

from efficientdl import _check
from efficientdl.catalogue import Loss, technique
from efficientdl.fit.distillation.pairs import demand_pair


@technique(
    "kd-logits",
    paper="Ba and Caruana, Do Deep Nets Really Need to be Deep?, 2014",
    survey="2.4",
    lab="05_distillation",
    kind=Loss(),
)
def match_logits(
    student: Float[Tensor, "*n classes"], teacher: Float[Tensor, "*_"]
) -> Float[Tensor, ""]:
    """Match logits: half the squared distance of the scores before the softmax.

    `L = 1 / (2 n) sum_i |student_i - teacher_i|**2`. A softmax hides how unlikely the teacher finds
    each wrong class; the logits still say it, and the student regresses on them. No label is
    needed, so any unlabelled input can teach.

    Args:
        student: Logits of the network that learns.
        teacher: Logits of its teacher for the same examples, taken as constants.

    Raises:
        BadValue: The shapes differ, or are empty.

    >>> import torch
    >>> match_logits(torch.tensor([[1.0, 2.0]]), torch.tensor([[1.0, 5.0]]))
    tensor(4.5000)

    Source: Ba and Caruana, "Do Deep Nets Really Need to be Deep?", NeurIPS 2014, section 2.2,
    equation 1; Bucila, Caruana and Niculescu-Mizil, "Model Compression", KDD 2006; the survey's
    section 2.4; lab 05.
    """
    demand_pair("match_logits", student, teacher, n_axes=2)
    return (student - teacher.detach()).square().sum(dim=-1).mean() / 2  # eq. 1


@technique(
    "kd-temperature",
    paper="Hinton, Vinyals and Dean, Distilling the Knowledge in a Neural Network, 2015",
    survey="2.4",
    lab="05_distillation",
    kind=Loss(options={"temperature": 4.0}),
)
def soft_targets(
    student: Float[Tensor, "*n classes"], teacher: Float[Tensor, "*_"], *, temperature: float
) -> Float[Tensor, ""]:
    """Softened softmax: match probabilities `softmax(z / T)`, which a temperature has levelled.

    `L = T**2 KL(softmax(z_teacher / T) || softmax(z_student / T))`, mean over the examples. At
    `T = 1` the largest class says nearly everything; a higher one brings out how the wrong classes
    compare. The gradient in a logit, `(p_student - p_teacher) / T` without the factor, shrinks
    with `1 / T**2` because the two distributions draw together as well; `T**2` gives its size
    back, so that the weight beside the labels need not change with `T`. For a very high `T` this
    is `match_logits` divided by the number of classes, when each row's logits have mean zero.

    Args:
        student: Logits, the classes last: `n classes`, or `n t classes` for every position of a
            text.
        teacher: Its teacher's, of the same shape, taken as constants.
        temperature: `T`, above zero; 1 is the plain softmax, 2 to 5 are usual. The value, not the
            gradient, is a small difference of numbers near one at a high `T`: above 100 it wants
            float64.

    Raises:
        BadValue: The shapes differ, or the temperature is not a positive number.

    >>> import torch
    >>> teacher = torch.tensor([[4.0, 0.0]], dtype=torch.float64)
    >>> student = torch.zeros_like(teacher)
    >>> [round(float(soft_targets(student, teacher, temperature=t)), 3) for t in (1.0, 4.0, 1e4)]
    [0.603, 1.775, 2.0]

    Source: Hinton, Vinyals and Dean, "Distilling the Knowledge in a Neural Network", 2015, section
    2, equations 1 to 4; the survey's section 2.4; lab 05.
    """
    demand_pair("soft_targets", student, teacher, n_axes=2)
    demand_temperature("soft_targets", temperature)
    return temperature**2 * divergence(student, teacher, temperature=temperature, dim=-1).mean()


def demand_temperature(caller: str, temperature: float) -> None:
    """Demand a positive number."""
    if not (_check.number(caller, "temperature", temperature) > 0 and isfinite(temperature)):
        _check.fail(caller, "temperature", "must be a positive number", temperature)


def divergence(
    student: Float[Tensor, "..."], teacher: Float[Tensor, "..."], *, temperature: float, dim: int
) -> Float[Tensor, "..."]:
    """`KL(teacher || student)` of the softened probabilities, one number for each position.

    Args:
        student: Logits.
        teacher: Logits, taken as constants.
        temperature: What both are divided by.
        dim: The axis of the classes.
    """
    mine = (student / temperature).log_softmax(dim)  # eq. 1, as a logarithm
    theirs = (teacher.detach() / temperature).log_softmax(dim)
    return (theirs.exp() * (theirs - mine)).sum(dim)
