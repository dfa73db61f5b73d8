"""Promises of measures: a count, a model or a measurement changes nothing that it is given.

They apply to a measure that takes a `model` and an `x`, and needs no more than those.
"""

import inspect

import torch
from torch import Tensor, nn

from efficientdl.catalogue import Technique
from tests.promises.compressor import small_network
from tests.promises.state import global_generators_untouched, untouched


class Stumbles(nn.Module):
    """A network that raises in the middle of its forward pass."""

    def __init__(self) -> None:
        super().__init__()
        self.first, _ = small_network()

    def forward(self, x: Tensor) -> Tensor:
        self.first(x)
        raise RuntimeError("stumbled")


def takes_a_model(technique: Technique) -> bool:
    parameters = inspect.signature(technique.call).parameters
    needed = [n for n, p in parameters.items() if p.default is inspect.Parameter.empty]
    return needed == ["model", "x"]


def leaves_its_model_alone(technique: Technique) -> None:
    if not takes_a_model(technique):
        return
    for training in (False, True):
        model, x = small_network()
        model.train(training)
        model[3].train(not training)  # not all alike, so that each has to be put back
        given = x.clone()
        with untouched(model):
            technique.call(model, x)
        assert torch.equal(x, given), "changed its input"
        assert x.grad is None, "left a gradient on its input"


def leaves_a_model_that_raises_alone(technique: Technique) -> None:
    if not takes_a_model(technique):
        return
    _, x = small_network()
    model = Stumbles()
    said = ""
    with untouched(model):
        try:
            technique.call(model, x)
        except RuntimeError as error:
            said = str(error)
    assert "stumbled" in said, f"hid the model's own error, said {said!r}"


def leaves_global_generators_alone(technique: Technique) -> None:
    if not takes_a_model(technique):
        return
    model, x = small_network()
    model.insert(0, nn.Dropout(0.5))  # draws while it trains
    model.train()
    with global_generators_untouched():
        technique.call(model, x)


PROMISES = [
    leaves_its_model_alone,
    leaves_a_model_that_raises_alone,
    leaves_global_generators_alone,
]
