"""Run-length coding of activations, and gating: what Eyeriss makes of zeros.

After a ReLU most words are zero. On the way to DRAM and back they are coded as runs; in the unit a
zero that arrives switches the multiplier off. The first saves traffic, the second energy; neither
saves a cycle.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Integer, Num, UInt64

from efficientdl import _check
from efficientdl.catalogue import Measure, technique
from efficientdl.kernels.compiled import compiled
from efficientdl.systems.hardware.conv import Conv
from efficientdl.systems.hardware.gemm import Gemm
from efficientdl.systems.hardware.run import Run

RUN_BITS, VALUE_BITS, PAIRS, WORD_BITS = 5, 16, 3, 64  # 3 x (5 + 16) + 1 flag = 64
PAIR_BITS = RUN_BITS + VALUE_BITS
LONGEST = 2**RUN_BITS - 1
LOWEST, HIGHEST = -(2 ** (VALUE_BITS - 1)), 2 ** (VALUE_BITS - 1) - 1


@dataclass(frozen=True)
class Coded:
    """Runs of zeros and the values behind them, three pairs in a word.

    Attributes:
        words: From the top bit of each: run, value, run, value, run, value, flag. The flag is one
            in the last word only.
        shape: Of what was coded.
        dtype: Of what was coded.
    """

    words: UInt64[np.ndarray, " words"]
    shape: tuple[int, ...]
    dtype: np.dtype

    @property
    def bits(self) -> int:
        """What it takes in memory."""
        return WORD_BITS * len(self.words)

    @property
    def ratio(self) -> float:
        """Bits of the plain 16-bit words over those of the code; 1 where there was nothing."""
        return VALUE_BITS * int(np.prod(self.shape)) / self.bits if self.bits else 1.0


@technique(
    "hw-rlc",
    paper="Chen, Krishna, Emer, Sze, Eyeriss: An Energy-Efficient Reconfigurable Accelerator for "
    "Deep Convolutional Neural Networks, 2017",
    survey="6.2",
    lab="14_accelerators",
    kind=Measure(),
)
def rlc_encode(x: Integer[np.ndarray, "*x"]) -> Coded:
    """Code activations as runs of zeros and the values behind them.

    A pair is a run of 0 to 31 zeros in 5 bits and the value after it in 16. A longer run needs
    pairs of 31 zeros and the value 0, which is the 32nd; zeros at the end are a run whose last one
    is the value. Three pairs and a flag, whether the word is the last one, make 64 bits. So it
    pays from about a quarter of zeros on, and where there are none it costs a third more.

    Args:
        x: Whole numbers of 16 bits with a sign, of any shape; the last axis runs fastest.

    Raises:
        BadValue: A value that has no place in 16 bits.

    >>> coded = rlc_encode(np.array([0, 0, 12, 0, 0, 0, 0, 53, 0, 0, 22]))
    >>> [format(int(word), "016x") for word in coded.words], coded.ratio
    (['100061000d44002d'], 2.75)

    Source: Chen, Krishna, Emer, Sze, "Eyeriss: An Energy-Efficient Reconfigurable Accelerator for
        Deep Convolutional Neural Networks", JSSC 2017; survey section 6.2; lab 14.
    """
    _check.kind("rlc_encode", "x", x, np.ndarray)
    if x.dtype.kind not in "iu":
        raise _check.BadKind(f"rlc_encode: x must hold whole numbers, got {x.dtype}")
    for value in (x.min(initial=0), x.max(initial=0)):
        _check.in_range("rlc_encode", "x", int(value), LOWEST, HIGHEST)
    words = np.zeros(rlc_bits(x) // WORD_BITS, np.uint64)
    _pack(np.ascontiguousarray(x).ravel().astype(np.int64), words)
    return Coded(words, x.shape, x.dtype)


def rlc_decode(coded: Coded) -> Integer[np.ndarray, "*x"]:
    """The activations again, exactly.

    Raises:
        BadValue: Words whose flags do not say where they end, or with fewer values than asked for.

    >>> rlc_decode(rlc_encode(np.array([[0, -1], [0, 0]], np.int8))).tolist()
    [[0, -1], [0, 0]]
    """
    _check.kind("rlc_decode", "coded", coded, Coded)
    last = np.flatnonzero(coded.words & np.uint64(1))
    if last.tolist() != ([len(coded.words) - 1] if len(coded.words) else []):
        _check.fail("rlc_decode", "coded.words", "must be flagged in the last only", last.tolist())
    values = np.zeros(int(np.prod(coded.shape)), np.int64)
    n = _unpack(coded.words, values)
    if n < len(values):
        rule = f"must have the {len(values)} values of shape {coded.shape}"
        _check.fail("rlc_decode", "coded.words", rule, n)
    return values.reshape(coded.shape).astype(coded.dtype)


def rlc_bits(x: Num[np.ndarray, "*x"]) -> int:
    """Bits of the code by formula, without coding.

    A value behind g zeros takes g // 32 + 1 pairs, g zeros at the end g / 32, rounded up; and
    three pairs take 64 bits, also when the last word is not full.

    >>> rlc_bits(np.zeros(96)), rlc_bits(np.zeros(97)), rlc_bits(np.ones(6))
    (64, 128, 128)
    """
    at = np.flatnonzero(x)
    gaps = np.diff(at, prepend=-1) - 1
    end = x.size - 1 - (int(at[-1]) if len(at) else -1)
    pairs = int((gaps // (LONGEST + 1) + 1).sum()) + -(-end // (LONGEST + 1))
    return WORD_BITS * -(-pairs // PAIRS)


def gate(run: Run, layer: Gemm | Conv, x: Num[np.ndarray, "*x"]) -> Run:
    """What is left of a run when a unit rests at each zero of the input.

    The zero is read, and then neither the weight nor the sum: the unit's registers and multiplier
    stand still in that cycle. It takes as many cycles, and moves as many words outside the units.
    Zeros of the padding count, as they are read like others.

    Args:
        run: Of that layer, on a machine whose units read both operands from registers.
        layer: What was computed.
        x: Its input.

    Raises:
        BadValue: A run of another number of MACs, or without registers.

    >>> from efficientdl.systems.hardware import Arch, Array, analyse
    >>> layer, x = Gemm(2, 2, 3), np.array([[1, 0], [0, 0]])
    >>> full = analyse(layer, Arch("small", Array(2, 3)))
    >>> rested = gate(full, layer, x)
    >>> (full.macs, rested.macs), rested.cycles == full.cycles
    ((12, 3), True)

    Source: Chen, Krishna, Emer, Sze, "Eyeriss", JSSC 2017; survey section 6.2; lab 14.
    """
    _check.kind("gate", "run", run, Run)
    _check.kind("gate", "layer", layer, (Gemm, Conv))
    if run.macs != layer.macs:
        _check.fail("gate", "run", f"must have the {layer.macs} MACs of the layer", run.macs)
    _check.one_of("gate", "level", "register", run.accesses)
    rows, columns = layer.lower(x, np.zeros(layer.weight_shape, np.int8))
    macs = int(np.count_nonzero(rows)) * columns.shape[-1]
    registers = run.accesses["register"]
    kept = {name: n if name == "x" else n // run.macs * macs for name, n in registers.items()}
    accesses: Mapping[str, Mapping[str, int]] = {**run.accesses, "register": kept}
    rule = f"gated: {run.macs - macs:,} of {run.macs:,} MACs rest"
    return replace(run, macs=macs, accesses=accesses, y=None, formula=(*run.formula, rule))


@compiled
def _pack(values: np.ndarray, words: np.ndarray) -> None:
    """Write pairs, the first one of a word in its top bits."""
    run, at = 0, 0
    for i in range(len(values)):
        value = values[i]
        if value == 0 and run < LONGEST and i < len(values) - 1:
            run += 1
            continue
        pair = (run << VALUE_BITS) | (value & (2**VALUE_BITS - 1))
        words[at // PAIRS] |= np.uint64(pair) << np.uint64(1 + PAIR_BITS * (PAIRS - 1 - at % PAIRS))
        run, at = 0, at + 1
    if len(words):
        words[-1] |= np.uint64(1)


@compiled
def _unpack(words: np.ndarray, values: np.ndarray) -> int:
    """Read pairs until all values are there; zeros are there already. Gives how many there are."""
    at = 0
    for pair in range(PAIRS * len(words)):
        shift = np.uint64(1 + PAIR_BITS * (PAIRS - 1 - pair % PAIRS))
        bits = np.int64((words[pair // PAIRS] >> shift) & np.uint64(2**PAIR_BITS - 1))
        at += bits >> VALUE_BITS
        value = bits & (2**VALUE_BITS - 1)
        if at < len(values):
            values[at] = value - 2**VALUE_BITS if value > HIGHEST else value
        at += 1
    return int(at)
