"""Convolutions, as products of windows with filters."""

from dataclasses import dataclass
from functools import cache
from typing import NamedTuple, Self

import numpy as np
from jaxtyping import Num
from numpy.lib.stride_tricks import sliding_window_view

from efficientdl import _check
from efficientdl.systems.hardware.gemm import (
    INT8,
    Bits,
    Gemm,
    Words,
    check_bits,
    check_operands,
    wide,
)

Pair = tuple[int, int]


class Pairs(NamedTuple):
    """What a convolution says of both its directions: down, then right."""

    kernel: Pair
    stride: Pair
    padding: Pair
    dilation: Pair


@dataclass(frozen=True)
class Conv:
    """A convolution of images; its windows are the rows of a matrix product.

    Attributes:
        c_in: Channels of the input.
        h: Height of the input, without padding.
        w: Width of the input.
        c_out: Filters.
        kernel: Height and width of a filter, or one side for both.
        stride: Steps of the window, down and right.
        padding: Zeros put around, above and below, left and right.
        dilation: Distance of neighbouring taps.
        groups: Groups of channels that are convolved by themselves.
        batch: Images.
        bits: Widths of the words.

    >>> conv = Conv(c_in=3, h=227, w=227, c_out=96, kernel=11, stride=4)
    >>> conv.gemms()[0].m, conv.gemms()[0].k, conv.gemms()[0].n
    (3025, 363, 96)
    """

    c_in: int
    h: int
    w: int
    c_out: int
    kernel: int | Pair = 1
    stride: int | Pair = 1
    padding: int | Pair = 0
    dilation: int | Pair = 1
    groups: int = 1
    batch: int = 1
    bits: Bits = INT8

    def __post_init__(self) -> None:
        for name in ("c_in", "h", "w", "c_out", "groups", "batch"):
            _check.whole("Conv", name, getattr(self, name), 1)
        for name, low in {"kernel": 1, "stride": 1, "padding": 0, "dilation": 1}.items():
            object.__setattr__(self, name, _pair(name, getattr(self, name), low))
        _check.divides("Conv", "groups", self.groups, "c_in", self.c_in)
        _check.divides("Conv", "groups", self.groups, "c_out", self.c_out)
        check_bits("Conv", self.bits)
        sides = zip((self.h, self.w), *self.pairs, strict=True)
        for side, kernel, _, padding, dilation in sides:
            if dilation * (kernel - 1) + 1 > side + 2 * padding:
                rule = f"must fit the padded input of {self.h} x {self.w}"
                _check.fail("Conv", "kernel", rule, self.kernel)

    @property
    def pairs(self) -> "Pairs":
        """Kernel, stride, padding and dilation, each down and right."""
        return Pairs(_two(self.kernel), _two(self.stride), _two(self.padding), _two(self.dilation))

    @property
    def outputs(self) -> Pair:
        """Height p and width q of the output."""
        sides = zip((self.h, self.w), *self.pairs, strict=True)
        p, q = ((side + 2 * pad - d * (r - 1) - 1) // s + 1 for side, r, s, pad, d in sides)
        return p, q

    @property
    def macs(self) -> int:
        """Multiply-accumulates, those with padding included."""
        return self.gemms()[0].macs

    @property
    def words(self) -> Words:
        """Distinct words; pixels that no window looks at are not counted."""
        p, q = self.outputs
        sides = zip((self.h, self.w), (p, q), *self.pairs, strict=True)
        rows, columns = (_touched(*side) for side in sides)
        r, s = _two(self.kernel)
        filters = self.c_out * (self.c_in // self.groups) * r * s
        seen = self.batch * self.c_in * rows * columns
        return Words(seen, filters, self.batch * self.c_out * p * q)

    @property
    def x_shape(self) -> tuple[int, ...]:
        """Shape of the input: n c h w."""
        return (self.batch, self.c_in, self.h, self.w)

    @property
    def weight_shape(self) -> tuple[int, ...]:
        """Shape of the filters: c_out, channels of a group, r, s."""
        return (self.c_out, self.c_in // self.groups, *_two(self.kernel))

    def gemms(self) -> tuple[Gemm, ...]:
        """Windows times filters."""
        (p, q), (r, s) = self.outputs, _two(self.kernel)
        k, n = self.c_in // self.groups * r * s, self.c_out // self.groups
        return (Gemm(self.batch * p * q, k, n, self.groups, self.bits),)

    def lower(
        self, x: Num[np.ndarray, "n c h w"], weight: Num[np.ndarray, "c_out c r s"]
    ) -> tuple[Num[np.ndarray, "g m k"], Num[np.ndarray, "g k n"]]:
        """Windows as rows, filters as columns, for each group."""
        check_operands("Conv.lower", self, x, weight)
        (gemm,) = self.gemms()
        (r, s), (down, right), (top, left), (dr, ds) = self.pairs
        padded = np.pad(x, ((0, 0), (0, 0), (top, top), (left, left)))
        spans = dr * (r - 1) + 1, ds * (s - 1) + 1
        windows = sliding_window_view(padded, spans, axis=(2, 3))  # pyright: ignore[reportArgumentType, reportCallIssue]
        windows = windows[:, :, ::down, ::right, ::dr, ::ds]  # n c p q r s
        n, c, p, q = windows.shape[:4]
        grouped = windows.reshape(n, self.groups, c // self.groups, p, q, r, s)
        rows = grouped.transpose(1, 0, 3, 4, 2, 5, 6).reshape(self.groups, gemm.m, gemm.k)
        columns = weight.reshape(self.groups, gemm.n, gemm.k).transpose(0, 2, 1)
        return rows, columns

    def assemble(self, y: Num[np.ndarray, "g m n"]) -> Num[np.ndarray, "n c_out p q"]:
        """Images, from the products of the groups."""
        p, q = self.outputs
        images = y.reshape(self.groups, self.batch, p, q, self.c_out // self.groups)
        return images.transpose(1, 0, 4, 2, 3).reshape(self.batch, self.c_out, p, q)

    def reference(
        self, x: Num[np.ndarray, "n c h w"], weight: Num[np.ndarray, "c_out c r s"]
    ) -> Num[np.ndarray, "n c_out p q"]:
        """What NumPy computes, in 64 bits: the truth that every machine is held against."""
        a, b = self.lower(x, weight)
        return self.assemble(wide(a) @ wide(b))

    @classmethod
    def depthwise(cls, c: int, h: int, w: int, kernel: int, *, stride: int = 1) -> Self:
        """One filter for each channel, padded so that stride one keeps the size.

        >>> Conv.depthwise(8, 6, 6, 3).macs
        2592
        """
        return cls(c, h, w, c, kernel, stride, padding=kernel // 2, groups=c)


def _two(value: int | Pair) -> Pair:
    return value if isinstance(value, tuple) else (value, value)


def _pair(name: str, value: int | Pair, low: int) -> Pair:
    sides = value if isinstance(value, tuple) else (value, value)
    if len(sides) != 2:
        _check.fail("Conv", name, "must be a number or a pair", value)
    for side in sides:
        _check.whole("Conv", name, side, low)
    return sides


@cache
def _touched(side: int, n: int, kernel: int, stride: int, padding: int, dilation: int) -> int:
    """Places of one side that some of the `n` windows look at."""
    at = np.add.outer(np.arange(n) * stride, np.arange(kernel) * dilation) - padding
    return len(np.unique(at[(at >= 0) & (at < side)]))
