"""Inputs rounded in a file: the levels are those of the layer."""

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from efficientdl.compression.quantization.static import quantize_static
from efficientdl.models.layers.quantized import QuantizedConv2d, QuantizedLinear
from efficientdl.models.layers.quantized_input import QuantizedInput
from efficientdl.systems.compiler.export import export_onnx, run_onnx
from efficientdl.systems.compiler.export.levels import rounded
from efficientdl.systems.compiler.export.writer import Writer
from efficientdl.tensors import PerTensor, QParams, affine, min_max, quantize, symmetric
from efficientdl.tensors.affine import as_signed
from efficientdl.tensors.straight_through import on_levels

WHOLE = PerTensor()


def drawn(n=4096):
    return torch.randn(n, generator=torch.Generator().manual_seed(0)) + 0.3


def levels_of(rule, bits, *, signed=False):
    made = rule(drawn()[None] * 0.5, bits=bits)  # half the range, so that the ends are met
    return as_signed(made) if signed else made


@pytest.mark.parametrize("signed", [False, True], ids=["from 0", "signed"])
@pytest.mark.parametrize(
    ("rule", "bits", "op"),
    [
        (affine, 8, "QuantizeLinear"),
        (symmetric, 8, "QuantizeLinear"),
        (affine, 3, "QuantizeLinear"),
        (symmetric, 5, "QuantizeLinear"),
        (min_max, 8, "Round"),
        (affine, 12, "Round"),
    ],
)
def test_values_are_rounded_to_the_levels_of_the_layer(rule, bits, op, signed):
    levels = levels_of(rule, bits, signed=signed)
    x, w = drawn(), Writer("test")
    given = w.described(w.new("x"), np.dtype(np.float32), (4096,))
    name = rounded(w, "x", levels, name="layer")
    model = w.model([given], [w.described(name, np.dtype(np.float32), (4096,))])
    assert op in [n.op_type for n in onnx.load_from_string(model).graph.node]
    (ours,) = run_onnx(model, x)
    torch.testing.assert_close(ours, on_levels(x, levels, granularity=WHOLE), rtol=0, atol=0)
    codes = quantize(x, levels, granularity=WHOLE)
    assert codes.min() == levels.lowest
    assert codes.max() == levels.lowest + levels.n_levels - 1


def scaled_by_powers_of_two(generator):
    """A network whose every product and sum is exact in float32, whatever the order."""

    def levels(scale, zero_point, n_levels=256):
        return QParams(torch.tensor([[scale]]), torch.tensor([[zero_point]]), n_levels)

    conv, head = nn.Conv2d(2, 4, 3, padding=1), nn.Linear(4 * 36, 3)
    for layer in (conv, head):
        for p in layer.parameters():
            p.data = torch.randint(-20, 21, p.shape, generator=generator) / 64
    first = QuantizedConv2d(conv, levels(2**-6, 128.0), granularity=WHOLE)
    last = QuantizedLinear(head, levels(2**-6, 128.0), granularity=WHOLE)
    return nn.Sequential(
        QuantizedInput(first, levels(2**-4, 64.0)),
        nn.ReLU(),
        nn.MaxPool2d(1),
        nn.Flatten(),
        QuantizedInput(last, levels(2**-5, 0.0, 200)),
    ).eval()


def test_where_float_sums_are_exact_the_scores_are_equal():
    generator = torch.Generator().manual_seed(0)
    model = scaled_by_powers_of_two(generator)
    x = torch.randn(4, 2, 6, 6, generator=generator)
    (ours,) = run_onnx(export_onnx(model, x), x)
    torch.testing.assert_close(ours, model(x), rtol=0, atol=0)
    plain = nn.Sequential(*(m.layer if isinstance(m, QuantizedInput) else m for m in model))
    assert not torch.equal(plain(x), model(x))  # the rounding of the inputs counts


def test_one_layer_that_quantize_static_made():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1, stride=2))
    x = torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    small, _ = quantize_static(model, x)
    model = export_onnx(small, x)
    ops = [n.op_type for n in onnx.load_from_string(model).graph.node]
    assert ops.count("DequantizeLinear") == 2
    # the codes are equal; sums of 27 terms of size one, rounded in another order
    torch.testing.assert_close(run_onnx(model, x)[0], small(x).detach(), rtol=1e-5, atol=1e-6)
