"""What a call quantizes, and what it must refuse by name."""

import os

import pytest
import torch
from torch import nn

from efficientdl.compression.quantization.quantizable import demand_bits

OTHERS = {
    "Conv1d": lambda: nn.Conv1d(4, 4, 3),
    "LSTM": lambda: nn.LSTM(4, 4),
    "MultiheadAttention": lambda: nn.MultiheadAttention(4, 2),
    "Embedding": lambda: nn.Embedding(10, 4),
    "ConvTranspose2d": lambda: nn.ConvTranspose2d(4, 4, 3),
}
NORMS = [nn.BatchNorm2d(4), nn.GroupNorm(2, 4), nn.LayerNorm((4, 5)), nn.PReLU(4)]


def kind_error(text):
    """What a value of a wrong kind is told; where shapes are checked, that check speaks first."""
    return pytest.raises(TypeError, match="bits" if os.environ.get("CHECK_SHAPES") else text)


def with_another(module):
    return nn.Sequential(nn.Linear(4, 4), module, nn.Linear(4, 2))


def demand(model, bits=8):
    return demand_bits("call", "bits", bits, model, allowed=range(2, 17))


@pytest.mark.parametrize("kind", OTHERS)
def test_a_layer_that_cannot_be_quantized_is_named_and_never_skipped(kind):
    model = with_another(OTHERS[kind]())
    with pytest.raises(ValueError, match=rf"call: model must hold .* layer '1' is other, .*{kind}"):
        demand(model)
    assert demand(model, {"0": 4, "2": 8}) == {"0": 4, "2": 8}  # asked for these alone


def test_a_matrix_of_the_models_own_is_named():
    model = with_another(nn.ReLU())
    model.register_parameter("positions", nn.Parameter(torch.zeros(3, 4)))
    with pytest.raises(ValueError, match=r"layer '' is other, got 'Sequential'"):
        demand(model)


@pytest.mark.parametrize("norm", NORMS, ids=repr)
def test_factors_of_norms_and_activations_stay_float(norm):
    assert demand(with_another(norm)) == {"0": 8, "2": 8}


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_weight_that_is_no_finite_number_is_named(bad):
    model = with_another(nn.ReLU())
    model[2].weight.data[1, 1] = bad
    with pytest.raises(ValueError, match=rf"call: model must hold finite .* layer '2', got {bad}"):
        demand(model)


def test_bad_bits_are_named():
    model = with_another(nn.ReLU())
    for bits in (0, 1, 33):
        with pytest.raises(ValueError, match=rf"call: bits must be .* \[2, 16\], got {bits}"):
            demand(model, bits)
    for bits in (4.0, True, "4"):
        with kind_error(rf"call: bits must be a whole number in .*, got '?{bits}"):
            demand(model, bits)
    with pytest.raises(ValueError, match=r"call: layer named in bits must be one of 0, 2, got '1'"):
        demand(model, {"1": 4})
    with pytest.raises(ValueError, match=r"call: model must have a Linear or Conv2d layer"):
        demand(nn.ReLU())


@pytest.mark.parametrize("bad", [True, 2.0, "2", None])
def test_single_numbers_of_bits_are_whole_too(bad):
    model = with_another(nn.ReLU())
    with kind_error(rf"call: bits must be one of 1, 2, 32, got '?{bad}"):
        demand_bits("call", "bits", bad, model, allowed=(1, 2, 32))
    assert demand_bits("call", "bits", 2, model, allowed=(1, 2, 32)) == {"0": 2, "2": 2}
