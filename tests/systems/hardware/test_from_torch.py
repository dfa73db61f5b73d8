"""The layers of networks, against the counts of `costs`."""

import pytest
import torch
from torch import nn

from efficientdl.costs import count
from efficientdl.systems.hardware.analyse import analyse
from efficientdl.systems.hardware.arch import Arch, Array
from efficientdl.systems.hardware.from_torch import from_torch
from efficientdl.systems.hardware.layer import Bits, Conv, Gemm


def small():
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2, padding=1),
        nn.BatchNorm2d(8),
        nn.Conv2d(8, 8, (3, 1), padding="same", groups=8),
        nn.Conv2d(8, 12, 1),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(12, 10),
    )


def test_macs_are_those_of_the_counter():
    model, x = small(), torch.zeros(2, 3, 9, 9)
    layers = from_torch(model, x)
    rows = count(model.eval(), x).rows
    assert {name: layer.macs for name, layer in layers.items()} == {
        name: cost.macs for name, cost in rows.items() if name in layers
    }
    assert list(layers) == ["0", "2", "3", "6"]


def test_shapes_are_those_of_the_tensors():
    model, x = small(), torch.zeros(2, 3, 9, 9)
    first, depthwise, pointwise, linear = from_torch(model, x, bits=Bits(4, 4, 16)).values()
    assert first == Conv(3, 9, 9, 8, 3, 2, 1, batch=2, bits=Bits(4, 4, 16))
    assert (depthwise.kernel, depthwise.padding, depthwise.groups) == ((3, 1), (1, 0), 8)
    assert (pointwise.x_shape, linear) == ((2, 8, 5, 5), Gemm(2, 12, 10, bits=Bits(4, 4, 16)))


def test_the_network_stays_what_it_was():
    model = small().train()
    model[1].eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    from_torch(model, torch.randn(2, 3, 9, 9))
    assert model.training
    assert not model[1].training
    assert not any(module._forward_hooks for module in model.modules())
    torch.testing.assert_close(dict(model.state_dict()), before, rtol=0, atol=0)


def test_a_layer_called_twice_comes_twice():
    layer = nn.Linear(4, 4)
    assert list(from_torch(nn.Sequential(layer, nn.ReLU(), layer), torch.zeros(1, 4))) == [
        "0",
        "0 (2)",
    ]


def test_every_layer_runs_on_a_machine():
    arch = Arch("small", Array(16, 16))
    for layer in from_torch(small(), torch.zeros(1, 3, 9, 9)).values():
        assert analyse(layer, arch).macs == layer.macs


@pytest.mark.filterwarnings("ignore:Using padding='same'")  # which is what the test is about
def test_what_has_no_images():
    with pytest.raises(ValueError, match="from_torch: layer 'model' must be a convolution of imag"):
        from_torch(nn.Conv1d(1, 1, 1), torch.zeros(1, 1, 4))
    with pytest.raises(ValueError, match="layer 'model' must be padded alike on both sides"):
        from_torch(nn.Conv2d(1, 1, 2, padding="same"), torch.zeros(1, 1, 4, 4))
    with pytest.raises(TypeError, match="from_torch: model must be a Module, got 3"):
        from_torch(3, torch.zeros(1))
