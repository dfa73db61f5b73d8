"""The promises of learning rules, tried on plain SGD and on what is not."""

import copy
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from efficientdl.catalogue import LearningRule
from efficientdl.report import Cost, Report
from tests.promises.toys import broken_promises, toy

KIND = LearningRule(identity={"lr": 0.1})
REPORT = Report({"up": Cost(traffic_bytes=10), "down": Cost(traffic_bytes=20)})


def moved(model, batch, lr):
    model = copy.deepcopy(model)
    x, y = batch
    gradients = torch.autograd.grad(
        nn.functional.cross_entropy(model(x), y), list(model.parameters())
    )
    with torch.no_grad():
        for parameter, gradient in zip(model.parameters(), gradients, strict=True):
            parameter -= lr * gradient
    return model


def sound(model, batch, *, generator, lr):
    return moved(model, batch, lr), REPORT


def with_a_state(model, batch, *, generator, lr):
    return SimpleNamespace(model=moved(model, batch, lr), momentum=0), REPORT


def half_a_step(model, batch, *, generator, lr):
    return moved(model, batch, lr / 2), REPORT


def in_place(model, batch, *, generator, lr):
    model.load_state_dict(moved(model, batch, lr).state_dict())
    return model, REPORT


def leaves_gradients(model, batch, *, generator, lr):
    x, y = batch
    nn.functional.cross_entropy(model(x), y).backward()
    return moved(model, batch, lr), REPORT


def noisy(model, batch, *, generator, lr):
    model = moved(model, batch, lr)
    with torch.no_grad():
        model[0].bias.add_(1e-3 * torch.rand(5))
    return model, REPORT


def counts_nothing(model, batch, *, generator, lr):
    return moved(model, batch, lr), Report({"up": Cost(macs=3)})


@pytest.mark.parametrize("call", [sound, with_a_state])
def test_sound_rules_keep_all(call):
    assert broken_promises(toy(call, KIND)) == set()


@pytest.mark.parametrize(
    ("call", "promise"),
    [
        (half_a_step, "is_sgd_at_its_identity"),
        (in_place, "leaves_its_state_alone"),
        (leaves_gradients, "leaves_its_state_alone"),
        (noisy, "replays_from_its_generator"),
        (noisy, "leaves_its_state_alone"),
        (counts_nothing, "reports_the_bytes_that_travel"),
    ],
)
def test_each_fault_is_caught_by_the_promise_meant_for_it(call, promise):
    assert promise in broken_promises(toy(call, KIND))
