"""Packed weights times a vector of bytes, against exact integers and NumPy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from efficientdl.catalogue import Kernel
from efficientdl.kernels.low_bit import CodedWeights, int4_gemv_bytes, pack_codes
from efficientdl.kernels.low_bit.int4_bytes import (
    int4_gemv_bytes_reference,
    quantize_units_reference,
)
from efficientdl.kernels.threads import threads
from tests.kernels.low_bit.test_packed_codes import weights
from tests.promises import kernel
from tests.promises.toys import toy


def even(rng, n, k, levels, group=128, *, offsets=True):
    table = np.arange(levels, dtype=np.float32) * np.float32(0.5) - levels // 4
    return weights(rng, n, k, levels, group, offsets=offsets)._replace(table=table)


def inputs(rng, size):
    k, group = 1 + 61 * (size - 1), 64 * int(rng.integers(1, 4))
    plain = even(rng, size, k, (16, 8, 4)[size % 3], group, offsets=size % 2 == 0)
    return rng.standard_normal(k).astype(np.float32), pack_codes(plain)


TOY = Kernel(inputs=inputs, tolerance=1e-4, reason="the same float sums in another order")


@pytest.mark.parametrize("promise", kernel.PROMISES, ids=lambda promise: promise.__name__)
def test_it_keeps_the_promises_of_a_kernel(promise):
    promise(toy(int4_gemv_bytes, TOY))


@settings(deadline=None, max_examples=20)
@given(
    n=st.integers(1, 70),
    k=st.sampled_from([1, 127, 129, 640, 4100]),
    levels=st.sampled_from([16, 8, 4]),
    group=st.sampled_from([64, 128, 192]),
    seed=st.integers(0, 99),
)
def test_whole_numbers_are_exact(n, k, levels, group, seed):
    """With each unit's largest number 127 its scale is 1, and all sums are of integers."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, levels, (n, k), dtype=np.uint8)
    table, shape = np.arange(levels, dtype=np.float32) - 3, (n, -(-k // group))
    scales = rng.integers(1, 3, shape).astype(np.float32)
    x = rng.integers(-127, 128, k)
    x[::64] = 127
    packed = pack_codes(CodedWeights(codes, table, scales, group))
    spread = np.repeat(scales, group, axis=1)[:, :k]
    exact = ((codes.astype(int) - 3) * spread) @ x
    np.testing.assert_array_equal(int4_gemv_bytes(x.astype(np.float32), packed), exact)


def test_the_vector_is_rounded_by_at_most_half_a_step():
    rng = np.random.default_rng(0)
    x = rng.standard_normal(1000).astype(np.float32)
    codes, scales = quantize_units_reference(x, 64)
    back = codes.astype(float) * np.repeat(scales, 64)
    error = np.abs(back[:1000] - x)
    assert (error <= np.repeat(scales, 64)[:1000] * (0.5 + 1e-4)).all()
    assert np.abs(codes).max() == 127


@pytest.mark.parametrize("size", [0.0, 1e-42, 1e30])
def test_small_and_large_vectors(size):
    rng = np.random.default_rng(0)
    packed = pack_codes(even(rng, 3, 200, 16, offsets=False))
    x = rng.standard_normal(200).astype(np.float32) * np.float32(size)
    exact = int4_gemv_bytes_reference(x, packed)
    np.testing.assert_allclose(int4_gemv_bytes(x, packed), exact, rtol=1e-4, atol=1e-4 * size)


def test_threads_give_the_very_same_sums():
    rng = np.random.default_rng(3)
    packed = pack_codes(even(rng, 200, 4300, 8))
    x = rng.standard_normal(4300).astype(np.float32)
    with threads(1):
        one = int4_gemv_bytes(x, packed)
    with threads(3):
        np.testing.assert_array_equal(int4_gemv_bytes(x, packed), one)


def test_an_uneven_table_and_bad_vectors_are_named():
    rng = np.random.default_rng(0)
    plain = even(rng, 2, 130, 4)
    x = np.ones(130, np.float32)
    uneven = pack_codes(plain._replace(table=np.float32([0, 1, 2, 4])))
    with pytest.raises(ValueError, match=r"int4_gemv_bytes: table must be even, .* got \[0.0, 1.0"):
        int4_gemv_bytes(x, uneven)
    with pytest.raises(ValueError, match=r"int4_gemv_bytes: shape of x must be \(130,\), got"):
        int4_gemv_bytes(x[:5], pack_codes(plain))
    with pytest.raises(TypeError, match=r"int4_gemv_bytes: x must be an array of float32, got int"):
        int4_gemv_bytes(x.astype(int), pack_codes(plain))
