"""Each operation on registers gives what its line of NumPy gives."""

from typing import Any

import numpy as np
import pytest
from numba import njit

from efficientdl.kernels.low_bit import operations
from efficientdl.kernels.low_bit.operations import (
    between,
    bits_of_negative,
    bits_of_positive,
    largest,
    least,
    low_bytes,
    low_words,
    narrow_bytes,
    shift_each,
    widen,
)
from efficientdl.kernels.simd import load, load_half, splat, store
from efficientdl.kernels.simd.register import TWINS

RNG = np.random.default_rng(0)
EDGES = np.int32([-(2**31), -129, -128, -1, 0, 1, 127, 128, 254, 255, 256, 257, 2**31 - 1, 5, 6, 7])
FLOATS = np.float32([-np.inf, -1, -0.0, 0.0, 1e-42, -1e-42, 3, np.inf, np.nan, *range(-3, 4)])


@njit
def run_bytes(y, z, x):
    store(y, 0, narrow_bytes(load(x, 0)))
    store(z, 0, low_bytes(load(x, 0)))


def test_bytes_saturate_or_are_cut():
    y, z = np.zeros(16, np.uint8), np.zeros(16, np.int8)
    run_bytes(y, z, EDGES)
    np.testing.assert_array_equal(y, [0] * 5 + [1, 127, 128, 254] + [255] * 4 + [5, 6, 7])
    np.testing.assert_array_equal(z, [(int(e) + 128) % 256 - 128 for e in EDGES])


@njit
def run_long(y, z, x, by):
    value = widen(load_half(x, 0))
    store(y, 0, shift_each(value * splat(np.int64(2**33)), load(by, 0)))
    store(z, 0, between(value, splat(np.int64(-128)), splat(np.int64(200))))


def test_long_numbers():
    y, z, by = np.zeros(8, np.int64), np.zeros(8, np.int64), np.int64([1, 62, 33, 0, 5, 40, 34, 3])
    run_long(y, z, EDGES, by)
    exact = [int(e) * 2**33 >> int(b) for e, b in zip(EDGES, by, strict=False)]
    np.testing.assert_array_equal(y, [(e + 2**63) % 2**64 - 2**63 for e in wrapped(by)])
    assert exact[1:] == y[1:].tolist()
    np.testing.assert_array_equal(z, np.clip(EDGES[:8], -128, 200))


def wrapped(by):
    """Products of 64 bits wrap around before they are shifted."""
    products = [(int(e) * 2**33 + 2**63) % 2**64 - 2**63 for e in EDGES[:8]]
    return [p >> int(b) for p, b in zip(products, by, strict=True)]


@njit
def run_words(y, x):
    store(y, 0, low_words(load(x, 0)))


def test_lower_words():
    x = RNG.integers(0, 2**64, 8, dtype=np.uint64)
    y = np.zeros(8, np.int32)
    run_words(y, x)
    np.testing.assert_array_equal(y, x.view(np.int32)[::2])


@njit
def run_ends(x):
    value = load(x, 0)
    return least(value), largest(value), bits_of_positive(value), bits_of_negative(value)


@pytest.mark.parametrize("x", [FLOATS, RNG.standard_normal(16).astype(np.float32)])
def test_ends_and_signs(x):
    low, high, positive, negative = run_ends(x)
    assert (low, high) == (np.nanmin(x), np.nanmax(x))
    assert positive == sum(1 << i for i in range(16) if x[i] >= 0)
    assert negative == sum(1 << i for i in range(16) if x[i] < 0)


@pytest.mark.parametrize("name", ["narrow_bytes", "low_bytes", "widen", "low_words"])
def test_twins_are_what_runs_without_the_compiler(name):
    twin: Any = TWINS[name][1] if name in TWINS else getattr(operations, name)
    x = RNG.integers(0, 2**64, 8, dtype=np.uint64) if name == "low_words" else EDGES
    wanted = {
        "narrow_bytes": lambda: np.clip(x, 0, 255),
        "low_bytes": lambda: x.view(np.int8)[::4],
        "widen": lambda: x,
        "low_words": lambda: x.view(np.int32)[::2],
    }
    np.testing.assert_array_equal(twin(x), wanted[name]())
