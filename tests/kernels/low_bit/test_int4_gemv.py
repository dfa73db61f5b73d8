"""Packed weights times a vector against torch and NumPy on the weights as floats."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from efficientdl.catalogue import catalogue
from efficientdl.kernels.low_bit import CodedWeights, int4_gemv, pack_codes
from efficientdl.kernels.low_bit.int4_gemv import int4_gemv_cost
from efficientdl.kernels.threads import threads
from efficientdl.report import Cost
from tests.kernels.low_bit.test_packed_codes import weights
from tests.promises import kernel


@pytest.mark.parametrize("promise", kernel.PROMISES, ids=lambda promise: promise.__name__)
def test_it_keeps_the_promises_of_a_kernel(promise):
    promise(catalogue["kernel-int4-gemv"])


@pytest.mark.parametrize("levels", [16, 8, 4])
def test_one_hot_vectors_read_the_weights_back(levels):
    plain = weights(np.random.default_rng(0), 3, 140, levels, 64, offsets=False)
    packed = pack_codes(plain)
    columns = [int4_gemv(row, packed) for row in np.eye(140, dtype=np.float32)]
    np.testing.assert_array_equal(np.stack(columns, axis=1), plain.dense)


@settings(deadline=None, max_examples=20)
@given(
    n=st.integers(1, 70),
    k=st.sampled_from([1, 127, 129, 640, 4096, 4100, 8300]),
    levels=st.sampled_from([16, 8, 4]),
    group=st.sampled_from([64, 128, 320, 512]),
    seed=st.integers(0, 99),
)
def test_it_equals_torch_on_dense_weights(n, k, levels, group, seed):
    rng = np.random.default_rng(seed)
    plain = weights(rng, n, k, levels, group, offsets=seed % 2 == 0)
    x = rng.standard_normal(k).astype(np.float32)
    exact = torch.from_numpy(plain.dense).double() @ torch.from_numpy(x).double()
    # k products of about 1, each and their sums rounded to 24 bits.
    atol = 2e-6 * np.sqrt(k) + 1e-5
    np.testing.assert_allclose(int4_gemv(x, pack_codes(plain)), exact, rtol=1e-4, atol=20 * atol)


def test_threads_give_the_very_same_sums():
    rng = np.random.default_rng(3)
    packed = pack_codes(weights(rng, 130, 4300, 8))
    x = rng.standard_normal(4300).astype(np.float32)
    with threads(1):
        one = int4_gemv(x, packed)
    with threads(3):
        np.testing.assert_array_equal(int4_gemv(x, packed), one)


def test_cost_counts_packed_bytes():
    plain = weights(np.random.default_rng(0), 8, 256, 4, 64)
    cost = int4_gemv_cost((256,), pack_codes(plain))
    assert cost == Cost(macs=8 * 256, traffic_bytes=8 * 64 + 4 * (2 * 8 * 4 + 256 + 8))


def test_bad_vectors_are_named():
    packed = pack_codes(weights(np.random.default_rng(0), 2, 130, 16))
    x = np.ones(130, np.float32)
    with pytest.raises(TypeError, match=r"int4_gemv: x must be an array of float32, got float64"):
        int4_gemv(x.astype(float), packed)
    with pytest.raises(ValueError, match=r"int4_gemv: shape of x must be \(130,\), got \(129,\)"):
        int4_gemv(x[:-1], packed)
    with pytest.raises(ValueError, match=r"int4_gemv: x must be finite, got inf"):
        int4_gemv(x * np.float32(np.inf), packed)
    with pytest.raises(TypeError, match=r"int4_gemv: weight must be a PackedCodes, got Coded"):
        int4_gemv(x, CodedWeights(np.zeros((1, 130), np.uint8), x[:4], x[None, :2], 128))
