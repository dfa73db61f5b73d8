"""An integer network in onnxruntime: the very same codes, whatever the input."""

import numpy as np
import onnx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from efficientdl.compression.quantization.integer_only import integer_only
from efficientdl.models import seeded
from efficientdl.models.layers.activation_codes import ActivationCodes
from efficientdl.models.layers.integer import Geometry, IntegerConv2d, IntegerLinear
from efficientdl.models.layers.integer_steps import (
    IntegerAdd,
    IntegerAveragePool,
    IntegerClamp,
    IntegerConcat,
    IntegerMaxPool,
    IntegerNetwork,
    IntegerReshape,
)
from efficientdl.systems.compiler.export import export_onnx, run_onnx
from efficientdl.tensors import PerTensor, QParams, affine
from tests.compression.quantization.residual_net import X, residual_net


def assert_same_codes(network, x, model=None):
    """The scores are codes times one scale: equal scores are equal codes."""
    (ours,) = run_onnx(export_onnx(network, x) if model is None else model, x)
    torch.testing.assert_close(ours, network(x), rtol=0, atol=0)
    return ours


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"granularity": PerTensor()},
        {"weight_rule": affine},
        {"weight_rule": affine, "granularity": PerTensor()},
        {"weight_bits": 4, "activation_bits": 5},
    ],
    ids=["per channel", "per tensor", "affine by channel", "affine", "few bits"],
)
def test_a_whole_network_gives_the_very_same_codes(options):
    network, _ = integer_only(residual_net(), X, **options)
    assert len(assert_same_codes(network, X).unique()) > 5
    wild = 5 * torch.randn(X.shape, generator=torch.Generator().manual_seed(1))
    assert_same_codes(network, wild)  # outside of what it was calibrated for: all saturates


def test_between_the_ends_there_are_whole_numbers_alone():
    network, _ = integer_only(residual_net(), X)
    model = onnx.load_from_string(export_onnx(network, X))
    inferred = onnx.shape_inference.infer_shapes(model).graph
    kinds = {v.name: v.type.tensor_type.elem_type for v in inferred.value_info}
    floats = {name for name, kind in kinds.items() if kind == onnx.TensorProto.FLOAT}
    assert len(kinds) > 50
    assert all(name.startswith(("to_codes", "from_codes")) for name in floats), floats
    assert {"ConvInteger", "MatMulInteger"} <= {n.op_type for n in model.graph.node}


class OneStep(IntegerNetwork):
    """A network of one step."""

    def __init__(self, step, x, y, takes=(0,)):
        super().__init__([("step", step, takes)], x=x, y=y)


scales = st.floats(0.01, 3.0)
codes = st.builds(
    lambda scale, zero, ends: ActivationCodes(scale, zero, min(ends), max(ends)),
    scales,
    st.integers(-128, 127),
    st.tuples(st.integers(-128, 127), st.integers(-128, 127)),
)
seeds = st.integers(0, 2**16)


def bytes_like(shape, codes, seed):
    """Floats that become all codes there are, so that the input's rounding hides nothing."""
    drawn = np.random.default_rng(seed).integers(codes.lowest, codes.highest + 1, shape)
    return torch.from_numpy((drawn - codes.zero_point) * codes.scale).float()


def qparams(rng, c_out):
    scale = torch.from_numpy(rng.uniform(0.01, 1.0, (c_out, 1)))
    return QParams(scale, torch.from_numpy(rng.integers(-128, 128, (c_out, 1))).float(), 256, -128)


@settings(max_examples=25, deadline=None)
@given(x=codes, y=codes, seed=seeds, per_channel=st.booleans())
def test_products_of_any_scales_and_zero_points(x, y, seed, per_channel):
    rng = np.random.default_rng(seed)
    weight = torch.from_numpy(rng.normal(0, 20, (6, 2, 3, 2)))
    bias = torch.from_numpy(rng.normal(0, 10, 6))
    geometry = Geometry((3, 2), (2, 1), (1, 2), (1, 2), groups=2)
    levels = qparams(rng, 6 if per_channel else 1)
    conv = IntegerConv2d(weight, bias, geometry, qparams=levels, x=x, y=y)
    assert_same_codes(OneStep(conv, x, y), bytes_like((2, 4, 6, 5), x, seed))
    linear = IntegerLinear(weight.flatten(1), bias, qparams=levels, x=x, y=y)
    assert_same_codes(OneStep(linear, x, y), bytes_like((3, 12), x, seed))


@settings(max_examples=25, deadline=None)
@given(x=codes, other=codes, y=codes, seed=seeds)
def test_sums_pools_and_clamps_of_any_scales(x, other, y, seed):
    image = bytes_like((2, 3, 5, 6), x, seed)
    windows = Geometry((3, 2), (2, 1), (1, 1))
    dilated = Geometry((2, 2), (1, 2), (0, 0), (2, 1))
    for step in (
        IntegerAveragePool(windows, x=x, y=y),
        IntegerAveragePool(Geometry((5, 6)), x=x, y=y, keeps_axes=False),
        IntegerMaxPool(dilated),
        IntegerMaxPool(windows),
        IntegerClamp(y),
        IntegerReshape((6, 15)),
    ):
        assert_same_codes(OneStep(step, x, y), image)
    third = x._replace(scale=2 * x.scale)
    for step in (IntegerAdd((x, other), y), IntegerConcat((x, other), y)):
        assert_same_codes(OneStep(step, x, y, takes=(0, 0)), image)
    for step in (IntegerAdd((x, other, third), y), IntegerConcat((x, other, third), y)):
        assert_same_codes(OneStep(step, x, y, takes=(0, 0, 0)), image)


def test_a_half_is_rounded_as_the_network_rounds_it():
    x, y = ActivationCodes(1.0, 0), ActivationCodes(2.0, 0)
    network = OneStep(IntegerAdd((x,), y), x, y)
    halves = torch.tensor([[-5.0, -3.0, -1.0, 1.0, 3.0, 5.0]])
    # -2.5, -1.5, -0.5, 0.5, 1.5, 2.5, a half upwards: where half to even says -2 -2 0 0 2 2
    expected = 2 * torch.tensor([[-2.0, -1.0, 0.0, 1.0, 2.0, 3.0]])
    torch.testing.assert_close(run_onnx(export_onnx(network, halves), halves)[0], expected)


def test_bytes_make_the_file_four_times_smaller():
    model = seeded(
        lambda: nn.Sequential(nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 256)), seed=0
    )
    x = torch.randn(8, 256, generator=torch.Generator().manual_seed(0))
    network, _ = integer_only(model, x)
    before, after = len(export_onnx(model.eval(), x)), len(export_onnx(network, x))
    n_weights = 2 * 256 * 256
    assert n_weights < after < n_weights + 20 * 1024  # 28 bytes a channel of factors, and names
    assert before / after > 3.5
