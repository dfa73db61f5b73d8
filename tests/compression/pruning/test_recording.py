"""Layers as matrix products, against the layers themselves and autograd."""

import pytest
import torch
from torch import nn

from efficientdl.compression import quantize_weights
from efficientdl.compression.pruning.recording import (
    example_gradients,
    input_columns,
    n_groups,
    output_columns,
    recording,
)
from tests.models.layers.test_masked import CONVS, drawn, gen

X = torch.randn(3, 4, 9, 8, generator=gen(7))


def by_columns(layer, x, bias):
    """The layer's output as products of its weight matrix with columns."""
    groups = n_groups(layer)
    matrix = layer.weight.flatten(1).unflatten(0, (groups, -1))
    y = torch.einsum("gnpk,gok->gnpo", input_columns(layer, x), matrix)
    return y + 0 if bias is None else y + bias.reshape(groups, 1, 1, -1)


@pytest.mark.parametrize("options", CONVS.values(), ids=CONVS)
def test_a_convolution_is_its_columns_times_its_matrix(options):
    conv = drawn(nn.Conv2d(4, 6, **options))
    wanted = output_columns(conv, conv(X))
    torch.testing.assert_close(by_columns(conv, X, conv.bias), wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("options", CONVS.values(), ids=CONVS)
def test_a_quantized_convolution_too(options):
    conv, _ = quantize_weights(drawn(nn.Conv2d(4, 6, **options)), X, bits=6)
    wanted = output_columns(conv, conv(X))
    torch.testing.assert_close(by_columns(conv, X, conv.bias), wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shape", [(3, 4), (3, 5, 4), (3, 2, 5, 4)], ids=str)
def test_a_linear_layer_with_any_axes_between(shape):
    linear, x = drawn(nn.Linear(4, 6)), torch.randn(shape, generator=gen())
    wanted = output_columns(linear, linear(x))
    torch.testing.assert_close(by_columns(linear, x, linear.bias), wanted)


@pytest.mark.parametrize("options", CONVS.values(), ids=CONVS)
def test_gradients_of_examples_are_those_of_batches_of_one(options):
    conv = drawn(nn.Conv2d(4, 6, **options))
    y_grad = torch.randn(conv(X).shape, generator=gen(3))
    ours = example_gradients(input_columns(conv, X), output_columns(conv, y_grad))
    for i in range(3):
        (theirs,) = torch.autograd.grad(conv(X[i : i + 1]), conv.weight, y_grad[i : i + 1])
        torch.testing.assert_close(ours[i], theirs.flatten(1), rtol=1e-4, atol=1e-4)


def test_what_runs_in_place_afterwards_is_not_written_down():
    model = nn.Sequential(drawn(nn.Linear(4, 6)), nn.ReLU(inplace=True))
    x = X[:, :, 0, 0]
    with recording("prune", model, {"0": model[0]}) as calls:
        y = model(x)
    (call,) = calls["0"]
    torch.testing.assert_close(call.y, model[0](x))
    torch.testing.assert_close(y, model[0](x).relu())
    assert not model[0]._forward_hooks


def test_a_layer_that_is_not_called_is_named():
    attention = nn.MultiheadAttention(4, 2)
    x = X[:, :, 0, 0]
    with (
        pytest.raises(ValueError, match=r"prune: model must call layer 'out_proj', or its inputs"),
        recording("prune", attention, {"out_proj": attention.out_proj}),
    ):
        attention(x, x, x)
    assert not attention.out_proj._forward_hooks
