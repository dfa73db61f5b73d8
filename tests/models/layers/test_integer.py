"""Integer layers against Python's integers and against the same layers in float."""

import copy
import pickle
from fractions import Fraction

import numpy as np
import pytest
import torch
from torch.nn import functional

from efficientdl.costs.count import count
from efficientdl.models.layers.activation_codes import ActivationCodes
from efficientdl.models.layers.integer import (
    Geometry,
    IntegerConv2d,
    IntegerLinear,
)
from efficientdl.tensors import (
    PerChannel,
    PerTensor,
    QParams,
    affine,
    choose_qparams,
    dequantize,
    min_max,
    symmetric,
)
from efficientdl.tensors.affine import as_signed
from tests.models.layers import integer_reference as plain

X = ActivationCodes(0.021, 17)
Y = ActivationCodes(0.043, -31)
RELU = Y.between(0.0, float("inf"))
CONVS = {
    "plain": ((6, 4, 3, 3), {}),
    "pointwise": ((6, 4, 1, 1), {}),
    "strided and padded": ((6, 4, 3, 3), {"stride": (2, 1), "padding": (1, 2)}),
    "dilated": ((6, 4, 3, 2), {"dilation": (2, 1), "padding": (2, 1)}),
    "grouped": ((6, 2, 3, 3), {"groups": 2, "padding": (1, 1)}),
    "depthwise": ((8, 1, 3, 3), {"groups": 4, "padding": (1, 1)}),
}
WEIGHTS = {
    "a scale each": (PerChannel(), symmetric, 8),
    "one scale": (PerTensor(), symmetric, 8),
    "zero points": (PerChannel(), affine, 8),
    "three bits": (PerChannel(), affine, 3),
}


def gen(seed):
    return torch.Generator().manual_seed(seed)


def layer_of(shape, options, how="a scale each", y=Y, seed=0):
    """An integer layer, with the float weight and bias that its codes stand for."""
    granularity, rule, bits = WEIGHTS[how]
    weight = torch.randn(shape, generator=gen(seed)) / shape[1]
    bias = torch.randn(shape[0], generator=gen(seed + 1))
    qparams = choose_qparams(weight, bits=bits, granularity=granularity, rule=rule)
    if len(shape) == 2:
        layer = IntegerLinear(weight, bias, qparams=qparams, x=X, y=y)
    else:
        geometry = Geometry(shape[2:], **options)
        layer = IntegerConv2d(weight, bias, geometry, qparams=qparams, x=X, y=y)
    wide = as_signed(qparams)._replace(scale=qparams.scale.double())
    values = dequantize(layer.codes, wide, granularity=granularity)
    return layer, values, bias.double()


def codes_of(shape, seed=3):
    return torch.randint(-128, 128, shape, dtype=torch.int8, generator=gen(seed))


def in_float(x, weight, bias, options, y):
    """The layer in float64 on the values of the codes, and the codes of what it gives."""
    values = (x.double() - X.zero_point) * X.scale
    if weight.ndim == 2:
        exact = functional.linear(values, weight, bias)
    else:
        exact = functional.conv2d(values, weight, bias, **options)
    return (exact / y.scale + y.zero_point).clamp(y.lowest, y.highest)


@pytest.mark.parametrize("y", [Y, RELU], ids=["", "relu"])
@pytest.mark.parametrize("how", WEIGHTS)
@pytest.mark.parametrize("case", [*CONVS, "linear"])
def test_it_equals_plain_integers_and_is_within_half_a_code_of_float(case, how, y):
    shape, options = CONVS.get(case, ((5, 40), {}))
    layer, weight, bias = layer_of(shape, options, how, y)
    x = codes_of((2, shape[1] * options.get("groups", 1), 6, 5) if len(shape) == 4 else (3, 40))
    out = layer(x)
    assert out.dtype == torch.int8
    step = plain.STEPS[type(layer)]
    np.testing.assert_array_equal(out, np.stack([step(layer, e.astype(int)) for e in x.numpy()]))
    # half a code to round, and half a step of the bias, whose scale is S_w S_x
    factor = layer.multiplier.double() / 2.0 ** layer.shift.double()
    apart = (out.double() - in_float(x, weight, bias, options, y)).abs().max()
    assert float(apart) <= 0.5 + 0.5 * float(factor.max()) + 1e-6
    assert len(out.unique()) > 4, "the outputs hardly differ, so that nothing was tested"


@pytest.mark.parametrize("how", WEIGHTS)
def test_what_is_stored_is_what_equations_5_to_11_say(how):
    """Codes, bias and factor once more, from the float weights and in exact fractions."""
    granularity, rule, bits = WEIGHTS[how]
    weight, bias = torch.randn((5, 12), generator=gen(0)), torch.randn(5, generator=gen(1))
    qparams = choose_qparams(weight, bits=bits, granularity=granularity, rule=rule)
    layer = IntegerLinear(weight, bias, qparams=qparams, x=X, y=Y)
    for row in range(5):
        group = row if len(qparams.scale) > 1 else 0
        scale = float(qparams.scale[group])
        shift = qparams.n_levels // 2
        zero_point = int(qparams.zero_point[group]) - shift
        codes = [round(Fraction(float(w)) / Fraction(scale)) + zero_point for w in weight[row]]
        ends = -shift, -shift + qparams.n_levels - 1
        codes = [min(max(code, ends[0]), ends[1]) for code in codes]
        assert layer.codes[row].tolist() == codes
        whole = round(float(bias[row]) / (scale * X.scale))
        offset = whole - X.zero_point * sum(code - zero_point for code in codes)
        assert int(layer.bias[row]) == offset
        factor = Fraction(int(layer.multiplier[row]), 2 ** int(layer.shift[row]))
        assert factor == plain.as_written(scale * X.scale / Y.scale)


