"""A tensor of one value comes back bit for bit, whatever the rule, granularity and bits."""

import numpy as np
import pytest
import torch

from efficientdl.compression.quantization.clipping import gauss, laplace
from efficientdl.tensors import (
    LeastDivergence,
    LeastError,
    PerBlock,
    Percentile,
    PerChannel,
    PerGroup,
    PerTensor,
    affine,
    affine_between,
    binary,
    choose_qparams,
    dequantize,
    fake_quantize,
    min_max,
    quantize,
    symmetric,
    symmetric_between,
    ternarize,
    ternary,
)
from efficientdl.tensors.affine import as_signed
from efficientdl.tensors.straight_through import on_levels

BETWEEN = {"symmetric": symmetric_between, "affine": affine_between}
RULES = {"symmetric": symmetric, "affine": affine, "min_max": min_max}
RULES |= {"laplace": laplace, "gauss": gauss}
RULES |= {f"percentile {n}": Percentile(0.9, between=b) for n, b in BETWEEN.items()}
RULES |= {f"least error {n}": LeastError(3, between=b) for n, b in BETWEEN.items()}
RULES |= {f"divergence {n}": LeastDivergence(64, between=b) for n, b in BETWEEN.items()}
GRANULARITIES = [PerTensor(), PerChannel(), PerGroup(7), PerBlock(2, 3)]
# a third and 0.3 are no floats, and means of them are off; squares of 1e-30 are zero; 1e-40 has
# lost bits, 3e38 has next to nothing above it
VALUES = [0.0, 2.5, -2.5, 1 / 3, -0.3, 1e-30, -1e-30, 1e-40, 3e38, -3e38]


def least_bits(name):
    return 2 if "symmetric" in name else 1


def returned(x, qparams, granularity):
    codes = quantize(x, qparams, granularity=granularity)
    return dequantize(codes, qparams, granularity=granularity)


@pytest.mark.parametrize("granularity", GRANULARITIES, ids=repr)
@pytest.mark.parametrize("name", RULES)
def test_every_rule_at_every_number_of_bits(name, granularity):
    for value in VALUES:
        x = torch.full((6, 3, 7, 1), value)
        for bits in range(least_bits(name), 17):
            qparams = choose_qparams(x, bits=bits, granularity=granularity, rule=RULES[name])
            assert qparams.bits == bits
            for levels in (qparams, as_signed(qparams)):
                np.testing.assert_array_equal(returned(x, levels, granularity), x)
            np.testing.assert_array_equal(on_levels(x, qparams, granularity=granularity), x)


@pytest.mark.parametrize("name", RULES)
def test_a_channel_of_one_value_beside_others(name):
    x = torch.randn(3, 8, generator=torch.Generator().manual_seed(0))
    x[1] = -0.7
    for bits in range(least_bits(name), 17):
        qparams = choose_qparams(x, bits=bits, granularity=PerChannel(), rule=RULES[name])
        np.testing.assert_array_equal(returned(x, qparams, PerChannel())[1], x[1])


@pytest.mark.parametrize("value", VALUES)
def test_equation_2_between_equal_ends(value):
    x = torch.full((5,), value)
    for n_levels in (2, 3, 16, 65536):
        np.testing.assert_array_equal(fake_quantize(x, low=x, high=x, n_levels=n_levels), x)


@pytest.mark.parametrize("granularity", GRANULARITIES, ids=repr)
@pytest.mark.parametrize("value", [0.0, 2.5, -0.75, 2.0**-40])
def test_two_and_three_levels(value, granularity):
    x = torch.full((6, 3, 7, 1), value)  # whole sums of these have no rounding
    rounded = ternarize(granularity.group(x))
    np.testing.assert_array_equal(granularity.ungroup(rounded, tuple(x.shape)), x)
    for rule, bits in ((binary, 1), (ternary, 2)):
        qparams = choose_qparams(x, bits=bits, granularity=granularity, rule=rule)
        np.testing.assert_array_equal(returned(x, qparams, granularity), x)
