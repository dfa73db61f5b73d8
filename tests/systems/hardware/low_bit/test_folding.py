"""Pipelines: the slowest engine sets the pace, so all are folded alike."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from efficientdl.systems.hardware.gemm import Bits
from efficientdl.systems.hardware.layer import Conv, Gemm
from efficientdl.systems.hardware.low_bit.binary_engine import BinaryEngine, analyse_binary
from efficientdl.systems.hardware.low_bit.folding import Pipeline, match_throughput, stream

quick = settings(deadline=None, max_examples=40, database=None, derandomize=True)
SIGNS = Bits(1, 1)


@st.composite
def pipelines(draw):
    widths = draw(st.lists(st.integers(1, 12), min_size=2, max_size=5))
    pairs = list(enumerate(pairwise(widths)))
    lanes = st.integers(1, 6)
    layers = {f"fc{i}": Gemm(1, k, n, bits=SIGNS) for i, (k, n) in pairs}
    return Pipeline(layers, {name: BinaryEngine(draw(lanes), draw(lanes)) for name in layers})


def test_one_layer_is_its_engine():
    layer, engine = Gemm(1, 64, 32, bits=SIGNS), BinaryEngine(8, 16)
    pipeline = Pipeline({"fc": layer}, {"fc": engine})
    cycles = analyse_binary(layer, engine).cycles
    assert (pipeline.latency, pipeline.interval, pipeline.cycles(1)) == (cycles,) * 3
    assert pipeline.per_second(100) == 1e8 / cycles


@quick
@given(pipeline=pipelines(), n_pictures=st.integers(1, 6), seed=st.integers(0, 99))
def test_stream_equals_formula_and_numpy(pipeline, n_pictures, seed):
    rng = np.random.default_rng(seed)
    layers = list(pipeline.layers.values())
    x = rng.choice([-1, 1], (n_pictures, layers[0].k))
    weights = {n: rng.choice([-1, 1], (g.k, g.n)) for n, g in pipeline.layers.items()}
    done = stream(pipeline, x, weights)
    *hidden, last = weights.values()
    for weight in hidden:
        x = np.where(x @ weight >= 0, 1, -1)
    np.testing.assert_array_equal(done.y, x @ last)
    assert done.finished == tuple(pipeline.cycles(i + 1) for i in range(n_pictures))
    assert done.cycles == pipeline.cycles(n_pictures)


@quick
@given(
    sizes=st.lists(st.tuples(*[st.integers(1, 40)] * 2), min_size=1, max_size=4),
    interval=st.integers(1, 500),
)
def test_matched_engines_keep_the_pace_with_the_fewest_lanes(sizes, interval):
    layers = {str(i): Gemm(1, k, n, bits=SIGNS) for i, (k, n) in enumerate(sizes)}
    pipeline = match_throughput(layers, interval=interval)
    assert pipeline.interval <= interval
    for name, gemm in layers.items():
        engine = pipeline.engines[name]
        assert gemm.n % engine.pe == 0
        assert gemm.k % engine.simd == 0
        fewer = [
            pe * simd
            for pe in range(1, gemm.n + 1)
            for simd in range(1, gemm.k + 1)
            if gemm.n % pe == gemm.k % simd == 0 and gemm.macs // (pe * simd) <= interval
        ]
        assert engine.n_lanes == min(fewer)


def test_a_layer_with_four_times_the_macs_gets_four_times_the_lanes():
    layers = {"small": Gemm(1, 64, 64, bits=SIGNS), "large": Gemm(1, 128, 128, bits=SIGNS)}
    pipeline = match_throughput(layers, interval=256)
    lanes = {name: engine.n_lanes for name, engine in pipeline.engines.items()}
    assert lanes == {"small": 16, "large": 64}
    assert pipeline.stages == {"small": 256, "large": 256}


def test_lanes_in_a_layer_that_is_not_the_slowest_buy_nothing():
    layers = {"a": Gemm(1, 64, 64, bits=SIGNS), "b": Gemm(1, 64, 64, bits=SIGNS)}
    matched = Pipeline(layers, dict.fromkeys("ab", BinaryEngine(4, 8)))
    more = Pipeline(layers, {"a": BinaryEngine(64, 64), "b": BinaryEngine(4, 8)})
    assert more.n_lanes > 60 * matched.n_lanes
    assert more.interval == matched.interval


def test_the_released_fully_connected_network_runs_at_its_slowest_engines_pace():
    sizes = [(832, 1024, 64, 32), (1024, 1024, 32, 64), (1024, 1024, 64, 32), (1024, 64, 8, 16)]
    layers = {f"L{i}": Gemm(1, k, n, bits=SIGNS) for i, (k, n, *_) in enumerate(sizes)}
    engines = {f"L{i}": BinaryEngine(pe, simd) for i, (*_, simd, pe) in enumerate(sizes)}
    pipeline = Pipeline(layers, engines)
    assert pipeline.interval == 512  # of BNN-PYNQ's configuration header
    assert [len(line.split()) for line in pipeline.explain().splitlines()] == [5] * 6


def test_what_does_not_fit():
    layers = {"conv": Conv(3, 10, 10, 8, 3, bits=SIGNS)}
    with pytest.raises(
        ValueError, match=r"layer 'conv' must have at most 63 rows, a cycle for each"
    ):
        match_throughput(layers, interval=63)
    assert match_throughput(layers, interval=64).interval == 64
    with pytest.raises(
        ValueError, match=r"match_throughput: interval must be a whole number, 1 or"
    ):
        match_throughput(layers, interval=0)
    with pytest.raises(
        ValueError, match=r"Pipeline: engines must be those of \['conv'\], got \['fc'"
    ):
        Pipeline(layers, {"fc": BinaryEngine(1, 1)})
    with pytest.raises(ValueError, match=r"Pipeline: layers must name at least one, got {}"):
        Pipeline({}, {})
    pipeline = match_throughput({"fc": Gemm(1, 2, 2, bits=SIGNS)}, interval=4)
    with pytest.raises(ValueError, match=r"stream: weights must be those of \['fc'\], got \[\]"):
        stream(pipeline, np.ones((1, 2), int), {})
    with pytest.raises(ValueError, match=r"shape of pictures must be pictures k, one or more, got"):
        stream(pipeline, np.ones((0, 2), int), {"fc": np.ones((2, 2), int)})
    with pytest.raises(ValueError, match=r"clock_mhz must be more than 0, got 0"):
        pipeline.per_second(0)
