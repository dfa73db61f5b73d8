"""Products of bytes in tiles against NumPy in 64 bits, the plain kernel and torch."""

import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from efficientdl.catalogue import catalogue
from efficientdl.kernels import cpu
from efficientdl.kernels.int8 import int8_matmul
from efficientdl.kernels.low_bit import int8_gemm, pack_int8
from efficientdl.kernels.low_bit.int8_gemm import _multiply, int8_gemm_cost, int8_gemm_reference
from efficientdl.kernels.threads import threads
from efficientdl.report import Cost
from tests.kernels.machine_code import afresh
from tests.promises import kernel


@pytest.mark.parametrize("promise", kernel.PROMISES, ids=lambda promise: promise.__name__)
def test_it_keeps_the_promises_of_a_kernel(promise):
    promise(catalogue["kernel-int8-gemm"])


def test_the_identity_gives_the_codes():
    x = np.arange(256, dtype=np.uint8).reshape(16, 16)
    packed = pack_int8(np.eye(16, dtype=np.int8))
    np.testing.assert_array_equal(int8_gemm(x, packed, np.zeros(16, np.int32)), x)


@settings(deadline=None, max_examples=25)
@given(m=st.integers(0, 20), k=st.integers(1, 70), n=st.integers(1, 130), seed=st.integers(0, 99))
def test_it_equals_the_plain_kernel_bit_for_bit(m, k, n, seed):
    rng = np.random.default_rng(seed)
    a, b = rng.integers(-128, 128, (m, k)), rng.integers(-128, 128, (k, n))
    a, b = a.astype(np.int8), b.astype(np.int8)
    fast = int8_gemm(a, pack_int8(b), np.zeros(m, np.int32))
    np.testing.assert_array_equal(fast, int8_matmul(a[None], b[None])[0])
    assert fast.dtype == np.int32


def test_it_equals_torch():
    rng = np.random.default_rng(0)
    a, b = rng.integers(-128, 128, (32, 64), np.int8), rng.integers(-128, 128, (64, 96), np.int8)
    theirs = torch._int_mm(torch.from_numpy(a), torch.from_numpy(b)).numpy()
    np.testing.assert_array_equal(int8_gemm(a, pack_int8(b), np.zeros(32, np.int32)), theirs)


def test_more_rows_than_a_block_on_one_thread_and_on_several():
    rng = np.random.default_rng(0)
    x, w = rng.integers(0, 256, (201, 9), np.uint8), rng.integers(-128, 128, (9, 130), np.int8)
    zeros, packed = np.full(201, 7, np.int32), pack_int8(w)
    for n in (1, 2, 5):
        with threads(n):
            given_ = int8_gemm(x, packed, zeros)
        np.testing.assert_array_equal(given_, int8_gemm_reference(x, packed, zeros))
    np.testing.assert_array_equal(given_, (x.astype(int) - 7) @ w.astype(int))


@pytest.mark.parametrize(("x", "dtype", "zero"), [(255, np.uint8, 0), (-128, np.int8, 127)])
def test_the_longest_sum_does_not_overflow(x, dtype, zero):
    k = (2**31 - 1) // (255 * 128)
    packed = pack_int8(np.full((k, 1), -128, np.int8))
    sums = int8_gemm(np.full((1, k), x, dtype), packed, np.int32([zero]))
    np.testing.assert_array_equal(sums, (x - zero) * -128 * k)


def test_cost_is_one_mac_for_each_product():
    packed = pack_int8(np.ones((5, 7), np.int8))
    cost = int8_gemm_cost((3, 5), packed, (3,))
    assert cost == Cost(macs=3 * 5 * 7, traffic_bytes=15 + 35 + 12 + 4 * 21)


@pytest.mark.skipif(not cpu.has(cpu.AVX512, cpu.VNNI), reason="the processor has no VNNI")
def test_sums_stay_in_registers(monkeypatch):
    rng = np.random.default_rng(0)
    x, w = rng.integers(0, 256, (9, 9), np.uint8), rng.integers(-128, 128, (9, 9), np.int8)
    fresh = afresh(_multiply)
    monkeypatch.setitem(int8_gemm.__globals__, "_multiply", fresh)
    int8_gemm(x, pack_int8(w), np.zeros(9, np.int32))
    text = next(iter(fresh.inspect_asm().values()))
    blocks = [b for b in re.split(r"\n\S+:", text) if "vpdpbusd" in b]
    assert max(len(re.findall(r"vpdpbusd.*zmm", block)) for block in blocks) >= 24
    assert not any(re.findall(r"\(%rsp\).*zmm|zmm.*\(%rsp\)", block) for block in blocks)


def test_bad_factors_are_named():
    x, zero = np.zeros((2, 3), np.uint8), np.zeros(2, np.int32)
    packed = pack_int8(np.zeros((3, 1), np.int8))
    with pytest.raises(TypeError, match=r"int8_gemm: x must be an array of uint8 or int8, got int"):
        int8_gemm(x.astype(np.int16), packed, zero)
    with pytest.raises(TypeError, match=r"int8_gemm: zero_points must be an array of int32, got f"):
        int8_gemm(x, packed, zero.astype(np.float32))
    with pytest.raises(TypeError, match=r"int8_gemm: weight must be a Int8Panels, got array"):
        int8_gemm(x, np.zeros((3, 1), np.int8), zero)
    with pytest.raises(ValueError, match=r"int8_gemm: shape of x must be m 3, got \(2, 4\)"):
        int8_gemm(np.zeros((2, 4), np.uint8), packed, zero)
    with pytest.raises(ValueError, match=r"int8_gemm: zero_points must be one for each of 2 rows"):
        int8_gemm(x, packed, zero[:1])
    with pytest.raises(ValueError, match=r"zero_points must be in \[0, 255\], got \(0, 256\)"):
        int8_gemm(x, packed, np.int32([0, 256]))
    with pytest.raises(ValueError, match=r"zero_points must be in \[-128, 127\], got \(0, 128\)"):
        int8_gemm(x.view(np.int8), packed, np.int32([0, 128]))
