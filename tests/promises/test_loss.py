"""The promises of losses, tried on two that keep them and on others that do not."""

import pytest
import torch
from torch.nn import functional

from efficientdl.catalogue import Loss
from tests.promises.toys import broken_promises, toy


def squared(student_features, teacher_features):
    return functional.mse_loss(student_features, teacher_features.detach())


def soft(student, teacher, *, temperature):
    target = functional.log_softmax(teacher.detach() / temperature, dim=1)
    ours = functional.log_softmax(student / temperature, dim=1)
    return functional.kl_div(ours, target, reduction="batchmean", log_target=True)


def cross_entropy(student, teacher):
    """Its least value is the teacher's entropy, not zero."""
    return functional.cross_entropy(student, teacher.detach().softmax(dim=1))


def by_element(student, teacher):
    return (student - teacher.detach()).square()


def overflows(student, teacher):
    ours, theirs = student.exp(), teacher.detach().exp()
    return (ours / ours.sum(1, True) - theirs / theirs.sum(1, True)).square().sum()


def teaches_the_teacher(student, teacher):
    return functional.mse_loss(student, teacher)


def teaches_nobody(student, teacher):
    return functional.mse_loss(student.detach(), teacher.detach()) + 0 * student.sum()


def leads_away(student, teacher):
    distance = functional.mse_loss(student, teacher.detach())
    return 2 * distance.detach() - distance


def dice(student, teacher):
    return functional.mse_loss(functional.dropout(student), teacher.detach())


@pytest.mark.parametrize(
    ("call", "options"), [(squared, {}), (soft, {"temperature": 4.0})], ids=["squared", "soft"]
)
def test_sound_losses_keep_all(call, options):
    assert broken_promises(toy(call, Loss(options=options))) == set()


@pytest.mark.parametrize(
    ("call", "promise"),
    [
        (cross_entropy, "is_zero_when_student_is_teacher"),
        (by_element, "is_zero_when_student_is_teacher"),
        (overflows, "is_finite_at_extremes"),
        (teaches_the_teacher, "teaches_the_student_only"),
        (teaches_nobody, "teaches_the_student_only"),
        (leads_away, "leads_towards_the_teacher"),
        (dice, "teaches_the_student_only"),
    ],
)
def test_each_fault_is_caught_by_the_promise_meant_for_it(call, promise):
    with torch.random.fork_rng(devices=[]):
        assert promise in broken_promises(toy(call, Loss()))
