"""Calibration: the inputs of layers, against hooks by hand."""

import pytest
import torch
from torch import nn

from efficientdl.compression.quantization.observe import observe_inputs
from efficientdl.models import seeded
from efficientdl.tensors import affine
from tests.compression.quantization.residual_net import X, residual_net
from tests.promises.state import untouched


class Twice(nn.Module):
    """A layer that is called twice, and one that never is."""

    def __init__(self):
        super().__init__()
        self.layer, self.idle = nn.Linear(3, 3), nn.Linear(3, 3)

    def forward(self, x):
        return self.layer(10 * self.layer(x).relu_())


def observe(model, x, layers, measure=lambda values: values.clone()):
    return observe_inputs("call", model, x, layers=layers, measure=measure)


def test_it_sees_what_hooks_see():
    model, names = residual_net(), ["stem", "depthwise", "pointwise", "head"]
    expected = {}
    for name in names:
        model.get_submodule(name).register_forward_pre_hook(
            lambda _, args, name=name: expected.__setitem__(name, args[0].clone().reshape(1, -1))
        )
    model(X)
    torch.testing.assert_close(observe(residual_net(), X, names), expected, rtol=0, atol=0)


def test_all_inputs_of_a_layer_that_is_called_twice_are_measured_together():
    model, x = seeded(Twice, seed=0), torch.ones(2, 3)
    seen = []
    found = observe(model, x, ["layer"], lambda values: seen.append(values.clone()) or len(seen))
    assert found == {"layer": 1}
    second = 10 * model.layer(x).relu()
    expected = torch.cat([x.reshape(1, -1), second.reshape(1, -1)], dim=1)
    torch.testing.assert_close(seen[0], expected.detach())


def test_a_layer_by_itself_and_a_rule_as_measure():
    layer, x = seeded(lambda: nn.Linear(3, 2), seed=0), torch.tensor([[0.0, 1.0, 3.0]])
    found = observe(layer, x, [""], lambda values: affine(values, bits=2))
    assert float(found[""].scale) == 1.0


def test_the_model_is_left_alone():
    model = residual_net().train()
    with untouched(model):
        observe(model, X, ["stem"])


def test_bad_values_are_named():
    model = seeded(Twice, seed=0)
    with pytest.raises(ValueError, match=r"call: x must hold examples, got \(0, 3\)"):
        observe(model, torch.ones(0, 3), ["layer"])
    with pytest.raises(ValueError, match=r"call: model must call layer 'idle'"):
        observe(model, torch.ones(2, 3), ["idle"])
    for bad in (float("nan"), float("inf")):
        x = torch.tensor([[0.0, 1.0, 2.0], [0.0, bad, 2.0]])
        with pytest.raises(ValueError, match=rf"finite activations, and layer 'layer' .*got {bad}"):
            observe(model, x, ["layer"])
