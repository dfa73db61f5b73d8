"""What a machine is asked to compute: matrix products, and the layers that become some.

A machine of multipliers knows one thing, `y = x w` with `x` of m rows and k columns. A convolution
is that product over windows, one group after the other; attention is two of them for each head.
"""

from dataclasses import dataclass

from efficientdl import _check
from efficientdl.systems.hardware.conv import Conv
from efficientdl.systems.hardware.gemm import (
    INT8,
    Bits,
    Gemm,
    Words,
    check_bits,
    check_finite,
)

__all__ = ["Attention", "Bits", "Conv", "Gemm", "INT8", "Layer", "Words", "check_finite"]


@dataclass(frozen=True)
class Attention:
    """Attention of `n_heads` heads: scores, then what they weigh. The softmax is not counted.

    Attributes:
        n_queries: Tokens that ask.
        n_keys: Tokens that are asked.
        n_heads: Heads.
        head_features: Features of a head.
        batch: Sequences.
        bits: Widths of the words.

    >>> [gemm.macs for gemm in Attention(4, 6, n_heads=2, head_features=8).gemms()]
    [384, 384]
    """

    n_queries: int
    n_keys: int
    n_heads: int
    head_features: int
    batch: int = 1
    bits: Bits = INT8

    def __post_init__(self) -> None:
        for name in ("n_queries", "n_keys", "n_heads", "head_features", "batch"):
            _check.whole("Attention", name, getattr(self, name), 1)
        check_bits("Attention", self.bits)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of both products."""
        return sum(gemm.macs for gemm in self.gemms())

    def gemms(self) -> tuple[Gemm, ...]:
        """Queries times keys, then weights times values; keys and values stand for weights."""
        groups = self.batch * self.n_heads
        scores = Gemm(self.n_queries, self.head_features, self.n_keys, groups, self.bits)
        values = Gemm(self.n_queries, self.n_keys, self.head_features, groups, self.bits)
        return scores, values


Layer = Gemm | Conv | Attention
