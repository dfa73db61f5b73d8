"""Products of signs: 64 multiply-adds are one XOR and one count of ones.

A number that is +1 or -1 is one bit. Two signs multiply to -1 where their bits differ, so the sum
of `k` products is `k` less twice the number of bits that differ.
"""

import numpy as np
from jaxtyping import Float, Int32, UInt64
from numba import njit

from efficientdl import _check
from efficientdl.kernels.arrays import demand_array
from efficientdl.report import Cost

Words = UInt64[np.ndarray, "_ words"]
Shape = tuple[int, ...]

# Numba turns uint64 with a signed integer into a float: every constant is a uint64.
_ODD, _PAIRS, _FOURS, _ONE_BYTE = (
    np.uint64(m)
    for m in (0x5555555555555555, 0x3333333333333333, 0x0F0F0F0F0F0F0F0F, 0x00000000000000FF)
)
_1, _2, _4, _8, _16, _32 = (np.uint64(1 << i) for i in range(6))


def pack_signs(x: Float[np.ndarray, "m k"]) -> Words:
    """Rows of numbers as rows of 64-bit words: a one for each sign of +1, zero's among them.

    The first number is the lowest bit of the first word; the last word is filled up with zeros.

    >>> pack_signs(np.array([[1.0, -2.0, 0.0]]))
    array([[5]], dtype=uint64)
    """
    _check.kind("pack_signs", "x", x, np.ndarray)
    if x.ndim != 2:
        _check.fail("pack_signs", "shape of x", "must be m k", x.shape)
    if np.isnan(x).any():
        _check.fail("pack_signs", "x", "must have signs", float("nan"))
    ones = np.packbits(x >= 0, axis=1, bitorder="little")
    whole = np.ascontiguousarray(np.pad(ones, ((0, 0), (0, -ones.shape[1] % 8))))
    return whole.view("<u8").astype(np.uint64)


def popcount_matmul(a: Words, b: Words, k: int) -> Int32[np.ndarray, "m n"]:
    """Multiply two matrices of signs exactly: `c = k - 2 popcount(a xor b)`.

    Both hold their rows in words, as `pack_signs` makes them: `a` the `m` rows of the left factor,
    `b` the `n` columns of the right one. What fills up the last word is alike in both.

    Args:
        a: Left factor, `m` rows of words.
        b: Right factor, transposed: `n` rows of words.
        k: How many signs a row has.

    Raises:
        BadKind: A factor does not hold 64-bit words, or `k` is no whole number.
        BadValue: The rows do not have the words that `k` signs take.

    >>> a = pack_signs(np.array([[1.0, 1.0, -1.0]]))
    >>> b = pack_signs(np.array([[1.0, -1.0, -1.0], [-1.0, -1.0, 1.0]]))
    >>> popcount_matmul(a, b, 3)
    array([[ 1, -3]], dtype=int32)

    Source: Courbariaux et al., "Binarized Neural Networks", 2016, section 3; Rastegari et al.,
    "XNOR-Net", ECCV 2016, section 3.2; the survey's section 2.3; lab 04.
    """
    _demand_words(a, b, k)
    c = np.empty((len(a), len(b)), np.int32)
    _count_differences(np.ascontiguousarray(a), np.ascontiguousarray(b), k, c)
    return c


def popcount_matmul_reference(a: Words, b: Words, k: int) -> Int32[np.ndarray, "m n"]:
    """The same in NumPy: unpacked to signs and multiplied."""
    places = np.arange(64, dtype=np.uint64)
    left, right = (
        2 * ((words[:, :, None] >> places) & _1).reshape(len(words), -1)[:, :k].astype(np.int64) - 1
        for words in (a, b)
    )
    return (left @ right.T).astype(np.int32)


def popcount_matmul_cost(a: Shape, b: Shape, k: int) -> Cost:
    """MACs of one bit, and the bytes of both factors and of the sums, each moved once.

    >>> popcount_matmul_cost((4, 2), (3, 2), 128)
    Cost(macs=1536, traffic_bytes=160)
    """
    (m, words), n = a, b[0]
    return Cost(macs=m * n * k, traffic_bytes=8 * (m + n) * words + 4 * m * n)


def _demand_words(a: Words, b: Words, k: int) -> None:
    for name, factor in (("a", a), ("b", b)):
        demand_array("popcount_matmul", name, factor, np.uint64)
    _check.whole("popcount_matmul", "k", k, 1, 2**31 - 1)
    words = -(-k // 64)
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != words or b.shape[1] != words:
        rule = f"must be m {words} and n {words}, the words of {k} signs"
        _check.fail("popcount_matmul", "shapes of a and b", rule, (a.shape, b.shape))


@njit(nogil=True)
def _ones(word):
    """How many bits are set, added up in twos, fours and bytes side by side."""
    word = word - ((word >> _1) & _ODD)
    word = (word & _PAIRS) + ((word >> _2) & _PAIRS)
    word = (word + (word >> _4)) & _FOURS
    word += word >> _8
    word += word >> _16
    word += word >> _32
    return np.int64(word & _ONE_BYTE)


@njit(nogil=True)
def _count_differences(a, b, k, c):
    for i in range(a.shape[0]):
        for j in range(b.shape[0]):
            different = 0
            for w in range(a.shape[1]):
                different += _ones(a[i, w] ^ b[j, w])
            c[i, j] = k - 2 * different
