"""The promises of criteria: a wrong sign, a random score and a wrong shape are caught."""

import pytest
import torch

from efficientdl.catalogue import Criterion
from tests.promises.toys import broken_promises, toy

BEATS, BEATEN = "beats_the_best_of_twenty_random_scores", "is_beaten_when_negated"
GIVES = "gives_each_weight_a_score"


def magnitude(weight, **_):
    return weight.abs()


def taylor(weight, *, grad, **_):
    return (weight * grad).abs()


def by_input(weight, *, input_norm, **_):
    return weight.abs() * input_norm


def wrong_sign(weight, **_):
    return -weight.abs()


def signed(weight, **_):
    return weight


def constant(weight, **_):
    return torch.ones_like(weight)


def by_row(weight, **_):
    return weight.abs().sum(dim=1)


def in_place(weight, **_):
    return weight.abs_()


def draws(weight, **_):
    return torch.rand_like(weight)


def not_finite(weight, **_):
    return weight.abs().log().where(weight > 0, -torch.inf)


@pytest.mark.parametrize("call", [magnitude, taylor, by_input])
def test_sound_criteria_keep_all(call):
    assert broken_promises(toy(call, Criterion())) == set()


@pytest.mark.parametrize(
    ("call", "promises"),
    [
        (wrong_sign, {BEATS, BEATEN}),
        (signed, {BEATS}),
        (constant, {BEATS}),
        (in_place, {GIVES}),
        (draws, {GIVES, BEATS}),
        (not_finite, {GIVES}),
    ],
)
def test_each_fault_is_caught_by_the_promise_meant_for_it(call, promises):
    assert promises <= broken_promises(toy(call, Criterion()))


def test_scores_of_another_shape_are_caught():
    from tests.promises.criterion import gives_each_weight_a_score

    with pytest.raises(AssertionError, match="gave scores of shape"):
        gives_each_weight_a_score(toy(by_row, Criterion()))
