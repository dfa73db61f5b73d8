"""The form of a convolution does what the convolution did, whatever its border and strides."""

import pytest
import torch
from torch import nn

from efficientdl.models.layers.conv_form import ConvForm

FORMS = [
    {},
    {"stride": 2, "padding": 1},
    {"padding": "same", "dilation": 2},
    {"padding": (2, 1), "padding_mode": "reflect"},
    {"padding": 1, "padding_mode": "circular", "groups": 2},
    {"stride": (2, 1), "padding": 2, "padding_mode": "replicate", "bias": False},
]


@pytest.mark.parametrize("options", FORMS, ids=str)
def test_it_convolves_as_the_layer_that_it_was_taken_from(options):
    layer = nn.Conv2d(4, 6, 3, **options)
    form = ConvForm()
    form.take_form(layer)
    x = torch.randn(3, 4, 9, 8, generator=torch.Generator().manual_seed(0))
    wanted = layer(x)
    torch.testing.assert_close(form.convolve(x, layer.weight, layer.bias), wanted, rtol=0, atol=0)
    assert form.y_shape(tuple(x.shape), tuple(layer.weight.shape)) == tuple(wanted.shape)
