"""A3: find the keys that matter from a few of their largest products, and attend to those alone.

Every feature's column of keys is sorted beforehand. So the largest of all n x d products of a query
with keys is at an end of some column, and two pointers in each column walk inwards: one from the
largest products down, one from the smallest up. After `budget` steps the sum of what was seen is
an estimate of each key's score.
"""

from collections.abc import Callable
from math import inf
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float64, Int64

from efficientdl import _check
from efficientdl.catalogue import Simulator, technique
from efficientdl.kernels.compiled import compiled
from efficientdl.report import Cost
from efficientdl.systems.hardware.attention.pipeline import makespan
from efficientdl.systems.hardware.attention.softmax import attend
from efficientdl.systems.hardware.attention.tokens import Tokens, real
from efficientdl.systems.hardware.run import Run

SCANNED = 16  # estimates that the selector compares in a cycle; assumed
STEPS, PRODUCTS = range(2)


class Candidates(NamedTuple):
    """What the selector found.

    Attributes:
        keep: Which keys are candidates.
        estimate: Sum of the products that were seen, before the scale.
        steps: Steps taken, at most the budget.
        products: Multiplications done.
    """

    keep: Bool[np.ndarray, "h m n"]
    estimate: Float64[np.ndarray, "h m n"]
    steps: Int64[np.ndarray, "h m"]
    products: Int64[np.ndarray, "h m"]


def candidates(tokens: Tokens, *, budget: int, floor: float = 0.0) -> Candidates:
    """Estimate scores from the largest and the smallest products, and keep what is above `floor`.

    Each step takes the largest product left, if it is positive, and the smallest, if it is
    negative. With a budget of n d, the estimate is the score. A query for which no key is above
    the floor keeps the one of the largest estimate.

    Args:
        tokens: The operands.
        budget: Most steps for a query: two multiplications each.
        floor: A key is a candidate when its estimate is larger: 0 in the paper, -inf keeps all.

    >>> key = np.array([[[4, 0], [1, 2], [-3, 5]]])
    >>> tokens = Tokens(np.array([[[2, 1]]]), key, key)
    >>> candidates(tokens, budget=2).estimate.tolist()
    [[[8.0, 0.0, -1.0]]]
    """
    _check.kind("candidates", "tokens", tokens, Tokens)
    _check.whole("candidates", "budget", budget, 0)
    _check.number("candidates", "floor", floor)
    order = np.argsort(tokens.key, axis=1, kind="stable")
    ordered = np.take_along_axis(real(tokens.key), order, axis=1)
    shape = (tokens.n_heads, tokens.n_queries)
    estimate, counts = np.zeros((*shape, tokens.n_keys)), np.zeros((*shape, 2), np.int64)
    for head, query in enumerate(real(tokens.query)):
        _greedy(query, ordered[head], order[head], budget, estimate[head], counts[head])
    keep = estimate > floor
    best = np.arange(tokens.n_keys) == estimate.argmax(axis=2)[..., None]
    keep |= best & ~keep.any(axis=2, keepdims=True)
    return Candidates(keep, estimate, counts[..., STEPS], counts[..., PRODUCTS])


@compiled
def _greedy(
    query: np.ndarray,
    ordered: np.ndarray,
    order: np.ndarray,
    budget: int,
    estimate: np.ndarray,
    counts: np.ndarray,
) -> None:
    """All queries of a head: one step takes a product from the top, and one from the bottom."""
    d = query.shape[1]
    at, product = np.zeros((2, d), np.int64), np.zeros((2, d))
    for m in range(len(query)):
        for side in range(2):
            for j in range(d):
                at[side, j] = -1
                _refill(query[m], ordered, at, product, side, j)
        counts[m, PRODUCTS] = 2 * d
        for _ in range(budget):
            top, bottom = _extremes(product)
            if product[0, top] <= 0 and product[1, bottom] >= 0:
                break
            counts[m, STEPS] += 1
            for side in range(2):
                j = bottom if side else top
                taken = product[side, j]
                if (taken > 0) if side == 0 else (taken < 0):
                    row = at[side, j]
                    falls = (query[m, j] >= 0) == (side == 0)
                    estimate[m, order[len(order) - 1 - row if falls else row, j]] += taken
                    counts[m, PRODUCTS] += _refill(query[m], ordered, at, product, side, j)


@compiled
def _extremes(product: np.ndarray) -> tuple[int, int]:
    """The feature with the largest product at the top, and with the smallest at the bottom."""
    top, bottom = 0, 0
    for j in range(1, product.shape[1]):
        top = j if product[0, j] > product[0, top] else top
        bottom = j if product[1, j] < product[1, bottom] else bottom
    return top, bottom


@compiled
def _refill(
    query: np.ndarray, ordered: np.ndarray, at: np.ndarray, product: np.ndarray, side: int, j: int
) -> int:
    """Move the pointer on: from the largest product down at side 0, from the smallest up at 1."""
    n = len(ordered)
    at[side, j] += 1
    if at[side, j] == n:
        product[side, j] = 0.0  # the column is used up
        return 0
    falls = (query[j] >= 0) == (side == 0)
    product[side, j] = query[j] * ordered[n - 1 - at[side, j] if falls else at[side, j], j]
    return 1