def test_a_zero_input_gives_the_bias_and_a_zero_weight_nothing():
    layer = layer_of((5, 12), {})[0]
    zero = torch.full((1, 12), X.zero_point, dtype=torch.int8)
    bias = torch.randn(5, generator=gen(1)).double()
    expected = (bias / Y.scale + Y.zero_point).round().clamp(-128, 127)
    assert float((layer(zero)[0] - expected).abs().max()) <= 1
    qparams = QParams(torch.ones(1, 1), torch.tensor([[127.0]]), 255)
    nothing = IntegerLinear(torch.zeros(5, 12), None, qparams=qparams, x=X, y=Y)
    np.testing.assert_array_equal(nothing(codes_of((4, 12))), Y.zero_point)


def test_activation_codes_between_two_values():
    np.testing.assert_array_equal(Y.between(0.0, float("inf"))[2:], (-31, 127))
    six = ActivationCodes(0.1, -128).between(0.0, 6.0)
    np.testing.assert_array_equal(six[2:], (-128, -68))
    np.testing.assert_array_equal(Y.between(-1e9, 1e9)[2:], (-128, 127))
    np.testing.assert_array_equal(Y.between(1e9, 2e9)[2:], (127, 127))


def test_cost_is_codes_biases_factors_and_the_macs_of_the_float_layer():
    for shape, options in [*CONVS.values(), ((5, 40), {})]:
        layer = layer_of(shape, options)[0]
        size = (2, shape[1] * options.get("groups", 1), 6, 5) if len(shape) == 4 else (3, 40)
        if len(shape) == 4:
            float_layer = torch.nn.Conv2d(size[1], shape[0], shape[2:], **options)
        else:
            float_layer = torch.nn.Linear(40, 5)
        cost = layer.cost(size)
        assert cost.macs == count(float_layer, torch.zeros(size)).total.macs
        assert cost.params == sum(p.numel() for p in float_layer.parameters())
        assert cost.weight_bits == 8 * float_layer.weight.numel() + shape[0] * (32 + 32 + 8)
    with_zero_points = layer_of((5, 40), {}, "three bits")[0]
    assert with_zero_points.cost((1, 40)).weight_bits == 3 * 200 + 5 * (32 + 40 + 3)


def test_shapes_alone_are_enough_on_the_meta_device():
    for case in ("grouped", "strided and padded"):
        shape, options = CONVS[case]
        layer = layer_of(shape, options)[0]
        x = codes_of((2, 4, 6, 5))
        on_meta = copy.deepcopy(layer).to("meta")(x.to("meta"))
        assert (on_meta.shape, on_meta.dtype) == (layer(x).shape, torch.int8)


def test_it_is_copied_pickled_and_loaded_whole():
    layer, other = layer_of((6, 4, 3, 3), {})[0], layer_of((6, 4, 3, 3), {}, seed=9)[0]
    other.load_state_dict(layer.state_dict())
    x = codes_of((2, 4, 6, 5))
    for again in (other, copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        np.testing.assert_array_equal(again(x), layer(x))


def test_channels_that_lie_side_by_side_are_read_as_they_stand():
    for case in ("plain", "grouped", "depthwise"):
        shape, options = CONVS[case]
        layer, x = layer_of(shape, options)[0], codes_of((2, 4, 6, 5))
        lying = x.contiguous(memory_format=torch.channels_last)
        np.testing.assert_array_equal(layer(lying), layer(x))
        assert layer(x).is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("name", ["codes", "weight_zero_point", "bias", "multiplier", "shift"])
def test_a_tensor_that_is_written_to_is_packed_anew(name):
    layer, x = layer_of((6, 4, 3, 3), {}, "zero points")[0], codes_of((2, 4, 6, 5))
    before = layer(x)
    getattr(layer, name).add_({"bias": 3000, "multiplier": -(2**29)}.get(name, 1))
    changed = layer(x)
    assert not torch.equal(changed, before)
    step = plain.STEPS[type(layer)]
    wanted = np.stack([step(layer, example.astype(int)) for example in x.numpy()])
    np.testing.assert_array_equal(changed, wanted)


def test_layers_made_where_torch_counts_no_versions():
    with torch.inference_mode():
        layer, x = layer_of((5, 40), {})[0], codes_of((3, 40))
        np.testing.assert_array_equal(layer(x), layer_of((5, 40), {})[0](x))


def test_bad_values_are_named():
    weight = torch.randn((5, 12), generator=gen(0))
    off_zero = choose_qparams(weight, bits=8, granularity=PerTensor(), rule=min_max)
    with pytest.raises(ValueError, match=r"integer_only: zero point must be a whole number, as"):
        IntegerLinear(weight, None, qparams=off_zero, x=X, y=Y)
    wide = choose_qparams(weight, bits=9, granularity=PerTensor())
    with pytest.raises(ValueError, match=r"integer_only: bits must be at most 8, got 9"):
        IntegerLinear(weight, None, qparams=wide, x=X, y=Y)
    one = QParams(torch.ones(1, 1), torch.tensor([[127.0]]), 255)
    with pytest.raises(ValueError, match=r"integer_only: layer must have sums that fit into 32"):
        IntegerLinear(torch.full((1, 200_000), 127.0), None, qparams=one, x=X, y=Y)
