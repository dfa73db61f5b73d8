"""Linear codes against NumPy and against equation 2's closed form."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from efficientdl.tensors import (
    PerBlock,
    PerChannel,
    PerGroup,
    PerTensor,
    QParams,
    affine,
    as_signed,
    choose_qparams,
    dequantize,
    fake_quantize,
    min_max,
    quantize,
    symmetric,
)

FLOATS = st.floats(-100, 100, allow_subnormal=False).map(lambda v: round(v, 3))
WEIGHTS = arrays(np.float64, st.tuples(st.integers(1, 4), st.just(8)), elements=FLOATS)
RULES = st.sampled_from([symmetric, affine, min_max])
GRANULARITIES = st.sampled_from([PerTensor(), PerChannel(), PerGroup(4), PerBlock(1, 2)])


def equation_2(x, low, high, n):
    """The survey's formula, in NumPy."""
    step = (high - low) / (n - 1)
    return np.round((np.minimum(np.maximum(x, low), high) - low) / step) * step + low


@settings(deadline=None, max_examples=50)
@given(x=arrays(np.float64, 20, elements=FLOATS), low=st.integers(-50, 49), n=st.integers(2, 300))
def test_fake_quantize_is_equation_2(x, low, n):
    ours = fake_quantize(torch.from_numpy(x), low=float(low), high=50.0, n_levels=n)
    # 1e-9 of a range of 100: two orders of the same sums in float64.
    np.testing.assert_allclose(ours, equation_2(x, low, 50.0, n), atol=1e-9)


@pytest.mark.parametrize("n_levels", [2, 3, 4, 15, 16, 255, 256])
def test_there_are_exactly_n_levels(n_levels):
    x = torch.linspace(-2, 3, 20_001, dtype=torch.float64)
    q = fake_quantize(x, low=-1.0, high=2.0, n_levels=n_levels)
    expected = np.linspace(-1, 2, n_levels)
    np.testing.assert_allclose(np.unique(q.numpy().round(12)), expected, atol=1e-12)


def test_the_gradient_is_that_of_equation_2_with_round_as_identity():
    x = torch.tensor([-2.0, -1.0, -0.3, 0.6, 1.9, 2.0, 3.0], dtype=torch.float64)
    x.requires_grad_()
    upstream = torch.arange(1.0, 8.0, dtype=torch.float64)
    (fake_quantize(x, low=-1.0, high=2.0, n_levels=7) * upstream).sum().backward()
    inside = (x.detach().numpy() >= -1) & (x.detach().numpy() <= 2)
    np.testing.assert_array_equal(x.grad, upstream.numpy() * inside)


def test_a_learned_range_gets_the_closed_form_gradient():
    """Of q = round(u) s + a: dq/db is (round(u) - u) / (n-1) inside and 1 above."""
    x = torch.tensor([-2.0, -0.3, 0.75, 1.9, 3.0], dtype=torch.float64)
    low = torch.tensor(-1.0, dtype=torch.float64, requires_grad=True)
    high = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
    fake_quantize(x, low=low, high=high, n_levels=7).sum().backward()
    u = (np.clip(x.numpy(), -1, 2) + 1) / 0.5
    by_high = np.where(x.numpy() > 2, 1.0, (np.round(u) - u) / 6)
    by_low = np.where(x.numpy() < -1, 1.0, -(np.round(u) - u) / 6)
    np.testing.assert_allclose(high.grad, by_high.sum(), atol=1e-12)
    np.testing.assert_allclose(low.grad, by_low.sum(), atol=1e-12)


@settings(deadline=None, max_examples=80)
@given(x=WEIGHTS, rule=RULES, granularity=GRANULARITIES, bits=st.integers(2, 16))
def test_codes_are_in_range_and_values_within_half_a_step(x, rule, granularity, bits):
    x = torch.from_numpy(x)
    qparams = choose_qparams(x, bits=bits, granularity=granularity, rule=rule)
    codes = quantize(x, qparams, granularity=granularity)
    assert int(codes.min()) >= 0
    assert int(codes.max()) <= qparams.n_levels - 1
    assert qparams.bits == bits
    back = dequantize(codes, qparams, granularity=granularity)
    error = granularity.group((back - x).abs())
    # An affine range is rounded to whole zero points, which moves its ends by half a step more.
    slack = 1.0 if rule is affine else 0.5
    assert bool((error <= slack * qparams.scale + 1e-9).all())


@settings(deadline=None, max_examples=30)
@given(x=WEIGHTS, bits=st.integers(1, 8))
def test_min_max_codes_equal_equation_2(x, bits):
    x = torch.from_numpy(x)
    qparams = choose_qparams(x, bits=bits, granularity=PerTensor(), rule=min_max)
    codes = quantize(x, qparams, granularity=PerTensor())
    back = dequantize(codes, qparams, granularity=PerTensor())
    if x.min() == x.max():
        torch.testing.assert_close(back, x, rtol=0, atol=1e-12)
    else:
        # Where x is midway between two levels, either is nearest; half a step apart from x.
        direct = equation_2(x.numpy(), float(x.min()), float(x.max()), 2**bits)
        error, best = np.abs(back.numpy() - x.numpy()), np.abs(direct - x.numpy())
        np.testing.assert_allclose(error, best, atol=1e-9)


