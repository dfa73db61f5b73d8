"""The promises of measures, tried on a count and on ones that leave traces."""

import contextlib

import pytest
import torch

from efficientdl.catalogue import Measure
from tests.promises.measure import takes_a_model
from tests.promises.toys import broken_promises, toy


def sound(model, x, *, unit=1):
    modes = [module.training for module in model.modules()]
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            model.eval()(x)
    finally:
        for module, mode in zip(model.modules(), modes, strict=True):
            module.training = mode
    return sum(p.numel() for p in model.parameters()) / unit


def leaves_eval(model, x):
    with torch.no_grad():
        model.eval()(x)


def trains_batch_norm(model, x):
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        model(x)


def leaves_gradients(model, x):
    training = model.training
    sound(model, x)
    if not training:
        model(x).sum().backward()


def leaves_a_hook(model, x):
    model.register_forward_hook(lambda *_: None)
    sound(model, x)


def leaves_a_hook_when_it_stumbles(model, x):
    handle = model.register_forward_hook(lambda *_: None)
    sound(model, x)
    handle.remove()


def swallows(model, x):
    with contextlib.suppress(RuntimeError):
        sound(model, x)


def draws(model, x):
    torch.rand(1)
    sound(model, x)


def of_something_else(report, *, price):
    raise AssertionError("must not be called")


def test_a_sound_measure_keeps_all():
    assert broken_promises(toy(sound, Measure())) == set()


def test_a_measure_of_something_else_is_not_called():
    assert not takes_a_model(toy(of_something_else, Measure()))
    assert broken_promises(toy(of_something_else, Measure())) == set()


@pytest.mark.parametrize(
    ("call", "promise"),
    [
        (leaves_eval, "leaves_its_model_alone"),
        (trains_batch_norm, "leaves_its_model_alone"),
        (leaves_gradients, "leaves_its_model_alone"),
        (leaves_a_hook, "leaves_its_model_alone"),
        (leaves_a_hook_when_it_stumbles, "leaves_a_model_that_raises_alone"),
        (swallows, "leaves_a_model_that_raises_alone"),
        (draws, "leaves_global_generators_alone"),
    ],
)
def test_each_fault_is_caught_by_the_promise_meant_for_it(call, promise):
    assert promise in broken_promises(toy(call, Measure()))
