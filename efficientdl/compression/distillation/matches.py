"""What is compared: a layer of the student, a layer of the teacher, a loss and its weight."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from inspect import Parameter, signature
from math import isfinite

from torch import Tensor, nn

from efficientdl import _check

Adapter = Callable[[Tensor, Tensor], nn.Module]
CALLER = "distil"


@dataclass(frozen=True, kw_only=True)
class Match:
    """One comparison of the student with its teacher.

    Attributes:
        loss: `f(student, teacher) -> scalar`, of `efficientdl.fit.distillation` as a rule, its
            options set with `functools.partial`. One that asks for a keyword-only `target`
            without a default is handed the batch's labels too.
        student: The student's layer whose output is compared; "" is the network itself.
        teacher: The teacher's layer, likewise.
        weight: How much it counts beside the other losses, 0 or more; at 0 it is left out.
        adapter: Makes the module that the student's output goes through first, from both outputs
            for an example: `partial(regressor, seed=0)`. It is trained along and then dropped.

    >>> from functools import partial
    >>> from efficientdl.fit.distillation import hint, soft_targets
    >>> matches = [
    ...     Match(loss=partial(soft_targets, temperature=4.0), weight=0.9),
    ...     Match(loss=hint, student="conv2", teacher="conv4"),
    ... ]
    """

    loss: Callable[..., Tensor]
    student: str = ""
    teacher: str = ""
    weight: float = 1.0
    adapter: Adapter | None = None

    @property
    def wants_target(self) -> bool:
        """Whether the loss asks for the labels."""
        asked = signature(self.loss).parameters.get("target")
        return asked is not None and asked.default is Parameter.empty

    def of(self, student: Tensor, teacher: Tensor, target: Tensor) -> Tensor:
        """The weighted loss."""
        options = {"target": target} if self.wants_target else {}
        return self.weight * self.loss(student, teacher, **options)


def check_match(
    match: object, student: Mapping[str, object], teacher: Mapping[str, object]
) -> None:
    """Demand a match of layers that are there.

    Args:
        match: What was given.
        student: The student's layers, by name.
        teacher: The teacher's.
    """
    _check.kind(CALLER, "match", match, Match)
    assert isinstance(match, Match)
    if not callable(match.loss):
        raise _check.BadKind(f"{CALLER}: loss must be a function, got {_check.show(match.loss)}")
    _check.one_of(CALLER, "student layer", match.student, student)
    _check.one_of(CALLER, "teacher layer", match.teacher, teacher)
    check_weight("weight", match.weight)


def check_weight(name: str, weight: float) -> None:
    """Demand a finite number, 0 or more."""
    _check.at_least(CALLER, name, weight, 0)
    if not isfinite(weight):
        _check.fail(CALLER, name, "must be finite", weight)
