"""Products of signs: 512 multiply-adds in three instructions."""

from collections.abc import Iterator

import numpy as np
import torch

from benchmarks.kernel_bars import LIMIT, Bar, Case, Entry, peaks, peers
from efficientdl.kernels import cpu, pack_signs, popcount_matmul
from efficientdl.kernels.low_bit import pack_sign_panels, sign_words, xnor_gemm

TITLE = "Products of signs"
SHAPES = ((64, 4096, 4096), (128, 768, 3072), (784, 2304, 256))
BARS = (
    Bar(0.85, LIMIT, (cpu.AVX512, "avx512vpopcntdq")),
    Bar(20.0, (peers.PREPACKED,), (cpu.AVX512, "avx512vpopcntdq")),
)
NOTE = (
    "'Signs as they come' packs float activations within the call. No library for binary networks "
    "on processors was at hand: the peers multiply the signs as floats and as bytes."
)


def cases(_n_threads: int) -> Iterator[Case]:
    """One case for each shape."""
    for m, k, n in SHAPES:
        yield _case(m, k, n)


def _case(m: int, k: int, n: int) -> Case:
    rng = np.random.default_rng(0)
    x, weight = (rng.standard_normal(size).astype(np.float32) for size in ((m, k), (n, k)))
    words, w_words = pack_signs(x), pack_signs(weight)
    panels = pack_sign_panels(w_words, k)
    signs, w_signs = np.where(x > 0, 1, -1), np.where(weight > 0, 1, -1)
    x8, w8 = (torch.from_numpy(s.astype(np.int8)) for s in (signs, w_signs.T))
    x_torch, w_torch = (torch.from_numpy(s.astype(np.float32)) for s in (signs, w_signs))
    entries = {
        "xnor_gemm": Entry(lambda: xnor_gemm(words, panels), 0.0),
        "signs as they come": Entry(lambda: xnor_gemm(sign_words(x), panels), 0.0, counts=False),
        "popcount_matmul, simple": Entry(
            lambda: popcount_matmul(words, w_words, k), 0.0, counts=False
        ),
        "torch._int_mm": Entry(lambda: torch._int_mm(x8, w8), 0.0),
    }
    entries |= peers.linears(w_torch, x_torch, seen=lambda y: y)
    want = x_torch.double() @ w_torch.double().T
    name = f"{m} rows, {k} x {n}"
    return Case(name, "xnor_gemm", entries, want, BARS, m * k * n, peaks.POPCOUNT)
