"""Language models: hidden states that point the same way."""

from jaxtyping import Float
from torch import Tensor

from efficientdl.catalogue import Loss, technique
from efficientdl.fit.distillation.directions import unit
from efficientdl.fit.distillation.pairs import demand_pair


@technique(
    "kd-language",
    paper="Sanh, Debut, Chaumond and Wolf, DistilBERT, a distilled version of BERT: smaller, "
    "faster, cheaper and lighter, 2019",
    survey="2.4",
    lab="05_distillation",
    kind=Loss(),
)
def hidden_cosine(
    student: Float[Tensor, "*n d"], teacher: Float[Tensor, "*_"]
) -> Float[Tensor, ""]:
    """Distillation of a language model: align the hidden states, `1 - cos(h_student, h_teacher)`.

    DistilBERT adds three losses: soft targets with a temperature of 2 (`soft_targets`), the
    original one on the text, and this one, mean over the tokens, on the last hidden states. Only
    the direction counts, so the student finds a length of its own. Its width is the teacher's: it
    is made shallower, and starts as every second layer of it.

    Args:
        student: Hidden states, `n t d`.
        teacher: Its teacher's, of the same shape, taken as constants.

    Raises:
        BadValue: The shapes differ.

    >>> import torch
    >>> hidden_cosine(torch.tensor([[3.0, 0.0]]), torch.tensor([[0.0, 1.0]]))
    tensor(1.)

    Source: Sanh et al., "DistilBERT, a distilled version of BERT", 2019, section 2; the survey's
    section 2.4; lab 05.
    """
    demand_pair("hidden_cosine", student, teacher, n_axes=2)
    cosine = (unit(student, dim=-1) * unit(teacher.detach(), dim=-1)).sum(-1)
    return (1 - cosine).mean()
