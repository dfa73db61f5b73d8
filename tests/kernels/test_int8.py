"""The int8 product against NumPy in 64 bits, and the promises of a kernel."""

import numpy as np
import pytest

from efficientdl.catalogue import Kernel
from efficientdl.kernels.int8 import int8_matmul, int8_matmul_cost
from efficientdl.report import Cost
from tests.promises import kernel
from tests.promises.toys import toy


def inputs(rng, size):
    g, m, k, n = 1 + size % 3, size, 2 * size + 1, size if size % 4 else 1
    return tuple(rng.integers(-128, 128, s, dtype=np.int8) for s in ((g, m, k), (g, k, n)))


@pytest.mark.parametrize("promise", kernel.PROMISES, ids=lambda promise: promise.__name__)
def test_it_keeps_the_promises_of_a_kernel(promise):
    promise(toy(int8_matmul, Kernel(inputs=inputs)))


def test_the_identity_gives_the_codes():
    b = np.arange(-128, 128, dtype=np.int8).reshape(1, 16, 16)
    np.testing.assert_array_equal(int8_matmul(np.eye(16, dtype=np.int8)[None], b), b)


def test_the_longest_sum_does_not_overflow_and_a_longer_one_is_refused():
    least = np.full((1, 1, 2**17 - 1), -128, dtype=np.int8)
    np.testing.assert_array_equal(int8_matmul(least, least.transpose(0, 2, 1)), 2**14 * (2**17 - 1))
    longer = np.zeros((1, 1, 2**17), dtype=np.int8)
    with pytest.raises(ValueError, match=r"int8_matmul: k must be below 2\*\*17.* got 131072"):
        int8_matmul(longer, longer.transpose(0, 2, 1))


def test_columns_beyond_one_block_are_all_there():
    rng = np.random.default_rng(0)
    a, b = rng.integers(-128, 128, (1, 2, 3)), rng.integers(-128, 128, (1, 3, 4099))
    np.testing.assert_array_equal(int8_matmul(a.astype(np.int8), b.astype(np.int8)), a @ b)


def test_cost_is_one_mac_for_each_product():
    cost = int8_matmul_cost((2, 3, 5), (2, 5, 7))
    assert cost == Cost(macs=2 * 3 * 5 * 7, traffic_bytes=2 * (15 + 35 + 4 * 21))


def test_bad_factors_are_named():
    good = np.zeros((1, 2, 3), dtype=np.int8)
    with pytest.raises(TypeError, match=r"int8_matmul: b must be an array of int8, got float32"):
        int8_matmul(good, good.astype(np.float32))
    with pytest.raises(ValueError, match=r"int8_matmul: shapes of a and b must be g m k and g k n"):
        int8_matmul(good, good)