def recall(keep: Bool[np.ndarray, "h m n"], tokens: Tokens, *, n_top: int) -> float:
    """Share of the keys with the `n_top` largest scores that were kept, mean over queries, 0..1.

    >>> key = np.array([[[4, 0], [1, 2], [-3, 5]]])
    >>> tokens = Tokens(np.array([[[2, 1]]]), key, key)
    >>> recall(candidates(tokens, budget=2).keep, tokens, n_top=2)
    0.5
    """
    _check.kind("recall", "tokens", tokens, Tokens)
    _check.whole("recall", "n_top", n_top, 1, tokens.n_keys)
    top = np.argsort(-tokens.scores(), axis=2, kind="stable")[..., :n_top]
    return float(np.take_along_axis(keep, top, axis=2).mean())


def _case(rng: np.random.Generator, size: int) -> tuple[Callable[[], object], object, int]:
    drawn = (rng.integers(-9, 9, (1 + size % 2, size, 3)) for _ in range(3))
    tokens = Tokens(*drawn, scale=0.1)
    score = tokens.scores()  # what the estimate comes to, when every product is seen
    best = np.arange(size) == score.argmax(axis=2)[..., None]
    keep = (score > 0) | (best & ~(score > 0).any(axis=2, keepdims=True))

    def call() -> tuple[object, Cost]:
        run = a3(tokens, budget=3 * size)
        return run.y, run.cost()

    return call, attend(tokens, keep), int(keep.sum())


@technique(
    "hw-a3",
    paper="Ham et al., A3: Accelerating Attention Mechanisms in Neural Networks with "
    "Approximation, 2020",
    survey="6.2",
    lab="14_accelerators",
    kind=Simulator(case=_case),
)
def a3(tokens: Tokens, *, budget: int, floor: float = 0.0, share: float = 0.0) -> Run:
    """Attend to the candidates of a greedy search, and of those to the heaviest.

    Three stages work on three queries at a time. The selector fills its pointers, a feature a
    cycle, takes a step a cycle, and compares 16 estimates a cycle; the dot products and then the
    weighted sum take a key a cycle. With `floor=-inf` there is no selection and this is dense
    attention: n cycles in each of two stages, so (1 + queries) n in all.

    The keys and values lie on the chip. That the sorted copy must be brought there too, each
    word with the number of its row, is the price; sorting is not counted.

    Args:
        tokens: The operands.
        budget: Most steps of the selector for a query; the paper's M.
        floor: Estimate that a candidate must exceed; -inf keeps all.
        share: After the exact score, a key goes whose weight is a smaller share of the largest
            weight; the paper's T, 0..1. 0 drops none.

    >>> from efficientdl.systems.hardware.attention.tokens import peaked_tokens
    >>> tokens = peaked_tokens(8, 64, 16, seed=0)
    >>> a3(tokens, budget=0, floor=-inf).cycles, a3(tokens, budget=20).cycles
    (576, 348)

    Source: Ham et al., "A3: Accelerating Attention Mechanisms in Neural Networks with
        Approximation", HPCA 2020; survey section 6.2; lab 14.
    """
    _check.in_range("a3", "share", share, 0, 1)
    selects = floor != -inf
    found = candidates(tokens, budget=budget if selects else 0, floor=floor)
    score = np.where(found.keep, tokens.scores(), -inf)
    with np.errstate(divide="ignore"):
        keep = found.keep & (score >= score.max(axis=2, keepdims=True) + np.log(share))
    select = tokens.features + found.steps + -(-tokens.n_keys // SCANNED)
    times = np.stack([select * selects, found.keep.sum(axis=2), keep.sum(axis=2)], axis=2)
    products = int(found.products.sum()) * selects
    return _run(tokens, times.reshape(-1, 3), products, attend(tokens, keep))


def _run(
    tokens: Tokens,
    times: Int64[np.ndarray, "q stages"],
    products: int,
    y: Float64[np.ndarray, "h m e"],
) -> Run:
    n_dots, n_sums = int(times[:, 1].sum()), int(times[:, 2].sum())
    d, e, cycles = tokens.features, tokens.value_features, makespan(times)
    words = {"query": tokens.query.size, "key": tokens.key.size, "value": tokens.value.size}
    buffer = {"query": words["query"], "key": n_dots * d, "value": n_sums * e, "y": y.size}
    bits = dict.fromkeys(words, tokens.word_bits) | {"y": 32}
    dram = {**words, "y": y.size}
    if products:
        bits["sorted"] = tokens.word_bits + (tokens.n_keys - 1).bit_length()
        buffer["sorted"], dram["sorted"] = products, words["key"]
    return Run(
        cycles=cycles,
        macs=products + n_dots * d + n_sums * e,
        n_units=d + e + (2 if products else 0),
        accesses={"buffer": buffer, "dram": dram},
        bits=bits,
        y=y,
        formula=(
            f"cycles = {cycles:,}: {len(times):,} queries through selector, dot products and sum, "
            f"busy for {', '.join(f'{busy:,}' for busy in times.sum(axis=0))}",
        ),
    )
