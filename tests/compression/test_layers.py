"""Layers are found, told apart, and replaced wherever they stand."""

import pytest
import torch
from torch import nn

from efficientdl.compression.layers import demand_floats, for_each, put, weight_layers
from efficientdl.models.layers.quantized import QuantizedLinear
from efficientdl.tensors import PerTensor, choose_qparams


def codes(layer):
    qparams = choose_qparams(layer.weight.detach(), bits=4, granularity=PerTensor())
    return QuantizedLinear(layer, qparams, granularity=PerTensor())


def test_linear_and_conv_are_found_at_any_depth_once():
    shared = nn.Linear(4, 4)
    model = nn.Sequential(
        nn.Conv2d(1, 1, 1), nn.ModuleDict({"a": shared, "b": nn.ReLU()}), shared, codes(shared)
    )
    assert list(weight_layers("f", model)) == ["0", "1.a", "3"]
    assert list(weight_layers("f", shared)) == [""]


def test_a_model_without_weights_is_an_error():
    with pytest.raises(
        ValueError, match=r"prune: model must have a Linear or Conv2d layer, got 'S"
    ):
        weight_layers("prune", nn.Sequential(nn.ReLU()))
    with pytest.raises(TypeError, match=r"prune: model must be a Module, got 3|'model'"):
        weight_layers("prune", 3)


def test_codes_are_no_floats():
    linear = nn.Linear(2, 2)
    assert demand_floats("f", "head", linear) is linear
    with pytest.raises(ValueError, match=r"f: model must not be quantized yet: layer 'head' holds"):
        demand_floats("f", "head", codes(linear))
    with pytest.raises(ValueError, match=r"f: model must hold values: layer 'head' is on the meta"):
        demand_floats("f", "head", nn.Linear(2, 2, device="meta"))


def test_a_policy_concerns_the_layers_that_it_names_in_the_models_order():
    layers = {"a": 0, "b": 0, "c": 0}
    assert for_each("f", "bits", 4, layers) == {"a": 4, "b": 4, "c": 4}
    assert list(for_each("f", "bits", {"c": 2, "a": 8}, layers).items()) == [("a", 8), ("c", 2)]
    with pytest.raises(ValueError, match=r"f: layer named in bits must be one of a, b, c, got 'd'"):
        for_each("f", "bits", {"d": 2}, layers)


def test_a_layer_is_replaced_in_every_place():
    shared, new = nn.Linear(4, 4), nn.Linear(4, 4)
    model = nn.Sequential(shared, nn.Sequential(nn.ReLU(), shared), nn.Linear(4, 4))
    last = model[2]
    changed = put(model, {"0": new})
    assert changed is model
    assert changed[0] is new
    assert changed[1][1] is new
    assert changed[2] is last
    torch.testing.assert_close(put(shared, {"": new}).weight, new.weight)


def test_a_layer_under_two_names_of_one_parent_is_replaced_under_both():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = self.second = nn.Linear(2, 2)

    new = nn.Linear(2, 2)
    model = put(Twice(), {"first": new})
    assert model.first is new
    assert model.second is new


def test_the_layer_that_attention_reads_is_not_listed():
    model = nn.ModuleDict({"attend": nn.MultiheadAttention(4, 2), "head": nn.Linear(4, 2)})
    assert list(weight_layers("prune", model)) == ["head"]
