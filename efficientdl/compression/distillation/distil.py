"""The driver of every distillation."""

from collections.abc import Sequence
from math import isnan

import torch
from jaxtyping import Shaped
from torch import Tensor, nn

from efficientdl import _check
from efficientdl.compression.distillation.matches import (
    CALLER,
    Match,
    check_match,
    check_weight,
)
from efficientdl.compression.distillation.pupil import Lesson, Pupil
from efficientdl.costs.count import count
from efficientdl.fit.accuracy import hits
from efficientdl.fit.modes import evaluating
from efficientdl.fit.plan import Training
from efficientdl.fit.training import Diverged, Fitted
from efficientdl.protocols import Result


def distil(
    student: nn.Module,
    teacher: nn.Module,
    x: Shaped[Tensor, "n ..."],
    *,
    matches: Sequence[Match],
    training: Training,
    task_weight: float = 1.0,
) -> Result:
    """Train a student under a teacher: `task_weight` times the task's loss, and every match's.

    The teacher is frozen: in evaluation mode, without gradients. Without matches this is
    `training.run(student)`, for targets of any shape: labels of pixels, boxes, texts. With
    `task_weight=0` labels are not asked: the student learns from the teacher alone, and layers
    that no match depends on stay as they are; that is the first stage of FitNets, after which the
    second is a call on its result.

    Args:
        student: Where to start.
        teacher: What to learn from; it takes the same input.
        x: An example of the input, for adapters, the first checks and the report.
        matches: What to compare with what; none for a training alone.
        training: Data, epochs and the task's loss. Its penalty and hook see the student. A
            validation set chooses by accuracy, so it must have labels: of examples, pixels or text.
        task_weight: 0 or more; `1 - a` beside matches that weigh `a` is Hinton's mixture.

    Raises:
        BadValue: A layer is missing, is called more than once for a batch, or has another shape
            than its loss takes; a weight is negative; or there is nothing to learn from.
        Diverged: The loss became infinite or no number; `fitted` holds the student until then.

    >>> from functools import partial
    >>> from efficientdl.fit.distillation import soft_targets
    >>> x = torch.tensor([[0.0, 1.0], [1.0, 0.0]])
    >>> training = Training(train=(x, torch.tensor([0, 1])), epochs=20, lr=0.1, seed=0)
    >>> match = Match(loss=partial(soft_targets, temperature=4.0), weight=0.9)
    >>> student, report = distil(
    ...     nn.Linear(2, 2), nn.Linear(2, 2), x, matches=[match], training=training, task_weight=0.1
    ... )
    fit: 20 steps
    >>> report.total.params
    6

    Source: Hinton, Vinyals and Dean, "Distilling the Knowledge in a Neural Network", 2015, section
    2; Romero et al., "FitNets", ICLR 2015, algorithm 1; the survey's section 2.4; lab 05.
    """
    used = _checked(student, teacher, matches, training, task_weight)
    pupil = Pupil(student, teacher, used, x)
    _try_losses(pupil, training)
    try:
        trained = Lesson(training, task_weight).as_training().run(pupil)
    except Diverged as error:  # what was learned until then is the student, not the pupil
        learned = error.fitted.model.get_submodule("student")
        error.fitted = Fitted(learned, error.fitted.history)
        raise
    learned = trained.get_submodule("student")
    return Result(learned, count(learned, x))


def _checked(
    student: nn.Module,
    teacher: nn.Module,
    matches: Sequence[Match],
    training: Training,
    task_weight: float,
) -> list[Match]:
    """The matches that weigh something, all of which must fit the networks."""
    _check.kind(CALLER, "student", student, nn.Module)
    _check.kind(CALLER, "teacher", teacher, nn.Module)
    _check.kind(CALLER, "matches", matches, (list, tuple))
    mine, theirs = dict(student.named_modules()), dict(teacher.named_modules())
    for match in matches:
        check_match(match, mine, theirs)
    check_weight("task_weight", task_weight)
    used = [match for match in matches if match.weight > 0]
    if not used and task_weight == 0:
        rule = "must be above 0 where no match weighs anything"
        _check.fail(CALLER, "task_weight", rule, task_weight)
    x, y = training.train
    _check.same_length(CALLER, x=x, y=y)  # pyright: ignore[reportArgumentType]
    _check.whole(CALLER, "number of training examples", len(x), 1)
    return used


def _try_losses(pupil: Pupil, training: Training) -> None:
    """Every match's loss once, and hits where they are to choose, before the training starts."""
    x, y = (part[:2] for part in training.train)
    with evaluating(pupil), torch.no_grad():
        output, pupil.heard = pupil.listen(x)
        pupil.distance(y)
    pupil.heard = []
    if training.val is not None and isnan(hits(output, y)):
        rule = "must be None where targets are no labels: hits choose the best epoch"
        _check.fail(CALLER, "training.val", rule, f"targets of shape {tuple(y.shape)}")
