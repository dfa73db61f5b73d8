"""What an attention machine is given: queries, keys and values of all heads of a layer."""

from dataclasses import dataclass
from math import inf

import numpy as np
from jaxtyping import Float64, Num

from efficientdl import _check
from efficientdl.systems.hardware.gemm import check_finite


@dataclass(frozen=True, eq=False)
class Tokens:
    """Operands of attention, y = softmax(scale * query key^T) value, for each head by itself.

    Words are integers of so many bits, as a machine keeps them, or real numbers, which are counted
    as if they had that width.

    Attributes:
        query: What asks: heads, queries, features.
        key: What is asked: heads, keys, features.
        value: What is weighed: heads, keys, features of a value.
        scale: What a product of two words is worth, in the exponent.
        word_bits: Width of a word, 1 to 16.

    >>> one = np.ones((1, 2, 3), int)
    >>> Tokens(one, one, one, scale=0.5).scores()[0].tolist()
    [[1.5, 1.5], [1.5, 1.5]]
    """

    query: Num[np.ndarray, "h m d"]
    key: Num[np.ndarray, "h n d"]
    value: Num[np.ndarray, "h n e"]
    scale: float = 1.0
    word_bits: int = 8

    def __post_init__(self) -> None:
        _check.whole("Tokens", "word_bits", self.word_bits, 1, 16)
        if not 0 < _check.number("Tokens", "scale", self.scale) < inf:
            _check.fail("Tokens", "scale", "must be positive and finite", self.scale)
        for name in ("query", "key", "value"):
            self._check_array(name, getattr(self, name))
        h, n, d = self.key.shape
        shapes = {"query": (h, self.query.shape[1], d), "value": (h, n, self.value.shape[2])}
        for name, shape in shapes.items():
            found = getattr(self, name).shape
            if found != shape:
                _check.fail("Tokens", name, f"must have the shape {shape}, as key has", found)

    def _check_array(self, name: str, array: Num[np.ndarray, "h t d"]) -> None:
        _check.kind("Tokens", name, array, np.ndarray)
        if array.ndim != 3 or 0 in array.shape:
            _check.fail("Tokens", name, "must have heads, tokens and features", array.shape)
        check_finite("Tokens", name, array)
        low, high = -(2 ** (self.word_bits - 1)), 2 ** (self.word_bits - 1) - 1
        if array.dtype.kind != "f" and not low <= int(array.min()) <= int(array.max()) <= high:
            worst = int(array.min()) if int(array.min()) < low else int(array.max())
            _check.fail("Tokens", name, f"must fit {self.word_bits} bits, [{low}, {high}]", worst)

    @property
    def n_heads(self) -> int:
        """Heads."""
        return self.key.shape[0]

    @property
    def n_queries(self) -> int:
        """Queries of a head."""
        return self.query.shape[1]

    @property
    def n_keys(self) -> int:
        """Keys of a head, and values."""
        return self.key.shape[1]

    @property
    def features(self) -> int:
        """Features of a query and a key."""
        return self.key.shape[2]

    @property
    def value_features(self) -> int:
        """Features of a value."""
        return self.value.shape[2]

    @property
    def macs(self) -> int:
        """Multiply-accumulates of dense attention, both products."""
        pairs = self.n_heads * self.n_queries * self.n_keys
        return pairs * (self.features + self.value_features)

    def scores(self) -> Float64[np.ndarray, "h m n"]:
        """Exponents: scaled products of every query with every key; exact, for integers."""
        return self.scale * np.einsum("hmd,hnd->hmn", real(self.query), real(self.key))


def real(array: Num[np.ndarray, "..."]) -> Float64[np.ndarray, "..."]:
    """The same numbers as floats of 64 bits, in which sums of such products are exact."""
    return np.ascontiguousarray(array, np.float64)


def peaked_tokens(
    n_queries: int,
    n_keys: int,
    features: int,
    *,
    n_heads: int = 1,
    peak: float = 8.0,
    seed: int,
) -> Tokens:
    """Draw tokens of which a few are asked for by many, as in language; not real attention.

    Three queries of four resemble a key, whose score then stands about `peak` above the others;
    which key, is drawn by Zipf's law over a random order. The fourth resembles none: its softmax
    is flat.

    Args:
        n_queries: Queries of a head.
        n_keys: Keys of a head.
        features: Features of all three operands.
        n_heads: Heads; they ask for the same keys.
        peak: How far the score of the key that is meant stands out, in nats.
        seed: Of the draw.

    >>> peaked_tokens(4, 6, 8, seed=0).key.shape
    (1, 6, 8)
    """
    for name, count in {"n_queries": n_queries, "n_keys": n_keys, "features": features}.items():
        _check.whole("peaked_tokens", name, count, 1)
    _check.at_least("peaked_tokens", "peak", peak, 0)
    rng = np.random.default_rng(seed)
    wide, span = (n_heads, n_keys, features), 64
    key, value = rng.integers(-span, span, wide), rng.integers(-span, span, wide)
    chance = rng.permutation(1 / np.arange(1, n_keys + 1))
    meant = rng.choice(n_keys, n_queries, p=chance / chance.sum())
    query = key[:, meant] + rng.integers(-span // 4, span // 4, (n_heads, n_queries, features))
    flat = np.arange(n_queries) % 4 == 3
    query[:, flat] = rng.integers(-span // 8, span // 8, query[:, flat].shape)
    return Tokens(query, key, value, scale=peak / (features * span**2 / 3))
