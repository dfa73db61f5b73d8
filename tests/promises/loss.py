"""Promises of losses: `f(student, teacher, *, options) -> scalar`."""

from inspect import signature

import torch
from torch import Tensor

from efficientdl.catalogue import Technique
from tests.promises.state import global_generators_untouched

# Features of images, or logits: whatever the loss says it compares.
SHAPES = {"logits": (8, 10), "features": (4, 6, 5, 5)}


def pair(technique: Technique, scale: float = 1.0) -> tuple[Tensor, Tensor]:
    """A student and a teacher: logits, or `features` where the parameters are so called."""
    names = signature(technique.call).parameters
    shape = SHAPES["features" if any("feature" in name for name in names) else "logits"]
    rng = torch.Generator().manual_seed(0)
    return tuple(scale * torch.randn(shape, generator=rng, dtype=torch.float64) for _ in range(2))


def loss_of(technique: Technique, student: Tensor, teacher: Tensor) -> Tensor:
    loss = technique.call(student, teacher, **technique.kind.options)
    assert loss.shape == (), f"gave shape {tuple(loss.shape)}, not a scalar"
    return loss


def is_zero_when_student_is_teacher(technique: Technique) -> None:
    student, teacher = pair(technique)
    same = float(loss_of(technique, teacher.clone(), teacher))
    # 1e-12: a difference of sums in float64 that are equal on paper
    assert abs(same) < 1e-12, f"is {same} for a student that equals its teacher"
    apart = float(loss_of(technique, student, teacher))
    assert apart > 1e-6, f"is {apart} for a student that does not"


def is_finite_at_extremes(technique: Technique) -> None:
    for scale in (0.0, 1e-30, 1e4, 1e8):
        student, teacher = (t.float() for t in pair(technique, scale))
        student.requires_grad_()
        loss = loss_of(technique, student, teacher)
        assert bool(loss.isfinite()), f"is {float(loss.detach())} for inputs of size {scale}"
        loss.backward()
        assert bool(student.grad.isfinite().all()), f"gradient not finite at size {scale}"


def teaches_the_student_only(technique: Technique) -> None:
    student, teacher = pair(technique)
    student.requires_grad_()
    teacher.requires_grad_()
    with global_generators_untouched():
        loss_of(technique, student, teacher).backward()
    assert student.grad is not None, "gives the student no gradient"
    assert bool(student.grad.abs().sum() > 0), "gives the student a gradient of zeros"
    assert teacher.grad is None, "gives the teacher a gradient"


def leads_towards_the_teacher(technique: Technique) -> None:
    student, teacher = pair(technique)
    student.requires_grad_()
    loss = loss_of(technique, student, teacher)
    (slope,) = torch.autograd.grad(loss, student)
    step = 1e-3 * slope / slope.norm()
    after = float(loss_of(technique, student.detach() - step, teacher))
    assert after < float(loss.detach()), "grows along its own gradient step"


PROMISES = [
    is_zero_when_student_is_teacher,
    is_finite_at_extremes,
    teaches_the_student_only,
    leads_towards_the_teacher,
]