@settings(deadline=None, max_examples=40)
@given(x=WEIGHTS, bits=st.integers(2, 8), granularity=GRANULARITIES)
def test_symmetric_equals_numpy_and_keeps_zero_exact(x, bits, granularity):
    x = torch.from_numpy(x)
    groups = granularity.group(x).numpy()
    top = 2 ** (bits - 1) - 1
    scale = np.abs(groups).max(axis=1, keepdims=True) / top
    signed = np.round(groups / np.where(scale == 0, 1, scale))
    qparams = choose_qparams(x, bits=bits, granularity=granularity)
    ours = granularity.group(quantize(x, qparams, granularity=granularity)).double() - top
    # A value midway between two levels may go either way: its quotient is one rounding apart.
    away = np.abs(ours.numpy() - signed) > 0
    midway = np.abs(np.abs(groups / np.where(scale == 0, 1, scale)) % 1 - 0.5) < 1e-6
    constant = groups.max(axis=1, keepdims=True) == groups.min(axis=1, keepdims=True)
    assert not (away & ~midway & ~constant).any()  # a constant's step is its own: see below
    zeros = dequantize(
        quantize(x * 0, qparams, granularity=granularity), qparams, granularity=granularity
    )
    np.testing.assert_array_equal(zeros, 0 * x)


def test_affine_equals_torch():
    x = torch.randn(4, 9, generator=torch.Generator().manual_seed(0)) + 0.5
    qparams = choose_qparams(x, bits=8, granularity=PerTensor(), rule=affine)
    theirs = torch.fake_quantize_per_tensor_affine(
        x, qparams.scale.item(), int(qparams.zero_point.item()), 0, 255
    )
    codes = quantize(x, qparams, granularity=PerTensor())
    torch.testing.assert_close(dequantize(codes, qparams, granularity=PerTensor()), theirs)


@pytest.mark.parametrize("rule", [symmetric, affine, min_max])
def test_a_channel_of_zeros_stays_zeros(rule):
    x = torch.tensor([[0.0, 0.0], [1.0, -2.0]])
    qparams = choose_qparams(x, bits=4, granularity=PerChannel(), rule=rule)
    back = dequantize(
        quantize(x, qparams, granularity=PerChannel()), qparams, granularity=PerChannel()
    )
    np.testing.assert_array_equal(back[0], [0.0, 0.0])
    assert back.isfinite().all()


def test_brevitas_worked_example():
    """Brevitas' own docstring: four numbers at 4 bits, scale 0.01, narrow range -7..7."""
    x = torch.tensor([0.042, -0.053, 0.31, -0.44])
    q = fake_quantize(x, low=-0.07, high=0.07, n_levels=15)
    torch.testing.assert_close(q, torch.tensor([0.04, -0.05, 0.07, -0.07]))


def test_dtype_is_kept():
    x = torch.randn(3, 4, generator=torch.Generator().manual_seed(0)).double()
    qparams = choose_qparams(x, bits=8, granularity=PerChannel())
    codes = quantize(x, qparams, granularity=PerChannel())
    assert (codes.dtype, qparams.scale.dtype) == (torch.uint8, torch.float64)
    assert dequantize(codes, qparams, granularity=PerChannel()).dtype == torch.float64
    assert fake_quantize(x, low=-1, high=1, n_levels=4).dtype == torch.float64


def test_bad_values_are_named():
    x = torch.ones(2, 2)
    for rule, least in ((symmetric, 2), (affine, 1), (min_max, 1)):
        rows = rf"{rule.__name__}: bits must be a whole number in \[{least}, 16\], got 17"
        with pytest.raises(ValueError, match=rows):
            choose_qparams(x, bits=17, granularity=PerTensor(), rule=rule)
    with pytest.raises(ValueError, match=r"fake_quantize: n_levels must be a whole number, 2"):
        fake_quantize(x, low=0, high=1, n_levels=1)
    with pytest.raises(ValueError, match=r"fake_quantize: low must not be above high"):
        fake_quantize(x, low=2, high=1, n_levels=4)


CONSTANTS = st.floats(-(2.0**99), 2.0**99, width=32, allow_subnormal=False)


@settings(deadline=None)
@given(value=CONSTANTS, rule=RULES, bits=st.integers(2, 16), granularity=GRANULARITIES)
def test_a_constant_tensor_comes_back_exactly(value, rule, bits, granularity):
    x = torch.full((4, 8), value)
    qparams = choose_qparams(x, bits=bits, granularity=granularity, rule=rule)
    for each in (qparams, as_signed(qparams)):
        codes = quantize(x, each, granularity=granularity)
        assert torch.equal(dequantize(codes, each, granularity=granularity), x)


