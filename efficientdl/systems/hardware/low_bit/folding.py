"""A pipeline of folded engines: each layer has its own, and all are equally fast.

In FINN every layer of a network has an engine, and pictures stream through. The slowest engine sets
the pace, and lanes in any other are wasted. So each layer is *folded* to the same number of cycles:
one with four times the MACs gets four times the lanes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int, Int64

from efficientdl import _check
from efficientdl.report import table_text
from efficientdl.systems.hardware.layer import Conv, Gemm
from efficientdl.systems.hardware.low_bit.binary_engine import (
    BinaryEngine,
    analyse_binary,
    simulate_binary,
)


@dataclass(frozen=True)
class Pipeline:
    """Layers that run one after the other, each on an engine of its own.

    Attributes:
        layers: What is computed of one picture, by name, in order.
        engines: On what, by the same names.

    >>> from efficientdl.systems.hardware.gemm import Bits
    >>> layers = {n: Gemm(1, 64, 64, bits=Bits(1, 1)) for n in ("one", "two")}
    >>> pipeline = Pipeline(layers, {"one": BinaryEngine(8, 8), "two": BinaryEngine(4, 8)})
    >>> pipeline.interval, pipeline.latency, pipeline.cycles(10)
    (128, 192, 1344)
    """

    layers: Mapping[str, Gemm | Conv]
    engines: Mapping[str, BinaryEngine]

    def __post_init__(self) -> None:
        if not self.layers:
            _check.fail("Pipeline", "layers", "must name at least one", dict(self.layers))
        if list(self.layers) != list(self.engines):
            rule = f"must be those of {list(self.layers)}"
            _check.fail("Pipeline", "engines", rule, list(self.engines))

    @property
    def stages(self) -> dict[str, int]:
        """Cycles that each engine takes for a picture."""
        return {n: analyse_binary(self.layers[n], self.engines[n]).cycles for n in self.layers}

    @property
    def interval(self) -> int:
        """Cycles from one picture to the next: the slowest engine."""
        return max(self.stages.values())

    @property
    def latency(self) -> int:
        """Cycles of one picture, when an engine begins with a picture that is complete.

        Engines of convolutions that begin at the first rows of a picture are done sooner; their
        interval is the same.
        """
        return sum(self.stages.values())

    @property
    def n_lanes(self) -> int:
        """Lanes of all engines."""
        return sum(engine.n_lanes for engine in self.engines.values())

    def cycles(self, n_pictures: int) -> int:
        """Cycles of so many pictures: the first one's latency, and an interval for each other."""
        _check.whole("Pipeline.cycles", "n_pictures", n_pictures, 1)
        return self.latency + (n_pictures - 1) * self.interval

    def per_second(self, clock_mhz: float) -> float:
        """Pictures in a second.

        >>> from efficientdl.systems.hardware.gemm import Bits
        >>> layers = {"fc": Gemm(1, 64, 64, bits=Bits(1, 1))}
        >>> Pipeline(layers, {"fc": BinaryEngine(64, 64)}).per_second(clock_mhz=200)
        200000000.0
        """
        if not _check.number("Pipeline.per_second", "clock_mhz", clock_mhz) > 0:
            _check.fail("Pipeline.per_second", "clock_mhz", "must be more than 0", clock_mhz)
        return clock_mhz * 1e6 / self.interval

    def explain(self) -> str:
        """The engines, their cycles, and how busy each one is."""
        interval = self.interval
        rows = [
            [name, str(e.pe), str(e.simd), f"{cycles:,}", f"{cycles / interval:.0%}"]
            for (name, cycles), e in zip(self.stages.items(), self.engines.values(), strict=True)
        ]
        return table_text([["layer", "PE", "SIMD", "cycles", "busy"], *rows])


def match_throughput(layers: Mapping[str, Gemm | Conv], *, interval: int) -> Pipeline:
    """Fold each layer so that it takes at most `interval` cycles, with as few lanes as do.

    PE divides the filters and SIMD the window, so that no lane is ever idle. Of equally many lanes
    the longer row is taken: a wide sum is cheaper than many accumulators.

    Args:
        layers: Layers of one-bit words, by name.
        interval: Cycles for a picture, 1 or more.

    Raises:
        BadValue: A layer with more rows than there are cycles: an engine takes one at a time.

    >>> from efficientdl.systems.hardware.gemm import Bits
    >>> wide, narrow = Gemm(1, 64, 32, bits=Bits(1, 1)), Gemm(1, 32, 8, bits=Bits(1, 1))
    >>> layers = {"wide": wide, "narrow": narrow}
    >>> print(match_throughput(layers, interval=64).explain())
    layer   PE  SIMD  cycles  busy
    ------  --  ----  ------  ----
    wide     1    32      64  100%
    narrow   1     4      64  100%

    Source: Umuroglu et al., "FINN: A Framework for Fast, Scalable Binarized Neural Network
        Inference", FPGA 2017; survey section 6.2; lab 14.
    """
    _check.whole("match_throughput", "interval", interval, 1)
    return Pipeline(layers, {n: _fold(n, layer, interval) for n, layer in layers.items()})


