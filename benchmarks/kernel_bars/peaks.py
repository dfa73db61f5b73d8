"""What this processor can do at most, by the shortest loops that do nothing else.

Each loop keeps twelve sums in registers, so that none waits for another. Rates are operations or
bytes a second, of all threads together; a multiply-add counts as one MAC, 64 signs as 64.
"""

from collections.abc import Callable

import numpy as np

from benchmarks.kernel_bars.rounds import taken
from efficientdl.kernels import cpu
from efficientdl.kernels.compiled import compiled
from efficientdl.kernels.simd import (
    aligned,
    bit_count,
    dot4,
    fma,
    load,
    splat,
    store,
)
from efficientdl.kernels.threads import deal

FMA, FMA_LOAD, VNNI, POPCOUNT = "fma", "fma, one operand loaded", "vnni", "popcount"
DRAM, L3 = "read 256 MB", "read 8 MB"
SUMS = 12
MEMORY = {DRAM: 2**28, L3: 2**23}
TURNS = 200_000
UNITS = {
    FMA: "GMAC/s",
    FMA_LOAD: "GMAC/s",
    VNNI: "GMAC/s",
    POPCOUNT: "GMAC/s",
    DRAM: "GB/s",
    L3: "GB/s",
}
WHAT = {
    FMA: "fp32 multiply-adds between registers",
    FMA_LOAD: "fp32 multiply-adds, one operand from the nearest cache",
    VNNI: "products of bytes (`dot4`)",
    POPCOUNT: "products of signs (xor, count, add)",
    DRAM: "reading 256 MB",
    L3: "reading 8 MB again and again",
}


def peaks(n_threads: int, *, rounds: int) -> dict[str, float]:
    """The best of some rounds of each loop, operations or bytes a second."""
    n = 4 * n_threads
    out = aligned(n * 64, np.float32), aligned(n * 64, np.int32), aligned(n * 64, np.uint64)
    few = aligned(4096, np.float32), aligned(4096, np.int8), aligned(4096, np.uint64)
    codes = few[1].view(np.uint8)
    work: dict[str, tuple[float, Callable[[], object]]] = {
        FMA: (n * TURNS * SUMS * 16, lambda: deal(_fmas, n, few[0], out[0])),
        FMA_LOAD: (n * TURNS * SUMS * 16, lambda: deal(_loads, n, few[0], out[0])),
        POPCOUNT: (n * TURNS * SUMS * 512, lambda: deal(_counts, n, few[2], out[2])),
    }
    if cpu.has(cpu.AVX512, cpu.VNNI):
        work[VNNI] = (n * TURNS * SUMS * 64, lambda: deal(_dots, n, codes, few[1], out[1]))
    for name, n_bytes in MEMORY.items():
        words = np.ones(n_bytes // 8, np.uint64)
        work[name] = (n_bytes, lambda words=words: deal(_read, n, words, out[2], len(words) // n))
    samples = taken({k: call for k, (_, call) in work.items()}, rounds=rounds, n_threads=n_threads)
    return {name: amount / min(samples[name]) for name, (amount, _) in work.items()}


@compiled
def _fmas(first, last, x, out):
    for tile in range(first, last):
        a, b = load(x, 0), load(x, 16)
        s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = s8 = s9 = s10 = s11 = splat(np.float32(0))
        for _ in range(TURNS):
            s0, s1, s2, s3 = fma(a, b, s0), fma(a, b, s1), fma(a, b, s2), fma(a, b, s3)
            s4, s5, s6, s7 = fma(a, b, s4), fma(a, b, s5), fma(a, b, s6), fma(a, b, s7)
            s8, s9, s10, s11 = fma(a, b, s8), fma(a, b, s9), fma(a, b, s10), fma(a, b, s11)
        all_ = s0 + s1 + s2 + s3 + s4 + s5 + s6 + s7 + s8 + s9 + s10 + s11
        store(out, tile * 64, all_)


@compiled
def _loads(first, last, x, out):
    for tile in range(first, last):
        b = load(x, 16)
        s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = s8 = s9 = s10 = s11 = splat(np.float32(0))
        o = 0
        for _ in range(TURNS):
            s0, s1 = fma(load(x, o), b, s0), fma(load(x, o + 16), b, s1)
            s2, s3 = fma(load(x, o + 32), b, s2), fma(load(x, o + 48), b, s3)
            s4, s5 = fma(load(x, o + 64), b, s4), fma(load(x, o + 80), b, s5)
            s6, s7 = fma(load(x, o + 96), b, s6), fma(load(x, o + 112), b, s7)
            s8, s9 = fma(load(x, o + 128), b, s8), fma(load(x, o + 144), b, s9)
            s10, s11 = fma(load(x, o + 160), b, s10), fma(load(x, o + 176), b, s11)
            o = (o + 192) & 2047
        all_ = s0 + s1 + s2 + s3 + s4 + s5 + s6 + s7 + s8 + s9 + s10 + s11
        store(out, tile * 64, all_)


@compiled
def _dots(first, last, x, w, out):
    for tile in range(first, last):
        a, b = load(x, 0), load(w, 64)
        s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = s8 = s9 = s10 = s11 = splat(np.int32(0))
        for _ in range(TURNS):
            s0, s1, s2, s3 = dot4(s0, a, b), dot4(s1, a, b), dot4(s2, a, b), dot4(s3, a, b)
            s4, s5, s6, s7 = dot4(s4, a, b), dot4(s5, a, b), dot4(s6, a, b), dot4(s7, a, b)
            s8, s9, s10, s11 = dot4(s8, a, b), dot4(s9, a, b), dot4(s10, a, b), dot4(s11, a, b)
        all_ = s0 + s1 + s2 + s3 + s4 + s5 + s6 + s7 + s8 + s9 + s10 + s11
        store(out, tile * 64, all_)


@compiled
def _differ(sums, a, x, o):
    return sums + bit_count(a ^ load(x, o))


@compiled
def _counts(first, last, x, out):
    for tile in range(first, last):
        a = load(x, 0)
        s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = s8 = s9 = s10 = s11 = splat(np.uint64(0))
        o = 0
        for _ in range(TURNS):
            s0, s1 = _differ(s0, a, x, o), _differ(s1, a, x, o + 8)
            s2, s3 = _differ(s2, a, x, o + 16), _differ(s3, a, x, o + 24)
            s4, s5 = _differ(s4, a, x, o + 32), _differ(s5, a, x, o + 40)
            s6, s7 = _differ(s6, a, x, o + 48), _differ(s7, a, x, o + 56)
            s8, s9 = _differ(s8, a, x, o + 64), _differ(s9, a, x, o + 72)
            s10, s11 = _differ(s10, a, x, o + 80), _differ(s11, a, x, o + 88)
            o = (o + 96) & 1023
        all_ = s0 + s1 + s2 + s3 + s4 + s5 + s6 + s7 + s8 + s9 + s10 + s11
        store(out, tile * 64, all_)


@compiled
def _read(first, last, words, out, n):
    """Add up all words, a cache line a step."""
    for tile in range(first, last):
        a = b = c = d = splat(np.uint64(0))
        for p in range(tile * n, tile * n + n, 32):
            a = a + load(words, p)
            b = b + load(words, p + 8)
            c = c + load(words, p + 16)
            d = d + load(words, p + 24)
        store(out, tile * 64, a + b + c + d)