@settings(deadline=None, max_examples=50)
@given(x=WEIGHTS, rule=RULES, bits=st.integers(2, 16), granularity=GRANULARITIES)
def test_signed_codes_are_the_same_levels_counted_from_elsewhere(x, rule, bits, granularity):
    x = torch.from_numpy(x)
    unsigned = choose_qparams(x, bits=bits, granularity=granularity, rule=rule)
    signed = as_signed(unsigned)
    codes, others = (quantize(x, q, granularity=granularity) for q in (unsigned, signed))
    shift = unsigned.n_levels // 2
    assert -(2 ** (bits - 1)) <= signed.lowest <= int(others.min())
    assert int(others.max()) < 2 ** (bits - 1)
    assert signed.bits == bits
    # where a value is midway between levels, the two quotients may round to either
    assert bool(((codes.long() - shift - others.long()).abs() <= 1).all())
    values = dequantize(others, signed, granularity=granularity)
    direct = dequantize(codes, unsigned, granularity=granularity)
    assert bool(((values - x).abs() <= (direct - x).abs() + 1e-9 * signed.scale.max()).all())
    if rule is symmetric:
        assert not signed.zero_point.any()


def test_one_bit_has_two_levels():
    x = torch.tensor([-1.0, -0.2, 0.9, 3.0])
    for rule in (affine, min_max):
        qparams = choose_qparams(x, bits=1, granularity=PerTensor(), rule=rule)
        assert set(quantize(x, qparams, granularity=PerTensor()).tolist()) == {0, 1}
        signed = quantize(x, as_signed(qparams), granularity=PerTensor())
        assert set(signed.tolist()) == {-1, 0}


@pytest.mark.parametrize("rule", [symmetric, affine, min_max])
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_what_is_no_finite_number_is_named(rule, bad):
    with pytest.raises(ValueError, match=rf"{rule.__name__}: x must hold finite .* got {bad}"):
        choose_qparams(torch.tensor([1.0, bad, 2.0]), bits=4, granularity=PerTensor(), rule=rule)
    with pytest.raises(ValueError, match=rf"{rule.__name__}: bits must be .* 16\], got 33"):
        choose_qparams(torch.ones(2), bits=33, granularity=PerTensor(), rule=rule)


@settings(deadline=None, max_examples=50)
@given(x=WEIGHTS, bits=st.integers(1, 12), granularity=st.sampled_from([PerTensor(), PerChannel()]))
def test_the_bounds_of_min_max_hold(x, bits, granularity):
    """Every value is coded within half a step, none outside; both ends are values of the group."""
    weight = torch.from_numpy(x)
    qparams = choose_qparams(weight, bits=bits, granularity=granularity, rule=min_max)
    codes = quantize(weight, qparams, granularity=granularity)
    values = dequantize(codes, qparams, granularity=granularity).numpy()
    axis = None if granularity == PerTensor() else 1
    low, high = x.min(axis=axis, keepdims=True), x.max(axis=axis, keepdims=True)
    step = (high - low) / (2**bits - 1)
    # 1e-9 of values up to 100: the quotient is rounded in float64
    assert (np.abs(values - x) <= step / 2 + 1e-9).all()
    assert (values >= low - 1e-9).all()
    assert (values <= high + 1e-9).all()
    np.testing.assert_allclose(values.min(axis=axis, keepdims=True), low, atol=1e-9)
    np.testing.assert_allclose(values.max(axis=axis, keepdims=True), high, atol=1e-9)


def test_a_value_between_two_levels_goes_to_the_even_code():
    steps = np.arange(-3.5, 4.0, 1.0)  # halves, exact in floats
    x = torch.from_numpy(steps) / 4
    qparams = QParams(torch.tensor([[0.25]]).double(), torch.zeros(1, 1).double(), 16, -8)
    codes = quantize(x, qparams, granularity=PerTensor())
    np.testing.assert_array_equal(codes, [-4, -2, -2, 0, 0, 2, 2, 4])
    ours = fake_quantize(x, low=-2.0, high=1.75, n_levels=16)
    np.testing.assert_array_equal(ours, dequantize(codes, qparams, granularity=PerTensor()))


@pytest.mark.parametrize("n_levels", [2, 15, 256, 65536])
@pytest.mark.parametrize("lowest", [0, -2])
def test_what_lies_outside_takes_the_end_code(n_levels, lowest):
    if lowest and n_levels == 256:
        lowest = -128
    qparams = QParams(torch.ones(1, 1), torch.zeros(1, 1), n_levels, lowest)
    highest = lowest + n_levels - 1
    x = torch.tensor([-1e6, lowest - 1.0, lowest, highest, highest + 1.0, 1e6])
    codes = quantize(x, qparams, granularity=PerTensor())
    np.testing.assert_array_equal(codes, [lowest] * 3 + [highest] * 3)