def _fold(name: str, layer: Gemm | Conv, interval: int) -> BinaryEngine:
    _check.kind("match_throughput", f"layer {name!r}", layer, (Gemm, Conv))
    (gemm,) = layer.gemms()
    rows = gemm.groups * gemm.m
    if rows > interval:
        rule = f"must have at most {interval} rows, a cycle for each"
        _check.fail("match_throughput", f"layer {name!r}", rule, rows)
    fits = [
        (pe * simd, pe)
        for pe in _divisors(gemm.n)
        for simd in _divisors(gemm.k)
        if rows * (gemm.n // pe) * (gemm.k // simd) <= interval
    ]
    lanes, pe = min(fits)
    return BinaryEngine(pe, lanes // pe)


def _divisors(n: int) -> list[int]:
    return [d for d in range(1, n + 1) if n % d == 0]


@dataclass(frozen=True)
class Streamed:
    """What a pipeline did.

    Attributes:
        cycles: From the first picture in to the last out.
        finished: When each picture left.
        y: Sums of the last layer, one row a picture.
    """

    cycles: int
    finished: tuple[int, ...]
    y: Int64[np.ndarray, "pictures n"]


def stream(
    pipeline: Pipeline,
    pictures: Int[np.ndarray, "pictures k"],
    weights: Mapping[str, Int[np.ndarray, "k n"]],
) -> Streamed:
    """Send pictures through a pipeline of linear layers, cycle by cycle.

    A layer's sums become signs, +1 for zero, and go on. An engine takes a picture when the one
    before it is done, and keeps it until the next engine has taken it: there are no queues. Sums,
    and the cycles of each engine, are those of `simulate_binary`.

    Args:
        pipeline: Layers of one row, of one-bit words.
        pictures: -1 and +1, a picture a row.
        weights: -1 and +1, by the layers' names.

    >>> rng = np.random.default_rng(0)
    >>> from efficientdl.systems.hardware.gemm import Bits
    >>> pipeline = match_throughput({"fc": Gemm(1, 8, 4, bits=Bits(1, 1))}, interval=4)
    >>> x, weight = rng.choice([-1, 1], (3, 8)), rng.choice([-1, 1], (8, 4))
    >>> done = stream(pipeline, x, {"fc": weight})
    >>> done.finished, bool((done.y == x @ weight).all())
    ((4, 8, 12), True)
    """
    _check.kind("stream", "pipeline", pipeline, Pipeline)
    if list(weights) != list(pipeline.layers):
        rule = f"must be those of {list(pipeline.layers)}"
        _check.fail("stream", "weights", rule, list(weights))
    if pictures.ndim != 2 or not len(pictures):
        _check.fail(
            "stream", "shape of pictures", "must be pictures k, one or more", pictures.shape
        )
    done = [_through(pipeline, picture[None], weights) for picture in pictures]
    finished = _clock([cycles for _, cycles in done])
    return Streamed(finished[-1], tuple(finished), np.stack([sums for sums, _ in done]))


def _through(
    pipeline: Pipeline, x: np.ndarray, weights: Mapping[str, np.ndarray]
) -> tuple[np.ndarray, list[int]]:
    """The last layer's sums for one picture, and the cycles of each engine."""
    sums, cycles = x[0], []
    for name, layer in pipeline.layers.items():
        run = simulate_binary(layer, pipeline.engines[name], x, weights[name])
        assert run.y is not None
        x, sums = np.where(run.y >= 0, 1, -1), run.y[0]
        cycles.append(run.cycles)
    return sums, cycles


def _clock(stages: Sequence[Sequence[int]]) -> list[int]:
    """Tick until all pictures have left; `stages` are cycles by picture and engine."""
    n_engines, entered, finished, t = len(stages[0]), 0, [], 0
    picture, left = [-1] * n_engines, [0] * n_engines  # what an engine holds, and cycles to go
    while len(finished) < len(stages):
        for e in reversed(range(n_engines)):  # the last first, so that a place is free in time
            if picture[e] >= 0 and left[e] == 0 and (e + 1 == n_engines or picture[e + 1] < 0):
                if e + 1 < n_engines:
                    picture[e + 1], left[e + 1] = picture[e], stages[picture[e]][e + 1]
                else:
                    finished.append(t)
                picture[e] = -1
        if picture[0] < 0 and entered < len(stages):
            picture[0], left[0], entered = entered, stages[entered][0], entered + 1
        left = [max(0, cycles - 1) for cycles in left]
        t += 1
    return finished
