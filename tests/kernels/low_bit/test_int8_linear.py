"""A linear layer on bytes, floats at both ends, against NumPy and the layer in floats."""

import numpy as np
import pytest

from efficientdl.catalogue import Kernel
from efficientdl.kernels.low_bit import int8_linear, pack_int8
from efficientdl.kernels.threads import threads
from tests.promises import kernel
from tests.promises.toys import toy


def inputs(rng, size):
    m, k, n = size, 1 + 5 * size, 1 + 7 * size
    zeros = rng.integers(-128, 128, n).astype(np.int32) if size % 2 else None
    weight = pack_int8(rng.integers(-128, 128, (k, n), np.int8), zeros)
    scales = rng.random(n, dtype=np.float32)
    return rng.standard_normal((m, k), dtype=np.float32), weight, scales


@pytest.mark.parametrize("promise", kernel.PROMISES, ids=lambda promise: promise.__name__)
def test_it_keeps_the_promises_of_a_kernel(promise):
    promise(toy(int8_linear, Kernel(inputs=inputs)))  # the very floats: no sum is one of floats


def test_bytes_times_bytes_are_exact():
    rng = np.random.default_rng(0)
    x, w = rng.integers(0, 256, (7, 20)), rng.integers(-128, 128, (20, 9), np.int8)
    x[:, :2] = 0, 255  # so that each scale is 1
    y = int8_linear(x.astype(np.float32), pack_int8(w), np.ones(9, np.float32))
    np.testing.assert_array_equal(y, x @ w.astype(int))


def test_it_is_near_the_layer_in_floats():
    rng = np.random.default_rng(1)
    x, w = rng.standard_normal((130, 256)), rng.integers(-128, 128, (256, 70), np.int8)
    with threads(2):
        y = int8_linear(x.astype(np.float32), pack_int8(w), np.full(70, 0.01, np.float32))
    exact = x @ (w * 0.01)
    # The error of a code is even within half of some 0.027: 256 of them, times 0.74, add up to 0.1.
    np.testing.assert_allclose(y, exact, atol=6 * 0.1)


def test_bad_arguments_are_named():
    x, scales = np.ones((2, 3), np.float32), np.ones(1, np.float32)
    packed = pack_int8(np.zeros((3, 1), np.int8))
    with pytest.raises(TypeError, match=r"int8_linear: x must be an array of float32, got float64"):
        int8_linear(x.astype(float), packed, scales)
    with pytest.raises(TypeError, match=r"scales must be an array of float32, got int8"):
        int8_linear(x, packed, scales.astype(np.int8))
    with pytest.raises(ValueError, match=r"int8_linear: shape of x must be m 3, got \(2, 2\)"):
        int8_linear(x[:, :2], packed, scales)
    with pytest.raises(ValueError, match=r"scales must be one for each of 1 columns, got \(2,\)"):
        int8_linear(x, packed, np.ones(2, np.float32))
    with pytest.raises(ValueError, match=r"int8_linear: scales must be finite, got \[nan\]"):
        int8_linear(x, packed, np.float32([np.nan]))
    with pytest.raises(ValueError, match=r"int8_linear: x must be finite"):
        int8_linear(x * np.float32(np.inf), packed, scales)
