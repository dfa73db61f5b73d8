"""What a network computes, as steps."""

import numpy as np
import pytest
import torch
from torch import nn

from efficientdl.compression.quantization.dataflow import Value, dataflow

X = torch.randn(3, 2, 4, 4, generator=torch.Generator().manual_seed(0))


class Branches(nn.Module):
    """Two uses of one value, one of them in place, and work that no one asks for."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(2, 2, 1)

    def forward(self, x):
        y = self.conv(x * 1.0)
        torch.sigmoid(y)
        left = y.abs()
        return left + y.relu_()


def test_steps_are_what_the_output_needs():
    flow = dataflow("test", Branches(), X)
    assert [step.name for step in flow.steps] == ["mul", "convolution", "abs", "relu", "add"]
    mul, conv, left, relu, add = flow.steps
    assert [mul.values(), conv.values(), left.values(), relu.values()] == [
        [0],
        [mul.number],
        [conv.number],
        [conv.number],
    ]
    assert add.values() == [left.number, relu.number]
    assert flow.output == add.number
    assert flow.n_uses[conv.number] == 2
    assert (conv.layer, add.layer) == ("conv", "(model)")


def test_weights_are_whatever_else_goes_in():
    class Masked(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(3, 4))
            self.register_buffer("mask", torch.eye(3, 4))

        def forward(self, x):
            return nn.functional.linear(x, self.weight * self.mask)

    (step,) = dataflow("test", Masked(), torch.ones(2, 4)).steps
    assert step.args[0] == Value(0)
    np.testing.assert_array_equal(step.args[1].detach().t(), np.eye(3, 4))


def test_values_in_lists_are_found():
    class Side(nn.Module):
        def forward(self, x):
            return torch.cat([x, x + x], dim=1)

    add, cat = dataflow("test", Side(), X).steps
    assert (add.values(), cat.values()) == ([0, 0], [0, add.number])
    assert (cat.x_shape, cat.shape) == ((3, 2, 4, 4), (3, 4, 4, 4))


def test_a_second_output_is_a_step_of_its_own():
    class Indices(nn.Module):
        def forward(self, x):
            return nn.functional.max_pool2d(x, 2, return_indices=True)[1]

    (step,) = dataflow("test", Indices(), X).steps
    assert step.name == "max_pool2d_with_indices[1]"


def test_bad_models_and_inputs_are_named():
    with pytest.raises(ValueError, match=r"test: x must hold examples, got \(0, 2, 4, 4\)"):
        dataflow("test", Branches(), X[:0])

    class Pair(nn.Module):
        def forward(self, x):
            return x + x, x * x

    class Fixed(nn.Module):
        def forward(self, x):
            return torch.ones(3)

    for model in (Pair(), Fixed()):
        with pytest.raises(ValueError, match=r"test: model must give one tensor that depends on"):
            dataflow("test", model, X)
