"""Products of signs in tiles: an exclusive or, a count and an addition do 512 multiply-adds.

As in `kernels.popcount`, 64 signs stand in a word, and the sum of `k` products is `k` less twice
the number of bits that differ. Here the weights stand in panels of 32 columns, and a tile of 4 rows
keeps its 128 counts in 16 registers.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int32, UInt64

from efficientdl import _check
from efficientdl.catalogue import Kernel, technique
from efficientdl.kernels import cpu
from efficientdl.kernels.arrays import demand_array
from efficientdl.kernels.compiled import compiled
from efficientdl.kernels.low_bit.operations import bits_of_negative, bits_of_positive, low_words
from efficientdl.kernels.popcount import pack_signs, popcount_matmul_reference
from efficientdl.kernels.simd import aligned, at, bit_count, load, room, splat, store
from efficientdl.kernels.threads import deal
from efficientdl.report import Cost

Words = UInt64[np.ndarray, "_ words"]
PANEL = 32  # columns
BITS = 64
ROWS = 4  # of a tile; rows are padded to so many
BLOCK = 64  # rows at a time of one panel
WIDE = cpu.has(cpu.AVX512, "avx512vpopcntdq")  # counts ones in an instruction, into 32 registers
_16, _32, _48 = np.uint64(16), np.uint64(32), np.uint64(48)


@dataclass(frozen=True, eq=False)
class SignPanels:
    """The signs of `n` columns of weights, in panels of 32, as `pack_sign_panels` makes them.

    Attributes:
        panels: For each word of a column, those of 32 columns side by side.
        k: How many signs a column has.
        n: How many columns there are.
    """

    panels: UInt64[np.ndarray, "panels words 32"]
    k: int
    n: int

    def __post_init__(self) -> None:
        _check.whole("SignPanels", "k", self.k, 1, 2**30)
        _check.whole("SignPanels", "n", self.n, 1)
        _check.kind("SignPanels", "panels", self.panels, np.ndarray)
        shape = -(-self.n // PANEL), -(-self.k // BITS), PANEL
        fits = (self.panels.dtype, self.panels.shape) == (np.uint64, shape)
        if not fits or not self.panels.flags.c_contiguous:
            found = self.panels.dtype.name, self.panels.shape
            rule = f"must be uint64 of shape {shape}, in one piece"
            _check.fail("SignPanels", "panels", rule, found)
        self.panels.flags.writeable = False


def pack_sign_panels(b: Words, k: int) -> SignPanels:
    """Put packed signs into panels.

    Args:
        b: A row of words for each column of the weights, as `pack_signs` makes them.
        k: How many signs a row has.

    Raises:
        BadKind: `b` does not hold 64-bit words.
        BadValue: The rows do not have the words that `k` signs take, or bits behind the last sign.

    >>> pack_sign_panels(pack_signs(np.ones((3, 70))), 70).panels.shape
    (1, 2, 32)
    """
    _check.whole("pack_sign_panels", "k", k, 1, 2**30)
    _demand_words("pack_sign_panels", "b", b, k)
    if not len(b):
        _check.fail("pack_sign_panels", "b", "must have rows", b.shape)
    n_panels, words = -(-len(b) // PANEL), b.shape[1]
    whole = np.zeros((n_panels * PANEL, words), np.uint64)
    whole[: len(b)] = b
    panels = aligned((n_panels, words, PANEL), np.uint64)
    panels[...] = whole.reshape(n_panels, PANEL, words).transpose(0, 2, 1)
    return SignPanels(panels, k, len(b))


def unpack_sign_panels(packed: SignPanels) -> Words:
    """The rows of words as they were before `pack_sign_panels`.

    >>> unpack_sign_panels(pack_sign_panels(pack_signs(np.array([[1.0, -2.0, 0.0]])), 3))
    array([[5]], dtype=uint64)
    """
    rows = packed.panels.transpose(0, 2, 1).reshape(-1, packed.panels.shape[1])
    return rows[: packed.n].copy()


def _inputs(rng: np.random.Generator, size: int) -> tuple[Words | SignPanels, ...]:
    """One word, its edge or several; one panel or several."""
    m, k, n = size, 1 + 37 * (size - 1), 1 + 7 * size
    weight = pack_sign_panels(pack_signs(rng.normal(size=(n, k))), k)
    return pack_signs(rng.normal(size=(m, k))), weight


@technique(
    "kernel-binary-gemm",
    paper="Rastegari, Ordonez, Redmon, Farhadi, XNOR-Net: ImageNet Classification Using Binary "
    "Convolutional Neural Networks, 2016",
    survey="2.3",
    lab="13_kernels_and_compilers",
    kind=Kernel(inputs=_inputs),
)
def xnor_gemm(a: Words, weight: SignPanels) -> Int32[np.ndarray, "m n"]:
    """Multiply two matrices of signs exactly: `c = k - 2 popcount(a xor b)`.

    A word of `a`, spread over a register, meets a word of eight columns. What differs is counted
    and added in three instructions where the processor counts the ones of eight words at a time.

    Args:
        a: Left factor, `m` rows of words, as `pack_signs` or `sign_words` makes them.
        weight: What `pack_sign_panels` made of the right one.

    Raises:
        BadKind: `a` does not hold 64-bit words.
        BadValue: Its rows do not have as many words as a column, or bits behind the last sign.

    >>> a = pack_signs(np.array([[1.0, 1.0, -1.0]]))
    >>> b = pack_signs(np.array([[1.0, -1.0, -1.0], [-1.0, -1.0, 1.0]]))
    >>> xnor_gemm(a, pack_sign_panels(b, 3))
    array([[ 1, -3]], dtype=int32)

    Source: Rastegari et al., 2016, section 3.2; Courbariaux et al., "Binarized Neural Networks",
    2016, section 3; the survey's section 2.3; lab 13.
    """
    _check.kind("xnor_gemm", "weight", weight, SignPanels)
    _demand_words("xnor_gemm", "a", a, weight.k)
    m, words, n_panels = len(a), a.shape[1], len(weight.panels)
    rows = room((-(-m // ROWS) * ROWS, words), np.uint64)
    rows[:m], rows[m:] = a, 0
    c = room((len(rows), n_panels * PANEL), np.int32)
    n_blocks = -(-len(rows) // BLOCK)
    left, out = (rows.reshape(-1), len(rows), words), (c.reshape(-1), c.shape[1])
    deal(_count, n_blocks * n_panels, left, weight.panels.reshape(-1), np.uint64(weight.k), out)
    return np.ascontiguousarray(c[:m, : weight.n])


def xnor_gemm_reference(a: Words, weight: SignPanels) -> Int32[np.ndarray, "m n"]:
    """The same in NumPy: unpacked to signs and multiplied."""
    return popcount_matmul_reference(a, unpack_sign_panels(weight), weight.k)


def xnor_gemm_cost(a: tuple[int, ...], weight: SignPanels) -> Cost:
    """MACs of one bit, and the bytes of both factors and of the sums, each moved once.

    >>> xnor_gemm_cost((4, 2), pack_sign_panels(pack_signs(np.ones((3, 128))), 128))
    Cost(macs=1536, traffic_bytes=160)
    """
    (m, words), n = a, weight.n
    return Cost(macs=m * n * weight.k, traffic_bytes=8 * (m + n) * words + 4 * m * n)


def sign_words(x: Float32[np.ndarray, "m k"]) -> Words:
    """`pack_signs` for float32, 64 numbers at a time: activations become signs as they come.

    Raises:
        BadKind: `x` is not float32.
        BadValue: It is no matrix, has no columns, or has a NaN, which has no sign.

    >>> sign_words(np.float32([[1.0, -2.0, 0.0]]))
    array([[5]], dtype=uint64)
    """
    demand_array("sign_words", "x", x, np.float32)
    if x.ndim != 2 or not x.shape[1]:
        _check.fail("sign_words", "shape of x", "must be m k with k at least 1", x.shape)
    m, k = x.shape
    whole = np.pad(x, ((0, 0), (0, -k % BITS)), constant_values=-1) if k % BITS else x
    words = np.empty((m, whole.shape[1] // BITS), np.uint64)
    numbers = np.ones(m, np.bool_)
    flat = np.ascontiguousarray(whole).reshape(-1)
    deal(_signs, m, words.shape[1], flat, words.reshape(-1), numbers)
    if not numbers.all():
        _check.fail("sign_words", "x", "must have signs", float("nan"))
    return words


def _demand_words(caller: str, name: str, a: Words, k: int) -> None:
    demand_array(caller, name, a, np.uint64)
    words = -(-k // BITS)
    if a.ndim != 2 or a.shape[1] != words:
        rule = f"must be rows of {words}, the words of {k} signs"
        _check.fail(caller, f"shape of {name}", rule, a.shape)
    if k % BITS and (a[:, -1] >> np.uint64(k % BITS)).any():
        row = int(np.flatnonzero(a[:, -1] >> np.uint64(k % BITS))[0])
        _check.fail(caller, name, f"must have no bits behind sign {k}", (row, int(a[row, -1])))


@compiled
def _signs(first, last, n_words, x, words, numbers):
    for row in range(first, last):
        for word in range(row * n_words, (row + 1) * n_words):
            a, b, c, d = (
                load(x, 64 * word),
                load(x, 64 * word + 16),
                load(x, 64 * word + 32),
                load(x, 64 * word + 48),
            )
            low = bits_of_positive(a) | (bits_of_positive(b) << _16)
            high = (bits_of_positive(c) << _32) | (bits_of_positive(d) << _48)
            words[word] = low | high
            less = bits_of_negative(a) | (bits_of_negative(b) << _16)
            more = (bits_of_negative(c) << _32) | (bits_of_negative(d) << _48)
            if (low | high | less | more) != ~np.uint64(0):
                numbers[row] = False


@compiled
def _differ4(counts, word, w):
    a = splat(word)
    return (
        counts[0] + bit_count(a ^ w[0]),
        counts[1] + bit_count(a ^ w[1]),
        counts[2] + bit_count(a ^ w[2]),
        counts[3] + bit_count(a ^ w[3]),
    )


@compiled
def _store_sums(c, place, counts, k):
    store(c, place, low_words(k - (counts[0] + counts[0])))
    store(c, place + 8, low_words(k - (counts[1] + counts[1])))
    store(c, place + 16, low_words(k - (counts[2] + counts[2])))
    store(c, place + 24, low_words(k - (counts[3] + counts[3])))


@compiled
def _four_by_32(left, p, panels, o, k, out, place):
    (a, _, words), (c, width) = left, out
    zero = splat(np.uint64(0))
    s0 = s1 = s2 = s3 = (zero, zero, zero, zero)
    for _ in range(words):
        w = load(panels, o), load(panels, o + 8), load(panels, o + 16), load(panels, o + 24)
        s0 = _differ4(s0, at(a, p), w)
        s1 = _differ4(s1, at(a, p + words), w)
        s2 = _differ4(s2, at(a, p + 2 * words), w)
        s3 = _differ4(s3, at(a, p + 3 * words), w)
        p += 1
        o += PANEL
    _store_sums(c, place, s0, k)
    _store_sums(c, place + width, s1, k)
    _store_sums(c, place + 2 * width, s2, k)
    _store_sums(c, place + 3 * width, s3, k)


@compiled
def _two_by_8(left, start, panels, begin, k, out, place):
    """Two rows by 8 columns, eight times: as many counts as few registers hold."""
    (a, _, words), (c, width) = left, out
    for part in range(0, PANEL, 8):
        for row in range(0, ROWS, 2):
            s0 = s1 = splat(np.uint64(0))
            p, o = start + row * words, begin + part
            for _ in range(words):
                w = load(panels, o)
                s0 = s0 + bit_count(splat(at(a, p)) ^ w)
                s1 = s1 + bit_count(splat(at(a, p + words)) ^ w)
                p += 1
                o += PANEL
            q = place + row * width + part
            store(c, q, low_words(k - (s0 + s0)))
            store(c, q + width, low_words(k - (s1 + s1)))


_tile = _four_by_32 if WIDE else _two_by_8


@compiled
def _count(first, last, left, panels, k, out):
    (_, n_rows, words), width, signs = left, out[1], splat(k)
    n_blocks = (n_rows + BLOCK - 1) // BLOCK
    for block in range(first, last):
        panel, row = block // n_blocks, block % n_blocks * BLOCK
        for i in range(row, min(n_rows, row + BLOCK), ROWS):
            place = i * width + panel * PANEL
            _tile(left, i * words, panels, panel * words * PANEL, signs, out, place)
