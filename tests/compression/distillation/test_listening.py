"""Hooks: they hear every call, and none is left behind."""

import pytest
import torch
from torch import nn

from efficientdl.compression.distillation.listening import listening, said
from tests.promises.state import untouched


def test_outputs_are_those_of_the_layers_before_an_activation_in_place():
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(inplace=True), nn.Linear(4, 2))
    x = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    with untouched(model), listening(model, ["0", ""]) as heard:
        output = model(x)
    torch.testing.assert_close(said("student", heard, "0"), model[0](x), rtol=0, atol=0)
    torch.testing.assert_close(said("student", heard, ""), output, rtol=0, atol=0)
    assert float(heard["0"][0].min().detach()) < 0


def test_hooks_go_when_the_model_fails():
    model = nn.Sequential(nn.Linear(3, 4), nn.Linear(3, 4))
    with untouched(model), pytest.raises(RuntimeError), listening(model, ["0"]):
        model(torch.ones(1, 3))


def test_a_layer_under_two_names_is_heard_under_both():
    layer = nn.Linear(3, 3)
    model = nn.Sequential(layer, nn.ReLU(), layer)
    with listening(model, ["0"]) as heard:
        model(torch.ones(1, 3))
    with pytest.raises(ValueError, match=r"distil: teacher must call layer '0' once .* '2 calls'"):
        said("teacher", heard, "0")
