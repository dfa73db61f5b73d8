"""The promises of penalties, tried on the squares of the weights and on ones that break each."""

import itertools

import pytest
import torch

from efficientdl.catalogue import Penalty
from tests.promises.toys import broken_promises, toy


def sound(model, *, strength):
    return strength * torch.stack([p.square().sum() for p in model.parameters()]).sum()


def always_on(model, *, strength):
    return sound(model, strength=strength) + 1.0


def always_pulling(model, *, strength):
    squares = sound(model, strength=1.0)
    return sound(model, strength=strength) + squares - squares.detach()


def squared_strength(model, *, strength):
    return sound(model, strength=strength**2)


def flat(model, *, strength):
    return sound(model, strength=strength).detach() + 0 * sound(model, strength=1.0)


def uphill(model, *, strength):
    squares = sound(model, strength=strength)
    return 2 * squares.detach() - squares  # the right value, the wrong way


def rooted(model, *, strength):
    """The length of all weights, whose slope at zero is 0 / 0."""
    return strength * sound(model, strength=1.0).sqrt()


def vector(model, *, strength):
    return sound(model, strength=strength)[None]


def widened(model, *, strength):
    return sound(model, strength=strength).double()


def steps_itself(model, *, strength):
    with torch.no_grad():
        for parameter in model.parameters():
            parameter *= 0.9
    return sound(model, strength=strength)


def draws(model, *, strength):
    torch.rand(())
    return sound(model, strength=strength)


CALLS = itertools.count(1)


def wavers(model, *, strength):
    return sound(model, strength=strength) * next(CALLS)


def broken(call):
    kind = Penalty(options={"strength": 1e-2}, off={"strength": 0.0})
    return broken_promises(toy(call, kind))


def test_a_sound_penalty_keeps_every_promise():
    assert broken(sound) == set()


@pytest.mark.parametrize(
    ("call", "promise"),
    [
        (always_on, "is_zero_at_strength_zero"),
        (always_pulling, "is_zero_at_strength_zero"),
        (squared_strength, "grows_with_its_strength"),
        (flat, "leads_downwards"),
        (uphill, "leads_downwards"),
        (rooted, "is_finite_where_weights_are_zero"),
        (vector, "leads_downwards"),
        (widened, "changes_nothing"),
        (steps_itself, "changes_nothing"),
        (draws, "changes_nothing"),
        (wavers, "changes_nothing"),
    ],
)
def test_each_promise_notices_what_breaks_it(call, promise):
    assert promise in broken(call)


@pytest.mark.parametrize("call", [always_pulling, squared_strength, rooted])
def test_what_breaks_one_promise_breaks_no_other(call):
    assert len(broken(call)) == 1
