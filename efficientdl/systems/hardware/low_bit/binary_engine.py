"""Engines for weights of -1 and +1, or of -1, 0 and +1: a multiplication without a multiplier.

What a lane does instead depends on what it multiplies. Two signs: an XNOR, whose ones are counted.
A number and a sign: the number, or its negative. Two of -1, 0 and +1: a sign where both are not 0.
An engine *folds* a layer: it has `pe` rows of `simd` lanes, and takes a part of the filters and a
part of the window each cycle.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum

import numpy as np
from jaxtyping import Int, Int64

from efficientdl import _check
from efficientdl.catalogue import Simulator, technique
from efficientdl.kernels.compiled import compiled
from efficientdl.report import Cost
from efficientdl.systems.hardware.gemm import Bits
from efficientdl.systems.hardware.layer import Conv, Gemm
from efficientdl.systems.hardware.low_bit.counted import narrow_run
from efficientdl.systems.hardware.low_bit.digits import check_fits, check_layer
from efficientdl.systems.hardware.run import Run

CYCLES, LANES, X_READ, WEIGHT_READ, Y_WRITE = range(5)


class Lane(Enum):
    """What a lane multiplies, and the widths of its operands in bits.

    - XNOR: two signs, one bit each: FINN.
    - SELECT: a number of any width, and a sign: YodaNN.
    - TERNARY: two of -1, 0 and +1, two bits each, sign and whether it is not 0: BRein.
    """

    XNOR = "xnor"
    SELECT = "select"
    TERNARY = "ternary"


@dataclass(frozen=True)
class BinaryEngine:
    """An engine of `pe` by `simd` lanes.

    Attributes:
        pe: Filters at a time.
        simd: Lanes of a filter, along k.
        lane: What they multiply.
    """

    pe: int
    simd: int
    lane: Lane = Lane.XNOR

    def __post_init__(self) -> None:
        for name in ("pe", "simd"):
            _check.whole("BinaryEngine", name, getattr(self, name), 1)
        _check.kind("BinaryEngine", "lane", self.lane, Lane)

    @property
    def n_lanes(self) -> int:
        """Products in a cycle."""
        return self.pe * self.simd


def yodann() -> BinaryEngine:
    """YodaNN: 32 filters, each with the sum of a 7 x 7 window, of one input channel a cycle.

    The sizes are assumed. They fit its published peak of 1,510 GOp/s at a clock of 482 MHz.

    >>> round(1510e9 / (2 * yodann().n_lanes) / 1e6)
    482
    """
    return BinaryEngine(32, 49, Lane.SELECT)


def brein() -> BinaryEngine:
    """BRein: lanes inside the memory that holds the weights, of two bits. Its sizes are assumed.

    >>> brein().lane.value
    'ternary'
    """
    return BinaryEngine(32, 64, Lane.TERNARY)


def analyse_binary(layer: Gemm | Conv, engine: BinaryEngine) -> Run:
    """Count a layer on a folded engine by formula.

    cycles = m * ceil(n / pe) * ceil(k / simd) for each group: *neuron fold* times *synapse fold*,
    for every row of x, which is every window of a convolution. All weights are on the chip and are
    read anew for each row.

    Args:
        layer: The product or the convolution; its `bits` must be those of the lanes.
        engine: The lanes.

    Raises:
        BadValue: Words that the lanes cannot take.

    >>> run = analyse_binary(Gemm(1, 1024, 1024, bits=Bits(1, 1)), BinaryEngine(pe=32, simd=64))
    >>> print(run.explain())
    cycles = 512: 1 rows x 32 neuron folds x 16 synapse folds
    utilisation = 1,048,576 MACs / (512 cycles x 2,048 units) = 100.0%
    words at       x     weight      y        all
    --------  ------  ---------  -----  ---------
    buffer    32,768  1,048,576  1,024  1,082,368
    dram       1,024  1,048,576  1,024  1,050,624

    Source: Umuroglu et al., "FINN: A Framework for Fast, Scalable Binarized Neural Network
        Inference", FPGA 2017; survey section 6.2; lab 14.
    """
    _check_lanes("analyse_binary", layer, engine)
    (gemm,) = layer.gemms()
    neuron, synapse = -(-gemm.n // engine.pe), -(-gemm.k // engine.simd)
    cycles = gemm.groups * gemm.m * neuron * synapse
    words = gemm.words
    rule = f"{gemm.m:,} rows x {neuron} neuron folds x {synapse} synapse folds"
    if gemm.groups > 1:
        rule = f"{gemm.groups} groups of {rule}"
    return narrow_run(
        layer,
        cycles,
        macs=gemm.macs,
        n_units=engine.n_lanes,
        buffer={"x": words.x * neuron, "weight": gemm.macs, "y": words.y},
        rule=rule,
    )


def _case(rng: np.random.Generator, size: int) -> tuple[Callable[[], object], object, int]:
    lane = list(Lane)[rng.integers(3)]
    bits = {Lane.XNOR: Bits(1, 1), Lane.SELECT: Bits(12, 1), Lane.TERNARY: Bits(2, 2)}[lane]
    layer = Gemm(*(int(n) for n in rng.integers(1, 4 * size + 2, 3)), bits=bits)
    engine = BinaryEngine(int(rng.integers(1, 5)), int(rng.integers(1, 5)), lane)
    x = draw_words(rng, layer.x_shape, bits.x, lane)
    weight = draw_words(rng, layer.weight_shape, bits.weight, lane)

    def call() -> tuple[object, Cost]:
        run = simulate_binary(layer, engine, x, weight)
        return run.y, run.cost()

    return call, x @ weight, -(-layer.macs // engine.n_lanes)


def draw_words(
    rng: np.random.Generator, shape: tuple[int, ...], bits: int, lane: Lane
) -> Int64[np.ndarray, "..."]:
    """Random words for a lane: signs of one bit, -1, 0 and +1 of two, or numbers of `bits`.

    >>> set(draw_words(np.random.default_rng(0), (99,), 1, Lane.XNOR).tolist()) == {-1, 1}
    True
    """
    if bits == 1:
        return rng.choice(np.array([-1, 1]), shape)
    if lane is Lane.TERNARY:
        return rng.integers(-1, 2, shape)
    return rng.integers(-(1 << (bits - 1)), 1 << (bits - 1), shape)


@technique(
    "hw-binary",
    paper="Umuroglu, Fraser, Gambardella, Blott, Leong, Jahre, Vissers, FINN: A Framework for "
    "Fast, Scalable Binarized Neural Network Inference, 2017",
    survey="6.2",
    lab="14_accelerators",
    kind=Simulator(case=_case),
)
def simulate_binary(
    layer: Gemm | Conv,
    engine: BinaryEngine,
    x: Int[np.ndarray, "..."],
    weight: Int[np.ndarray, "..."],
) -> Run:
    """Run a layer on a folded engine, cycle by cycle, with its true output.

    Operands become bits first, and no lane multiplies. The counts are those of `analyse_binary`.

    Args:
        layer: What to compute. Its `bits` are 1 and 1 for XNOR lanes, any and 1 for SELECT, 2 and
            2 for TERNARY.
        engine: The lanes.
        x: The input, in the layer's `x_shape`: -1 and +1, or -1, 0 and +1, or numbers.
        weight: The weights, in its `weight_shape`: -1 and +1, or -1, 0 and +1.

    Raises:
        BadValue: An operand of another shape, or with a number that a lane cannot take; a padded
            convolution on XNOR lanes, whose words are signs and never 0.

    >>> layer = Gemm(1, 4, 2, bits=Bits(x=1, weight=1))
    >>> x, weight = np.array([[1, -1, -1, 1]]), np.array([[1, -1], [-1, 1], [-1, 1], [-1, 1]])
    >>> run = simulate_binary(layer, BinaryEngine(pe=2, simd=2), x, weight)
    >>> run.y.tolist(), run.cycles
    ([[2, -2]], 2)

    Source: Umuroglu et al., "FINN", FPGA 2017; Andri et al., "YodaNN", 2016; Ando et al., "BRein
        Memory", 2017; survey section 6.2; lab 14.
    """
    _check_lanes("simulate_binary", layer, engine)
    rows, columns = layer.lower(x, weight)
    if engine.lane is Lane.SELECT:
        check_fits("simulate_binary", "x", x, layer.bits.x)
        x_bits = np.stack([rows, rows != 0]).astype(np.int64)
    else:
        _check_words("simulate_binary", "x", x, engine.lane)
        x_bits = plus_and_some(rows)
    _check_words("simulate_binary", "weight", weight, engine.lane)
    if engine.lane is Lane.XNOR and not rows.all():
        rule = "must not be padded for xnor lanes: a sign is never 0"
        _check.fail("simulate_binary", "layer", rule, layer)
    weight_bits = plus_and_some(columns)
    y = np.zeros((rows.shape[0], rows.shape[1], columns.shape[2]), np.int64)
    counts = np.zeros(5, np.int64)
    mode = list(Lane).index(engine.lane)
    _folds(x_bits, weight_bits, (engine.pe, engine.simd, mode), y, counts)
    run = narrow_run(
        layer,
        int(counts[CYCLES]),
        macs=int(counts[LANES]),
        n_units=engine.n_lanes,
        buffer={
            "x": int(counts[X_READ]),
            "weight": int(counts[WEIGHT_READ]),
            "y": int(counts[Y_WRITE]),
        },
        rule="counted, cycle by cycle",
    )
    return replace(run, y=layer.assemble(y))


def plus_and_some(words: Int[np.ndarray, "*shape"]) -> Int64[np.ndarray, "2 *shape"]:
    """The two bits of -1, 0 and +1: whether it is plus, and whether it is not 0.

    >>> plus_and_some(np.array([1, -1, 0])).tolist()
    [[1, 0, 0], [1, 1, 0]]
    """
    return np.stack([words > 0, words != 0]).astype(np.int64)


def _check_words(caller: str, name: str, words: np.ndarray, lane: Lane) -> None:
    """Demand -1 and +1, or -1, 0 and +1; the first other number is named."""
    known = [-1, 0, 1] if lane is Lane.TERNARY else [-1, 1]
    bad = np.argwhere(~np.isin(words, known))
    if len(bad):
        place = tuple(int(i) for i in bad[0])
        rule = f"must be one of {', '.join(map(str, known))}"
        _check.fail(caller, f"{name}{list(place)}", rule, words[place].item())


def _check_lanes(caller: str, layer: Gemm | Conv, engine: BinaryEngine) -> None:
    bits = check_layer(caller, layer)
    _check.kind(caller, "engine", engine, BinaryEngine)
    narrow = 2 if engine.lane is Lane.TERNARY else 1
    wanted = (bits.x if engine.lane is Lane.SELECT else narrow, narrow)
    if (bits.x, bits.weight) != wanted:
        rule = f"must be {wanted[0]} of x and {wanted[1]} of weight, for {engine.lane.value} lanes"
        _check.fail(caller, "layer.bits", rule, bits)


@compiled
def _folds(
    x: np.ndarray,
    weight: np.ndarray,
    engine: tuple[int, int, int],
    y: np.ndarray,
    counts: np.ndarray,
) -> None:
    """Row by row, neuron fold by neuron fold; x is 2 g m k, weight is 2 g k n."""
    pe, simd, mode = engine
    for g in range(y.shape[0]):
        for m in range(y.shape[1]):
            for j in range(0, y.shape[2], pe):
                sums = y[g, m, j : j + pe]
                for k in range(0, x.shape[3], simd):
                    xs, ws = x[:, g, m, k : k + simd], weight[:, g, k : k + simd, j : j + pe]
                    _cycle(xs, ws, mode, sums)
                    counts[CYCLES] += 1
                    counts[X_READ] += xs.shape[1]
                    counts[WEIGHT_READ] += ws.shape[1] * ws.shape[2]
                    counts[LANES] += ws.shape[1] * ws.shape[2]
                counts[Y_WRITE] += sums.size


@compiled
def _cycle(x: np.ndarray, weight: np.ndarray, mode: int, sums: np.ndarray) -> None:
    """One cycle: every lane in use, and the count of its filter's ones."""
    lanes = x.shape[1]
    for j in range(sums.size):
        total = 0
        for k in range(lanes):
            plus, some = x[0, k], x[1, k]
            w_plus, w_some = weight[0, k, j], weight[1, k, j]
            if mode == 0:  # an XNOR; below, 2 ones - lanes
                total += 1 - (plus ^ w_plus)
            elif mode == 1:  # the number or its negative: bits and sign of the choice
                total += plus if w_plus else -plus
            elif some & w_some:
                total += 1 if plus == w_plus else -1
        sums[j] += 2 * total - lanes if mode == 0 else total
