"""A student in training: it hears itself and its teacher for every batch."""

import copy
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from efficientdl.compression.distillation.listening import listening, said
from efficientdl.compression.distillation.matches import Match
from efficientdl.fit.modes import evaluating
from efficientdl.fit.plan import Training


class Pupil(nn.Module):
    """The student as `fit` trains it.

    The teacher is no part of it: it is not trained, not saved with the best weights, and stays in
    evaluation mode.

    Args:
        student: The network to train.
        teacher: The network to learn from.
        matches: What to compare.
        x: An example, from whose features the adapters are made.
    """

    def __init__(
        self, student: nn.Module, teacher: nn.Module, matches: Sequence[Match], x: Tensor
    ) -> None:
        super().__init__()
        self.student = student
        frozen = copy.deepcopy(teacher).eval().requires_grad_(False)
        self._teacher = (frozen,)  # in a tuple, where torch does not look for parts
        self.matches = tuple(matches)
        self.heard: list[tuple[Tensor, Tensor]] = []
        with evaluating(student), torch.no_grad():
            pairs = self.listen(x)[1]
        made = zip(self.matches, pairs, strict=True)
        self.adapters = nn.ModuleList(
            nn.Identity() if match.adapter is None else match.adapter(*pair) for match, pair in made
        )
        # `fit` trains all of a network in evaluation mode, and leaves frozen layers of another.
        self.training = student.training

    def forward(self, x: Tensor) -> Tensor:
        if not torch.is_grad_enabled():  # on the validation set the teacher has nothing to say
            return self.student(x)
        output, self.heard = self.listen(x)
        return output

    def listen(self, x: Tensor) -> tuple[Tensor, list[tuple[Tensor, Tensor]]]:
        """The student's output, and the layers of every match side by side."""
        (teacher,) = self._teacher
        with listening(self.student, [m.student for m in self.matches]) as mine:
            output = self.student(x)
        if self.matches:
            with torch.no_grad(), listening(teacher, [m.teacher for m in self.matches]) as theirs:
                teacher(x)
            pairs = [
                (said("student", mine, m.student), said("teacher", theirs, m.teacher))
                for m in self.matches
            ]
            return output, pairs
        return output, []

    def distance(self, target: Tensor) -> Tensor:
        """How far the student was from its teacher in the last batch, weighted and summed up."""
        total = torch.zeros(())
        for match, adapt, (mine, theirs) in zip(
            self.matches, self.adapters, self.heard, strict=True
        ):
            total = total + match.of(adapt(mine), theirs, target)
        return total


class Lesson:
    """The loss of a step in two parts: what the task says, and what the teacher says.

    `fit` asks for the first as a loss and for the second as a penalty, in that order.
    """

    def __init__(self, training: Training, task_weight: float) -> None:
        self.training, self.task_weight = training, task_weight
        self.target = training.train[1][:0]

    def task(self, output: Tensor, y: Tensor) -> Tensor:
        """The task's loss of a batch."""
        self.target = y
        if self.task_weight == 0:  # without a gradient: layers above the last match stay at rest
            return output.new_zeros(())
        return self.task_weight * self.training.loss(output, y)

    def penalty(self, pupil: nn.Module) -> Tensor:
        """The teacher's loss of the same batch, and the penalty of the recipe."""
        assert isinstance(pupil, Pupil)
        own = self.training.recipe.penalty
        distance = pupil.distance(self.target)
        return distance if own is None else distance + own(pupil.student)

    def after_step(self, pupil: nn.Module) -> None:
        """The hook of the recipe, on the student."""
        assert isinstance(pupil, Pupil)
        own = self.training.recipe.after_step
        if own is not None:
            own(pupil.student)

    def as_training(self) -> Training:
        """The training of the pupil."""
        recipe = replace(self.training.recipe, penalty=self.penalty, after_step=self.after_step)
        return replace(self.training, loss=self.task, recipe=recipe)
