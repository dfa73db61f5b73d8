"""Sums, pools, clamps on codes, against Python's integers and against torch in float."""

import copy
import pickle

import numpy as np
import pytest
import torch
from torch.nn import functional

from efficientdl.models.layers.activation_codes import ActivationCodes
from efficientdl.models.layers.integer import Geometry
from efficientdl.models.layers.integer_steps import (
    FromCodes,
    IntegerAdd,
    IntegerAveragePool,
    IntegerClamp,
    IntegerConcat,
    IntegerMaxPool,
    IntegerNetwork,
    IntegerReshape,
    ToCodes,
)
from efficientdl.tensors import affine, quantize
from efficientdl.tensors.affine import as_signed
from efficientdl.tensors.granularity import PerTensor
from tests.models.layers import integer_reference as plain
from tests.models.layers.test_integer import X, Y, codes_of

POOLS = {
    "halves": (Geometry((2, 2), (2, 2)), {"kernel_size": 2}),
    "overlaps": (
        Geometry((3, 3), (2, 2), (1, 1)),
        {"kernel_size": 3, "stride": 2, "padding": 1},
    ),
    "oblong": (Geometry((3, 2), (1, 2)), {"kernel_size": (3, 2), "stride": (1, 2)}),
}


def values(codes, q):
    return (q.double() - codes.zero_point) * codes.scale


def assert_within_half_a_code(out, exact, y):
    places = (exact / y.scale + y.zero_point).clamp(y.lowest, y.highest)
    assert float((out.double() - places).abs().max()) <= 0.5 + 1e-6


def by_hand(step, *xs):
    each = zip(*(x.numpy().astype(int) for x in xs), strict=True)
    return np.stack([plain.STEPS[type(step)](step, *example) for example in each])


def test_a_sum_of_one_in_its_own_scale_is_that_one():
    x = codes_of((2, 3))
    np.testing.assert_array_equal(IntegerAdd((X,), X)(x), x)
    np.testing.assert_array_equal(IntegerConcat((X,), X)(x), x)


@pytest.mark.parametrize("scale", [0.011, 0.043, 3.7])
def test_sums_of_two_scales(scale):
    other = ActivationCodes(scale, -5)
    a, b = codes_of((2, 3, 4, 4)), codes_of((2, 3, 4, 4), seed=5)
    step = IntegerAdd((X, other), Y)
    np.testing.assert_array_equal(step(a, b), by_hand(step, a, b))
    assert_within_half_a_code(step(a, b), values(X, a) + values(other, b), Y)


def test_channels_side_by_side():
    other = ActivationCodes(0.011, -5)
    a, b = codes_of((2, 3, 4, 4)), codes_of((2, 2, 4, 4), seed=5)
    step = IntegerConcat((X, other), Y)
    np.testing.assert_array_equal(step(a, b), by_hand(step, a, b))
    assert_within_half_a_code(step(a, b), torch.cat([values(X, a), values(other, b)], dim=1), Y)


@pytest.mark.parametrize("case", POOLS)
def test_pools(case):
    geometry, options = POOLS[case]
    x = codes_of((2, 3, 7, 6))
    mean, largest = IntegerAveragePool(geometry, x=X, y=Y), IntegerMaxPool(geometry)
    np.testing.assert_array_equal(mean(x), by_hand(mean, x))
    np.testing.assert_array_equal(largest(x), by_hand(largest, x))
    assert_within_half_a_code(mean(x), functional.avg_pool2d(values(X, x), **options), Y)
    np.testing.assert_array_equal(largest(x), functional.max_pool2d(x.double(), **options))


def test_the_order_in_memory_does_not_matter():
    a, b = codes_of((2, 3, 4, 4)), codes_of((2, 3, 4, 4), seed=5)
    lying = a.contiguous(memory_format=torch.channels_last)
    for step in (IntegerAdd((X, X), Y), IntegerConcat((X, X), Y)):
        np.testing.assert_array_equal(step(lying, b), step(a, b))
    x = torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    codes = ToCodes(X)(x)
    np.testing.assert_array_equal(ToCodes(X)(x.double()), codes)
    lying = x.contiguous(memory_format=torch.channels_last)
    np.testing.assert_array_equal(ToCodes(X)(lying), codes)


def test_shapes_alone_are_enough_on_the_meta_device():
    x = codes_of((2, 3, 6, 6))
    geometry = Geometry((3, 2), (2, 1), (1, 0))
    for step in (IntegerAveragePool(geometry, x=X, y=Y), IntegerMaxPool(geometry)):
        assert step(x.to("meta")).shape == step(x).shape
    for step in (IntegerAdd((X, X), Y), IntegerConcat((X, X), Y)):
        assert step(x.to("meta"), x.to("meta")).shape == step(x, x).shape
    assert ToCodes(X)(x.float().to("meta")).dtype == torch.int8


def test_a_mean_over_the_picture_may_drop_its_axes():
    geometry, x = Geometry((4, 4), (4, 4)), codes_of((2, 3, 4, 4))
    step = IntegerAveragePool(geometry, x=X, y=Y, keeps_axes=False)
    assert step(x).shape == (2, 3)
    np.testing.assert_array_equal(step(x), by_hand(step, x))


def test_a_clamp_is_a_relu_on_codes():
    relu = X.between(0.0, float("inf"))
    x = codes_of((2, 30))
    np.testing.assert_array_equal(values(X, IntegerClamp(relu)(x)), values(X, x).relu())


def test_codes_are_those_of_tensors_and_come_back():
    x = torch.randn(4, 50, generator=torch.Generator().manual_seed(0))
    qparams = affine(x.reshape(1, -1), bits=8)
    codes = ActivationCodes.of(qparams)
    ours = ToCodes(codes)(x)
    np.testing.assert_array_equal(ours, quantize(x, as_signed(qparams), granularity=PerTensor()))
    back = FromCodes(codes)(ours, torch.float64)
    assert back.dtype == torch.float64
    assert float((back - x).abs().max()) <= codes.scale * (0.5 + 1e-4)  # floats in x / scale


def network():
    steps = [
        ("body.pool", IntegerMaxPool(Geometry((2, 2), (2, 2))), (0,)),
        ("body.sum", IntegerAdd((X, X), Y), (1, 1)),
        ("flat", IntegerReshape((12,)), (2,)),
    ]
    return IntegerNetwork(steps, x=X, y=Y)


def test_a_network_runs_its_steps_in_order_under_their_names():
    codes = codes_of((2, 3, 4, 4))
    assert dict(network().named_modules()).keys() >= {"body.pool", "body.sum", "flat"}
    np.testing.assert_array_equal(network().integers(codes), plain.integers(network(), codes))
    doubled = 2 * values(X, codes.float().reshape(2, 3, 2, 2, 2, 2).amax(dim=(3, 5)))
    assert_within_half_a_code(network().integers(codes), doubled.flatten(1), Y)


def test_a_network_is_copied_and_pickled_whole():
    x = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(1))
    for again in (copy.deepcopy(network()), pickle.loads(pickle.dumps(network()))):
        np.testing.assert_array_equal(again(x), network()(x))
