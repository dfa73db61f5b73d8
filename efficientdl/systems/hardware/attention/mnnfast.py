"""MNNFast: keys and values stream past in chunks, and what weighs too little is not added.

Layer by layer, a long memory makes three passes over a score for every query and key, and these
scores do not fit the chip. Column by column, a chunk of keys is scored, exponentiated and summed at
once; what remains is one sum of weights and one of weighed values for each query, and a division
in the end.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float64, Int64

from efficientdl import _check
from efficientdl.catalogue import Simulator, technique
from efficientdl.report import Cost
from efficientdl.systems.hardware.arch import Buffer, Dram
from efficientdl.systems.hardware.attention.pipeline import makespan
from efficientdl.systems.hardware.attention.softmax import attend, powers, shifted
from efficientdl.systems.hardware.attention.tokens import Tokens, real
from efficientdl.systems.hardware.run import Run

SCORE_BITS = 32
BUFFER = Buffer(64 * 1024)  # assumed
DRAM = Dram(128)  # assumed


class Streamed(NamedTuple):
    """What came of the stream for one head.

    Attributes:
        y: Weighed values.
        keep: Which values each query added.
    """

    y: Float64[np.ndarray, "m e"]
    keep: Bool[np.ndarray, "m n"]


def _stream(
    score: Float64[np.ndarray, "m n"],
    value: Float64[np.ndarray, "n e"],
    chunk: int,
    threshold: float,
) -> Streamed:
    """One pass; sums are kept at the shift of the largest weight so far."""
    m, n = score.shape
    y, total, top = np.zeros((m, value.shape[1])), np.zeros((m, 1)), np.zeros((m, 1), np.int64)
    keep = np.zeros((m, n), bool)
    for start in range(0, n, chunk):
        mantissa, shift = powers(score[:, start : start + chunk])
        largest = shift.max(axis=1, keepdims=True)
        higher = np.maximum(top, largest) if start else largest
        y, total = shifted(y, top - higher), shifted(total, top - higher)
        top = higher
        weight = shifted(mantissa, shift - top)
        for i in range(weight.shape[1]):
            total += weight[:, [i]]
            keep[:, start + i] = weight[:, i] >= threshold * total[:, 0]
            y += weight[:, [i]] * keep[:, [start + i]] * value[start + i]
    return Streamed(y / total, keep)


def _case(rng: np.random.Generator, size: int) -> tuple[Callable[[], object], object, int]:
    drawn = (rng.integers(-99, 99, (1 + size % 2, size, 3)) for _ in range(3))
    tokens = Tokens(*drawn, scale=0.001)

    def call() -> tuple[object, Cost]:
        run = mnnfast(tokens, chunk=1 + size // 2)
        return run.y, run.cost()

    return call, attend(tokens), tokens.macs // 6


@technique(
    "hw-mnnfast",
    paper="Jang et al., MnnFast: A Fast and Scalable System Architecture for Memory-Augmented "
    "Neural Networks, 2019",
    survey="6.2",
    lab="14_accelerators",
    kind=Simulator(case=_case),
)
def mnnfast(
    tokens: Tokens,
    *,
    chunk: int,
    threshold: float = 0.0,
    buffer: Buffer = BUFFER,
    dram: Dram = DRAM,
) -> Run:
    """Attend in one pass over chunks of keys, skipping values of little weight.

    A weight is compared with the sum of those so far, itself included. Its probability can only be
    smaller than that quotient, so whatever is skipped had a probability below `threshold`; its
    weight stays in the sum. At threshold 0 the result is that of attention, bit for bit, and at any
    threshold it is the same for every chunk.

    Three stages work on three chunks: loading from DRAM, scores (a query and key a cycle), and the
    weighted sum (a value that is not skipped a cycle). Values are loaded before their weights are
    known, so skipping saves MACs, not traffic; and the scores, all of which are needed, soon are
    the longest stage.

    Args:
        tokens: The operands. All queries stay on the chip.
        chunk: Keys and values loaded at a time.
        threshold: Least probability that counts, 0..1.
        buffer: It must hold two chunks, one in use and one being loaded.
        dram: Its bandwidth.

    Raises:
        BadValue: Two chunks do not fit the buffer.

    >>> from efficientdl.systems.hardware.attention.tokens import peaked_tokens
    >>> tokens = peaked_tokens(8, 256, 16, seed=0)
    >>> dense, skipping = mnnfast(tokens, chunk=32), mnnfast(tokens, chunk=32, threshold=0.01)
    >>> dense.macs, skipping.macs, int(np.abs(dense.y - skipping.y).max())  # of values up to 64
    (65536, 39984, 4)

    Source: Jang et al., "MnnFast: A Fast and Scalable System Architecture for Memory-Augmented
        Neural Networks", ISCA 2019; survey section 6.2; lab 14.
    """
    _check.kind("mnnfast", "tokens", tokens, Tokens)
    _check.whole("mnnfast", "chunk", chunk, 1, tokens.n_keys)
    _check.in_range("mnnfast", "threshold", threshold, 0, 1)
    _check_memories("mnnfast", buffer, dram)
    pair_bits = (tokens.features + tokens.value_features) * tokens.word_bits
    if 2 * chunk * pair_bits > 8 * buffer.bytes:
        rule = f"must be at most {8 * buffer.bytes // (2 * pair_bits)}, so that two fit the buffer"
        _check.fail("mnnfast", "chunk", rule, chunk)
    heads = zip(tokens.scores(), real(tokens.value), strict=True)
    parts = [_stream(score, value, chunk, threshold) for score, value in heads]
    times = np.concatenate([_times(part.keep, chunk, pair_bits, dram) for part in parts])
    times[0, 0] += dram.latency_cycles
    cycles, n_kept = makespan(times), sum(int(part.keep.sum()) for part in parts)
    rule = f"{len(times):,} chunks of up to {chunk:,} keys through load, scores and sum"
    formula = f"cycles = {cycles:,}: {rule}"
    return _run(tokens, cycles, n_kept, np.stack([part.y for part in parts]), formula)


def _times(
    keep: Bool[np.ndarray, "m n"], chunk: int, pair_bits: int, dram: Dram
) -> Int64[np.ndarray, "chunks stages"]:
    """Cycles of load, scores and sum of each chunk."""
    starts = np.arange(0, keep.shape[1], chunk)
    sizes = np.diff(starts, append=keep.shape[1])
    load = np.ceil(sizes * pair_bits / dram.bits_per_cycle).astype(np.int64)
    kept = np.add.reduceat(keep.sum(axis=0), starts)
    return np.stack([load, sizes * len(keep), kept], axis=1)


def _run(
    tokens: Tokens, cycles: int, n_kept: int, y: Float64[np.ndarray, "h m e"], formula: str
) -> Run:
    pairs = tokens.n_heads * tokens.n_queries * tokens.n_keys
    d, e = tokens.features, tokens.value_features
    words = {"query": tokens.query.size, "key": tokens.key.size, "value": tokens.value.size}
    buffer = {"query": pairs * d, "key": pairs * d, "value": n_kept * e, "y": y.size}
    return Run(
        cycles=cycles,
        macs=pairs * d + n_kept * e,
        n_units=d + e,
        accesses={"buffer": buffer, "dram": {**words, "y": y.size}},
        bits=dict.fromkeys(words, tokens.word_bits) | {"y": 32, "score": SCORE_BITS},
        y=y,
        formula=(formula,),
    )


def layer_by_layer(tokens: Tokens, *, buffer: Buffer = BUFFER, dram: Dram = DRAM) -> Run:
    """What MNNFast replaces: all scores of a head, then all exponentials, then all sums.

    Each of the three passes takes a query and key a cycle, or as long as DRAM needs. Where the
    scores of a head do not fit the buffer, they are written and read twice.

    Args:
        tokens: The operands.
        buffer: What holds the scores, if it can.
        dram: Its bandwidth.

    >>> tokens = Tokens(*(np.ones((1, 64, 4), int) for _ in range(3)))
    >>> layer_by_layer(tokens).cycles, mnnfast(tokens, chunk=8).cycles
    (12288, 4612)

    Source: Jang et al., "MnnFast: A Fast and Scalable System Architecture for Memory-Augmented
        Neural Networks", ISCA 2019; survey section 6.2; lab 14.
    """
    _check.kind("layer_by_layer", "tokens", tokens, Tokens)
    _check_memories("layer_by_layer", buffer, dram)
    pairs, bits = tokens.n_queries * tokens.n_keys, tokens.word_bits
    spilled = pairs if pairs * SCORE_BITS > 8 * buffer.bytes else 0
    moved = [
        tokens.key[0].size * bits + spilled * SCORE_BITS,
        2 * spilled * SCORE_BITS,
        tokens.value[0].size * bits + spilled * SCORE_BITS,
    ]
    passes = [max(pairs, int(np.ceil(n / dram.bits_per_cycle))) for n in moved]
    cycles = tokens.n_heads * sum(passes) + dram.latency_cycles
    formula = f"cycles = {cycles:,}: {tokens.n_heads} x ({' + '.join(map(str, passes))})"
    run = _run(tokens, cycles, tokens.n_heads * pairs, attend(tokens), formula)
    dram_words = {**run.accesses["dram"], "score": 4 * tokens.n_heads * spilled}
    return replace(run, accesses={**run.accesses, "dram": dram_words})


def _check_memories(caller: str, buffer: object, dram: object) -> None:
    _check.kind(caller, "buffer", buffer, Buffer)
    _check.kind(caller, "dram", dram, Dram)
