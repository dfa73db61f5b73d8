"""Floats of few bits, against torch's own types over every code and every midpoint."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from efficientdl.tensors.formats import (
    BF16,
    FP8_E4M3,
    FP8_E5M2,
    FP16,
    TF32,
    AdaptivFloat,
    FloatFormat,
    Top,
)

# The types that torch has of its own, and an integer of their size to see the bits through.
OWN = {
    FP16: (torch.float16, torch.int16),
    BF16: (torch.bfloat16, torch.int16),
    FP8_E4M3: (torch.float8_e4m3fn, torch.int8),
    FP8_E5M2: (torch.float8_e5m2, torch.int8),
}
own = pytest.mark.parametrize("fmt", OWN, ids=lambda fmt: fmt.name)
everyone = pytest.mark.parametrize("fmt", [*OWN, TF32], ids=lambda fmt: fmt.name)


def every_code(fmt):
    return torch.arange(2**fmt.bits)


def torchs_values(fmt):
    dtype, integer = OWN[fmt]
    return every_code(fmt).to(integer).view(dtype).float()


def finite_and_up(fmt):
    """All finite numbers that are not negative, in order, in float64."""
    return fmt.decode(torch.arange(fmt.largest_code + 1)).double()


@own
def test_every_code_stands_for_what_torch_says(fmt):
    torch.testing.assert_close(
        fmt.decode(every_code(fmt)), torchs_values(fmt), rtol=0, atol=0, equal_nan=True
    )


def test_every_code_of_fp16_stands_for_what_numpy_says():
    codes = np.arange(2**16, dtype=np.uint16)
    np.testing.assert_array_equal(FP16.decode(every_code(FP16)).numpy(), codes.view(np.float16))


def test_tf32_is_float32_with_thirteen_bits_less():
    wide = (every_code(TF32) << 13).numpy().astype(np.uint32).view(np.float32)
    np.testing.assert_array_equal(TF32.decode(every_code(TF32)).numpy(), wide)


@everyone
def test_encode_undoes_decode(fmt):
    codes = every_code(fmt)
    numbers = fmt.decode(codes)
    again = fmt.encode(numbers)
    known = ~numbers.isnan()
    assert torch.equal(again[known], codes[known])
    assert bool(fmt.decode(again[~known]).isnan().all())


@own
def test_rounds_as_torch_does_between_all_neighbours(fmt):
    dtype, _ = OWN[fmt]
    numbers = finite_and_up(fmt)
    middle = (numbers[1:] + numbers[:-1]) / 2
    x = torch.cat([middle, middle * (1 + 2.0**-22), middle * (1 - 2.0**-22)]).float()
    x = torch.cat([x, -x])
    torch.testing.assert_close(fmt.round(x), x.to(dtype).float(), rtol=0, atol=0)


@everyone
def test_rounds_to_the_nearest_and_of_two_to_the_even_code(fmt):
    numbers = finite_and_up(fmt)
    rng = torch.Generator().manual_seed(0)
    at = torch.randint(0, len(numbers) - 1, (2000,), generator=rng)
    low, high = numbers[at], numbers[at + 1]
    assert torch.equal(fmt.round(low + 0.4 * (high - low)), low)
    assert torch.equal(fmt.round(low + 0.6 * (high - low)), high)
    even = torch.where(at % 2 == 0, low, high)
    assert torch.equal(fmt.round((low + high) / 2), even)


@everyone
def test_the_ends_of_the_range(fmt):
    beyond = 1.5 * fmt.largest
    end = fmt.largest if fmt.top is Top.ONE_NAN else float("inf")
    rounded = fmt.round(torch.tensor([beyond, -beyond], dtype=torch.float64))
    assert rounded.tolist() == [end, -end]
    assert bool(fmt.round(torch.tensor([float("nan")])).isnan())
    kept = torch.tensor([fmt.largest, -fmt.smallest], dtype=torch.float64)
    assert torch.equal(fmt.round(kept), kept)
    assert float(fmt.round(torch.tensor(fmt.smallest / 4, dtype=torch.float64))) == 0


@own
def test_infinities_are_those_of_torch(fmt):
    dtype, _ = OWN[fmt]
    x = torch.tensor([float("inf"), -float("inf"), 1e30, -1e30, 0.0, -0.0])
    x = x if fmt is not BF16 else torch.tensor([float("inf"), 3.4e38, -0.0])
    torch.testing.assert_close(fmt.round(x), x.to(dtype).float(), rtol=0, atol=0, equal_nan=True)
    assert torch.equal(fmt.round(x).signbit()[-1:], torch.tensor([True]))


def nearest(values, x):
    """By looking at all of them."""
    return values[(values[None] - x[:, None]).abs().argmin(dim=1)]


@settings(deadline=None, max_examples=50)
@given(
    x=st.lists(st.floats(-100, 100, width=32), min_size=1, max_size=20),
    bits=st.integers(3, 8),
    exponent_bits=st.integers(1, 6),
)
def test_adaptivfloat_takes_the_nearest_of_its_values(x, bits, exponent_bits):
    fmt = AdaptivFloat(bits=bits, exponent_bits=min(exponent_bits, bits - 2))
    x = torch.tensor(x, dtype=torch.float64)
    values = fmt.values(fmt.least_exponent(x))
    rounded = fmt.round(x)
    assert bool(torch.isin(rounded, values).all())
    best = (nearest(values, x) - x).abs()
    assert torch.equal((rounded - x).abs(), best)


def test_adaptivfloat_keeps_its_own_values_and_zero():
    fmt = AdaptivFloat(bits=6, exponent_bits=3)
    values = fmt.values(-3)
    assert fmt.least_exponent(values) == -3
    assert torch.equal(fmt.round(values), values)
    assert len(values.unique()) == 2**6 - 1  # both zeros are one number
    assert torch.equal(fmt.round(torch.zeros(3)), torch.zeros(3))


def test_bad_values_are_named():
    with pytest.raises(ValueError, match=r"FloatFormat: exponent_bits must be .* \[2, 8\], got 9"):
        FloatFormat("wide", 9, 3)
    with pytest.raises(
        ValueError, match=r"FloatFormat.decode: codes must be in \[0, 255\] for fp8"
    ):
        FP8_E4M3.decode(torch.tensor([256]))
    with pytest.raises(ValueError, match=r"AdaptivFloat: exponent_bits must be .* \[1, 2\], got 3"):
        AdaptivFloat(bits=4, exponent_bits=3)
    with pytest.raises(
        ValueError, match=r"AdaptivFloat: x must hold finite numbers alone, got inf"
    ):
        AdaptivFloat(bits=4, exponent_bits=2).round(torch.tensor([1.0, float("inf")]))
