"""A weight in a file: it decodes to the very same numbers, in as few bytes as its codes take."""

import numpy as np
import onnx
import pytest
import torch
from onnx.reference import ReferenceEvaluator
from torch import nn

from efficientdl.models.layers.float_codes import FloatCodes
from efficientdl.models.layers.masked import MaskedLinear
from efficientdl.models.layers.quantized import QuantizedLinear
from efficientdl.models.layers.shared_weight import SharedLinear
from efficientdl.systems.compiler.export.runtime import run_onnx
from efficientdl.systems.compiler.export.stored import hold_weight
from efficientdl.systems.compiler.export.writer import Writer
from efficientdl.tensors import (
    FP16,
    PerBlock,
    PerChannel,
    PerGroup,
    PerTensor,
    affine,
    choose_qparams,
    min_max,
    symmetric,
)
from efficientdl.tensors.affine import as_signed

N = 64 * 96


def linear():
    layer = nn.Linear(96, 64, bias=False)
    with torch.no_grad():
        layer.weight.normal_(generator=torch.Generator().manual_seed(0))
    return layer


def masked():
    layer = linear()
    return MaskedLinear(layer, layer.weight.abs() > 0.5)


def quantized(layer, bits, granularity, rule=symmetric, *, signed=False):
    qparams = choose_qparams(layer.weight, bits=bits, granularity=granularity, rule=rule)
    qparams = as_signed(qparams) if signed else qparams
    return QuantizedLinear(layer, qparams, granularity=granularity)


def shared(layer, size):
    books = torch.linspace(-1, 1, size)[None, :, None]
    codes = (layer.weight.detach().reshape(-1, 1) - books.flatten()).abs().argmin(dim=1)
    return SharedLinear(layer, books, codes[:, None])


def written(layer):
    """A model that gives a layer's weight, as its bytes."""
    w = Writer("test")
    weight = layer.weight.detach()
    if isinstance(layer, MaskedLinear):
        weight = weight * layer.mask
    name = hold_weight(w, "weight", weight.numpy(), layer)
    x = w.described(w.new("x"), np.dtype(np.float32), (1,))
    nothing = w.add("Sub", ["x", "x"], name="nothing")
    y = w.add("Add", [name, nothing], name="y")
    return w.model([x], [w.described(y, np.dtype(np.float32), tuple(weight.shape))]), weight


CASES = {
    "8 bits by channel": (lambda: quantized(linear(), 8, PerChannel()), 8, "DequantizeLinear"),
    "8 bits, one scale": (lambda: quantized(linear(), 8, PerTensor()), 8, "DequantizeLinear"),
    "8 bits by group": (lambda: quantized(linear(), 8, PerGroup(32)), 8, "DequantizeLinear"),
    "4 bits by channel": (lambda: quantized(linear(), 4, PerChannel()), 4, "DequantizeLinear"),
    "4 bits by group": (lambda: quantized(linear(), 4, PerGroup(32)), 4, "DequantizeLinear"),
    "3 bits": (lambda: quantized(linear(), 3, PerChannel()), 4, "DequantizeLinear"),
    "12 bits": (lambda: quantized(linear(), 12, PerChannel()), 16, "DequantizeLinear"),
    "affine": (lambda: quantized(linear(), 8, PerChannel(), affine), 8, "DequantizeLinear"),
    "affine, 4 bits": (lambda: quantized(linear(), 4, PerChannel(), affine), 4, "DequantizeLinear"),
    "signed": (
        lambda: quantized(linear(), 8, PerChannel(), affine, signed=True),
        8,
        "DequantizeLinear",
    ),
    "signed, 4 bits": (
        lambda: quantized(linear(), 4, PerChannel(), signed=True),
        4,
        "DequantizeLinear",
    ),
    "pruned, 8 bits": (lambda: quantized(masked(), 8, PerChannel()), 8, "DequantizeLinear"),
    "pruned, affine": (lambda: quantized(masked(), 4, PerChannel(), affine), 4, "DequantizeLinear"),
    "no level for zero": (lambda: quantized(linear(), 4, PerTensor(), min_max), 4, "Gather"),
    "by block": (lambda: quantized(linear(), 8, PerBlock(8, 8)), 32, None),
    "codebook of 16": (lambda: shared(linear(), 16), 4, "Gather"),
    "codebook of 200": (lambda: shared(linear(), 200), 8, "Gather"),
    "pruned codebook": (lambda: shared(masked(), 14), 4, "Gather"),
    "half": (lambda: FloatCodes(linear(), FP16), 16, "Cast"),
    "masked": (masked, 32, None),
}


@pytest.mark.parametrize("case", CASES)
def test_it_decodes_to_the_weight_and_takes_the_bits_that_its_codes_take(case):
    make, bits, op = CASES[case]
    model, weight = written(make())
    ops = [n.op_type for n in onnx.load_from_string(model).graph.node]
    assert (op in ops) if op else set(ops) == {"Sub", "Add"}
    (ours,) = run_onnx(model, torch.ones(1))
    torch.testing.assert_close(ours, weight, rtol=0, atol=0)
    # names, nodes, 192 scales and zero points in floats: less than 2 KiB
    assert N * bits // 8 <= len(model) <= N * bits // 8 + 2048


@pytest.mark.parametrize("case", ["8 bits by channel", "affine, 4 bits", "codebook of 16"])
def test_the_format_s_own_interpreter_decodes_it_too(case):
    model, weight = written(CASES[case][0]())
    (ours,) = ReferenceEvaluator(model).run(None, {"x": np.ones(1, np.float32)})
    np.testing.assert_array_equal(ours, weight.numpy())


def test_a_weight_of_a_layer_that_is_not_compressed_stays_as_it_is():
    w = Writer("test")
    name = hold_weight(w, "weight", np.zeros((64, 64), np.float32), None)
    assert name == "weight"
    assert not w.made.graph.node


def test_codes_that_do_not_give_the_weight_back_are_not_used():
    class Doubled(QuantizedLinear):
        @property
        def weight(self):
            return 2 * super().weight

    layer = quantized(linear(), 8, PerChannel())
    layer.__class__ = Doubled
    model, weight = written(layer)
    (ours,) = run_onnx(model, torch.ones(1))
    torch.testing.assert_close(ours, weight, rtol=0, atol=0)
    assert "DequantizeLinear" not in {n.op_type for n in onnx.load_from_string(model).graph.node}
