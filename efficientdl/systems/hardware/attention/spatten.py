"""SpAtten: tokens and heads that earlier layers made little of are not fetched again.

*Cascade pruning*: a token's importance is the sum of all probabilities that it was given so far, a
head's that of its outputs' magnitudes. Before each layer the top-k engine keeps the most important;
what is gone stays gone. *Progressive quantization*: the upper bits of the keys are fetched first.
Where a softmax has a peak, an error of the scores hardly changes it; only where it is flat the
lower bits are fetched too, and the row is computed again.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from math import ceil
from operator import add

import numpy as np
from jaxtyping import Bool, Float64, Int64, Num

from efficientdl import _check
from efficientdl.catalogue import Simulator, technique
from efficientdl.report import Cost
from efficientdl.systems.hardware.arch import Dram
from efficientdl.systems.hardware.attention.pipeline import makespan
from efficientdl.systems.hardware.attention.softmax import Weighed, attend, weigh
from efficientdl.systems.hardware.attention.tokens import Tokens, real
from efficientdl.systems.hardware.attention.top_k_engine import LANES, select
from efficientdl.systems.hardware.run import Run

CHANNELS = Dram(16 * 32 * 8)  # 16 channels of 32 bytes: the simulator released with the paper


@dataclass(frozen=True)
class Spatten:
    """The machine.

    Attributes:
        n_multipliers: Of each of the two arrays, one for scores and one for values.
        lanes: Words that the top-k engine compares in a cycle.
        dram: Its bandwidth.
    """

    n_multipliers: int = 512  # the same simulator's
    lanes: int = LANES
    dram: Dram = CHANNELS

    def __post_init__(self) -> None:
        _check.whole("Spatten", "n_multipliers", self.n_multipliers, 1)
        _check.whole("Spatten", "lanes", self.lanes, 1)
        _check.kind("Spatten", "dram", self.dram, Dram)


SPATTEN = Spatten()


@dataclass
class _Alive:
    """What is left, and what was thought of it."""

    tokens: Int64[np.ndarray, " kept"]
    heads: Int64[np.ndarray, " kept"]
    token_importance: Float64[np.ndarray, " n"]
    head_importance: Float64[np.ndarray, " h"]


def _case(rng: np.random.Generator, size: int) -> tuple[Callable[[], object], object, int]:
    layers = [
        Tokens(*(rng.integers(-99, 99, (2, size, 3)) for _ in range(3)), scale=0.001)
        for _ in range(2)
    ]
    machine = Spatten(n_multipliers=int(rng.integers(1, 9)))

    def call() -> tuple[object, Cost]:
        run = spatten(layers, machine=machine, seed=0)
        return run.y, run.cost()

    macs = sum(layer.macs for layer in layers)
    return call, np.stack([attend(t) for t in layers]), -(-macs // (2 * machine.n_multipliers))


@technique(
    "hw-spatten",
    paper="Wang, Zhang, Han, SpAtten: Efficient Sparse Attention Architecture with Cascade Token "
    "and Head Pruning, 2021",
    survey="6.2, 5.3",
    lab="14_accelerators",
    kind=Simulator(case=_case),
)
def spatten(
    layers: Sequence[Tokens],
    *,
    keep_tokens: Sequence[float] = (),
    keep_heads: Sequence[float] = (),
    lsb_bits: int = 0,
    flat: float = 0.0,
    machine: Spatten = SPATTEN,
    seed: int,
) -> Run:
    """Attention of several layers, pruned from layer to layer.

    While a head is computed, the words of the next are fetched. In a head, scores of one query and
    the weighted sum of the one before go on at once, `n_multipliers` MACs a cycle each. The
    lower bits are fetched once for a head, if one of its rows is flat, and everything waits for
    them. The top-k engine runs between layers. Keeping all, this is dense attention, bit for bit.

    Args:
        layers: Operands of each layer, of one shape. Where there are as many queries as keys, a
            token that is pruned asks no more.
        keep_tokens: Share of the tokens that enters each layer, 0 to 1: 1 for the first, then
            never more than before. All where nothing is said.
        keep_heads: The same of the heads.
        lsb_bits: Lower bits of the keys that are fetched only where needed.
        flat: A row is flat when its largest probability is smaller; above 1 all rows are.
        machine: Its multipliers, lanes and bandwidth.
        seed: Of the engine's pivots.

    Returns:
        The run. Its output has a layer, then heads, queries and features; zeros where pruned.

    >>> from efficientdl.systems.hardware.attention.tokens import peaked_tokens
    >>> layers = [peaked_tokens(64, 64, 16, n_heads=4, seed=0)] * 3
    >>> dense = spatten(layers, seed=0)
    >>> pruned = spatten(layers, keep_tokens=(1, 0.5, 0.25), keep_heads=(1, 1, 0.5), seed=0)
    >>> dense.cycles, pruned.cycles
    (1578, 775)
    >>> dense.words("dram") / pruned.words("dram")
    1.84...

    Source: Wang, Zhang, Han, "SpAtten", HPCA 2021, and the simulator released with it; survey
        sections 6.2 and 5.3; lab 14.
    """
    _check_layers(layers, lsb_bits)
    _check.at_least("spatten", "flat", flat, 0)
    _check.kind("spatten", "machine", machine, Spatten)
    n, h = layers[0].n_keys, layers[0].n_heads
    n_tokens = _counts("keep_tokens", keep_tokens, n, len(layers))
    n_heads = _counts("keep_heads", keep_heads, h, len(layers))
    alive = _Alive(np.arange(n), np.arange(h), np.zeros(n), np.zeros(h))
    generator, runs, y = np.random.default_rng(seed), [], []
    for layer, k_tokens, k_heads in zip(layers, n_tokens, n_heads, strict=True):
        ranking = _prune(alive, k_tokens, k_heads, machine, generator)
        run = _layer(layer, alive, lsb_bits, flat, machine)
        runs.append(replace(run, cycles=run.cycles + ranking))
        y.append(run.y)
    total = reduce(add, runs)
    rows = [f"layer {i}: {run.formula[0]}" for i, run in enumerate(runs)]
    formula = (f"cycles = {total.cycles:,}", *rows)
    return replace(total, y=np.stack(y), formula=formula)


def _counts(name: str, shares: Sequence[float], n: int, n_layers: int) -> list[int]:
    """How many of n enter each layer."""
    shares = tuple(shares) or (1.0,) * n_layers
    if len(shares) != n_layers:
        _check.fail("spatten", name, f"must have one share for each of {n_layers} layers", shares)
    for before, share in zip((1.0, *shares), shares, strict=False):
        _check.in_range("spatten", name, share, 0, before)
    if shares[0] != 1:
        _check.fail("spatten", f"{name}[0]", "must be 1: nothing is known yet", shares[0])
    return [max(1, ceil(share * n)) for share in shares]


def _check_layers(layers: Sequence[Tokens], lsb_bits: int) -> None:
    if not layers:
        _check.fail("spatten", "layers", "must have at least one layer", layers)
    for i, layer in enumerate(layers):
        _check.kind("spatten", f"layers[{i}]", layer, Tokens)
        words = [(t.query.shape, t.value.shape, t.word_bits) for t in (layers[0], layer)]
        if words[0] != words[1]:
            rule = f"must have the shapes and the width of the first, {words[0]}"
            _check.fail("spatten", f"layers[{i}]", rule, words[1])
        if lsb_bits and layer.key.dtype.kind == "f":
            _check.fail("spatten", f"layers[{i}].key", "must be integers to be split", "floats")
    _check.whole("spatten", "lsb_bits", lsb_bits, 0, layers[0].word_bits - 1)


def _prune(
    alive: _Alive, n_tokens: int, n_heads: int, machine: Spatten, generator: np.random.Generator
) -> int:
    """Keep the most important of what is alive; gives the cycles of the engine."""
    cycles = 0
    if n_tokens < len(alive.tokens):
        importance = alive.token_importance[alive.tokens]
        found = select(importance, n_tokens, lanes=machine.lanes, generator=generator)
        alive.tokens, cycles = alive.tokens[found.at], cycles + found.cycles
    if n_heads < len(alive.heads):
        importance = alive.head_importance[alive.heads]
        found = select(importance, n_heads, lanes=machine.lanes, generator=generator)
        alive.heads, cycles = alive.heads[found.at], cycles + found.cycles
    return cycles


def _layer(layer: Tokens, alive: _Alive, lsb_bits: int, flat: float, machine: Spatten) -> Run:
    """One layer, with what is alive; adds to the importance of what it sees."""
    asks = alive.tokens if layer.n_queries == layer.n_keys else np.arange(layer.n_queries)
    y, again = np.zeros((*layer.query.shape[:2], layer.value_features)), []
    for head in alive.heads:
        words = layer.query[head][asks], layer.key[head][alive.tokens]
        value = real(layer.value[head][alive.tokens])
        weighed, rows = _head(*words, value, scale=layer.scale, lsb_bits=lsb_bits, flat=flat)
        y[head, asks] = weighed.y
        alive.token_importance[alive.tokens] += weighed.probability.sum(axis=0)
        alive.head_importance[head] += np.abs(weighed.y).sum()
        again.append(rows)
    return replace(_counted(layer, len(alive.tokens), np.array(again), lsb_bits, machine), y=y)


def _head(
    query: Num[np.ndarray, "m d"],
    key: Num[np.ndarray, "n d"],
    value: Float64[np.ndarray, "n e"],
    *,
    scale: float,
    lsb_bits: int,
    flat: float,
) -> tuple[Weighed, Bool[np.ndarray, " m"]]:
    """Attention with the upper bits of the keys, and which rows were flat and came again."""
    upper = key >> lsb_bits << lsb_bits if lsb_bits else key
    first = weigh(scale * np.einsum("md,nd->mn", real(query), real(upper)), value)
    again = (first.probability.max(axis=1) < flat) & (lsb_bits > 0)
    if not again.any():
        return first, again
    full = weigh(scale * np.einsum("md,nd->mn", real(query), real(key)), value)
    pairs = zip(full, first, strict=True)
    return Weighed(*(np.where(again[:, None], new, old) for new, old in pairs)), again


def _counted(
    layer: Tokens, n: int, again: Bool[np.ndarray, "h m"], lsb_bits: int, machine: Spatten
) -> Run:
    """What a layer takes of n tokens, with these rows computed again."""
    (n_heads, m), d, e, bits = again.shape, layer.features, layer.value_features, layer.word_bits
    times = []
    for rows in again:
        fetch_bits = m * d * bits + n * d * (bits - lsb_bits) + n * e * bits
        late = _transfer(n * d * lsb_bits, machine.dram) if rows.any() else 0
        dots, sums = (-(-n * width // machine.n_multipliers) for width in (d, e))
        busy = makespan([(dots * (1 + int(row)), sums) for row in rows])
        times.append((_transfer(fetch_bits, machine.dram), late + busy))
    cycles = makespan(times) + machine.dram.latency_cycles
    n_flat, n_late = int(again.sum()), int(again.any(axis=1).sum())
    dots, sums = (n_heads * m + n_flat) * n * d, n_heads * m * n * e
    fetched = {"query": n_heads * m * d, "key": n_heads * n * d, "value": n_heads * n * e}
    dram = {**fetched, "key_lsb": n_late * n * d, "y": n_heads * m * e}
    widths = {"query": bits, "key": bits - lsb_bits, "key_lsb": lsb_bits, "value": bits, "y": 32}
    return Run(
        cycles=cycles,
        macs=dots + sums,
        n_units=2 * machine.n_multipliers,
        accesses={
            "buffer": {"query": dots, "key": dots, "value": sums, "y": n_heads * m * e},
            "dram": dram,
        },
        bits=widths,
        formula=(f"{n} tokens, {n_heads} heads, {n_flat} flat rows, {cycles:,} cycles",),
    )


def _transfer(n_bits: int, dram: Dram) -> int:
    """Cycles to move so many bits."""
    return ceil(n_bits / dram.bits_per_cycle)
