"""What a loss of distillation demands of its two tensors."""

from torch import Tensor

from efficientdl import _check


def demand_pair(
    caller: str, student: Tensor, teacher: Tensor, *, n_axes: int, free: tuple[int, ...] = ()
) -> None:
    """Demand that student and teacher have the same shape, and something in it.

    Args:
        caller: The loss, for the error.
        student: The student's tensor.
        teacher: The teacher's tensor.
        n_axes: How many axes they have at least.
        free: Axes in which they may differ.

    >>> import torch
    >>> demand_pair("hint", torch.zeros(4, 6), torch.zeros(4, 8), n_axes=2)
    Traceback (most recent call last):
    efficientdl._check.BadValue: hint: student must have its teacher's shape (4, 8), got (4, 6)

    Raises:
        BadKind: One is no tensor.
        BadValue: The shapes do not fit each other, or hold nothing.
    """
    for name, value in {"student": student, "teacher": teacher}.items():
        _check.kind(caller, name, value, Tensor)
        if value.ndim < n_axes or value.numel() == 0:
            rule = f"must have {n_axes} axes or more and at least one entry"
            _check.fail(caller, name, rule, tuple(value.shape))
    mine, theirs = _without(student, free), _without(teacher, free)
    if mine != theirs:
        but = f", axis {', '.join(map(str, free))} apart" if free else ""
        rule = f"must have its teacher's shape {tuple(teacher.shape)}{but}"
        _check.fail(caller, "student", rule, tuple(student.shape))


def _without(tensor: Tensor, free: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(size for axis, size in enumerate(tensor.shape) if axis not in free)
