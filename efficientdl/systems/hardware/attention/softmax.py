"""The softmax as hardware does it, by powers of two; and exact attention, key after key.

e^s is 2^t with t = s log2 e: a fraction of t, for which a table stands, and a whole number, which
is a shift. A sum that is kept at another shift is the same number, bit for bit, as long as nothing
is smaller than the smallest float. So a machine that learns the largest score only in the end
comes to the very result of one that knew it before.
"""

from math import e, log2
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float64, Int64

from efficientdl.systems.hardware.attention.tokens import Tokens, real

Scores = Float64[np.ndarray, "m n"]
LOWEST = -(2**12)  # a shift that leaves nothing of any float


class Powers(NamedTuple):
    """Exponentials as mantissas times powers of two.

    Attributes:
        mantissa: 1 to 2.
        shift: The power.
    """

    mantissa: Float64[np.ndarray, "..."]
    shift: Int64[np.ndarray, "..."]


class Weighed(NamedTuple):
    """What attention gives for the queries of a head.

    Attributes:
        y: Values, each weighed by its probability.
        probability: Of each key, for each query; 0 where it was left out.
    """

    y: Float64[np.ndarray, "m e"]
    probability: Scores


def powers(score: Float64[np.ndarray, "..."]) -> Powers:
    """e^score in two parts.

    >>> mantissa, shift = powers(np.array([0.0, 1.0]))
    >>> np.ldexp(mantissa, shift).round(12).tolist()
    [1.0, 2.718281828459]
    """
    exponent = score * log2(e)
    whole = np.floor(exponent)
    return Powers(np.exp2(exponent - whole), whole.astype(np.int64))


def shifted(mantissa: Float64[np.ndarray, "..."], by: Int64[np.ndarray, "..."]) -> np.ndarray:
    """mantissa times 2^by; by is at most 0."""
    return np.ldexp(mantissa, np.maximum(by, LOWEST).astype(np.int32))


def weigh(
    score: Scores, value: Float64[np.ndarray, "n e"], keep: Bool[np.ndarray, "m n"] | None = None
) -> Weighed:
    """Softmax over the keys that are kept, then the values: two passes, summed key after key.

    Args:
        score: Exponents.
        value: What is weighed.
        keep: Which keys each query sees, at least one; all where nothing is said.

    >>> weigh(np.zeros((1, 2)), np.array([[1.0], [3.0]])).y.tolist()
    [[2.0]]
    """
    keep = np.ones(score.shape, bool) if keep is None else keep
    mantissa, shift = powers(score)
    top = np.where(keep, shift, shift.min()).max(axis=1, keepdims=True)
    weight = np.where(keep, shifted(mantissa, np.minimum(shift - top, 0)), 0.0)
    y, total = np.zeros((len(score), value.shape[1])), np.zeros((len(score), 1))
    for i, row in enumerate(value):
        total += weight[:, [i]]
        y += weight[:, [i]] * row
    return Weighed(y / total, weight / total)


def attend(
    tokens: Tokens, keep: Bool[np.ndarray, "h m n"] | None = None
) -> Float64[np.ndarray, "h m e"]:
    """Attention of all heads: the truth that every attention machine is held against.

    Args:
        tokens: The operands.
        keep: Which keys each query sees; all where nothing is said.
    """
    score, value = tokens.scores(), real(tokens.value)
    seen = np.ones(score.shape, bool) if keep is None else keep
    return np.stack([weigh(*head).y for head in zip(score, value, seen, strict=True)])
