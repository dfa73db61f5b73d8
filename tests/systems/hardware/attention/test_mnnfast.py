"""MNNFast: one pass gives what two give, and what it skips was small."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from efficientdl.systems.hardware.arch import Buffer, Dram
from efficientdl.systems.hardware.attention.mnnfast import layer_by_layer, mnnfast
from efficientdl.systems.hardware.attention.softmax import attend, weigh
from efficientdl.systems.hardware.attention.tokens import Tokens, peaked_tokens
from tests.systems.hardware.attention.drawn import quick, tokens


@quick
@given(drawn=tokens(), data=st.data())
def test_at_threshold_zero_the_stream_is_attention_bit_for_bit(drawn, data):
    chunk = data.draw(st.integers(1, drawn.n_keys))
    run = mnnfast(drawn, chunk=chunk)
    np.testing.assert_array_equal(run.y, attend(drawn))
    np.testing.assert_array_equal(run.y, layer_by_layer(drawn).y)
    assert run.macs == drawn.macs == layer_by_layer(drawn).macs


def test_so_it_is_when_the_largest_score_comes_last():
    rising = np.arange(400.0)[None, :, None]  # the sums are shifted again and again
    value = np.random.default_rng(0).normal(size=(1, 400, 3))
    drawn = Tokens(np.ones((1, 2, 1)), rising, value)
    np.testing.assert_array_equal(mnnfast(drawn, chunk=7).y, attend(drawn))


@quick
@given(drawn=tokens(), threshold=st.floats(0, 1), data=st.data())
def test_what_is_skipped_had_a_smaller_probability(drawn, threshold, data):
    chunk = data.draw(st.integers(1, drawn.n_keys))
    run = mnnfast(drawn, chunk=chunk, threshold=threshold)
    heads = zip(drawn.scores(), drawn.value.astype(float), strict=True)
    small = [weigh(*head).probability for head in heads]
    lost = [
        np.where(p < threshold, p, 0) @ np.abs(v) for p, v in zip(small, drawn.value, strict=True)
    ]
    error = np.abs(run.y - attend(drawn))
    assert (error <= np.stack(lost) + 1e-9).all()  # rounding of sums up to a few hundred
    skipped = (drawn.macs - run.macs) // drawn.value_features
    assert skipped <= sum(int((p < threshold).sum()) for p in small)


@quick
@given(drawn=tokens(), threshold=st.floats(0, 1))
def test_the_chunk_changes_no_bit_and_no_mac(drawn, threshold):
    runs = [mnnfast(drawn, chunk=c, threshold=threshold) for c in range(1, drawn.n_keys + 1)]
    for run in runs:
        np.testing.assert_array_equal(run.y, runs[0].y)
        assert run.macs == runs[0].macs


def test_a_higher_threshold_skips_more_and_errs_more():
    drawn = peaked_tokens(32, 128, 16, seed=0)
    exact = attend(drawn)
    runs = [mnnfast(drawn, chunk=16, threshold=t) for t in (0, 1e-4, 1e-2, 0.1)]
    macs = [run.macs for run in runs]
    assert macs == sorted(macs, reverse=True)
    assert macs[-1] < 0.6 * macs[0]
    errors = [np.abs(run.y - exact).max() for run in runs]
    assert errors == sorted(errors)
    assert errors[0] == 0


def test_cycles_of_the_slowest_stage():
    drawn = Tokens(*(np.ones((1, 8, 4), int) for _ in range(3)))
    # Four chunks of two keys: 2 x 8 words of 8 bits to load, 16 queries and keys, 16 values.
    assert mnnfast(drawn, chunk=2, dram=Dram()).cycles == 16 + 4 * 16
    assert mnnfast(drawn, chunk=2, dram=Dram(8)).cycles == 16 + 4 * 16 + 16
    assert mnnfast(drawn, chunk=2, dram=Dram(4)).cycles == 4 * 32 + 16 + 16
    assert mnnfast(drawn, chunk=2, dram=Dram(4, latency_cycles=9)).cycles == 9 + 4 * 32 + 32


def test_scores_that_do_not_fit_are_written_and_read_twice():
    drawn = peaked_tokens(64, 256, 4, n_heads=2, seed=0)
    small, large = Buffer(4096), Buffer(64 * 256 * 4)
    assert layer_by_layer(drawn, buffer=small).accesses["dram"]["score"] == 2 * 4 * 64 * 256
    assert layer_by_layer(drawn, buffer=large).accesses["dram"]["score"] == 0
    spilled = layer_by_layer(drawn, buffer=small).cost().traffic_bytes
    streamed = mnnfast(drawn, chunk=64, buffer=small).cost().traffic_bytes
    assert spilled - streamed == 2 * 4 * 64 * 256 * 4
    roomy = layer_by_layer(drawn, buffer=large, dram=Dram())
    assert roomy.cycles == 2 * 3 * 64 * 256
    assert layer_by_layer(drawn, buffer=small, dram=Dram(8)).cycles > roomy.cycles


def test_what_is_refused():
    drawn = peaked_tokens(2, 64, 16, seed=0)
    with pytest.raises(
        ValueError, match="mnnfast: chunk must be at most 32, so that two fit the b"
    ):
        mnnfast(drawn, chunk=33, buffer=Buffer(2048))
    assert mnnfast(drawn, chunk=32, buffer=Buffer(2048)).cycles
    with pytest.raises(ValueError, match=r"mnnfast: chunk must be a whole number in \[1, 64\]"):
        mnnfast(drawn, chunk=0)
    with pytest.raises(ValueError, match=r"mnnfast: threshold must be in \[0, 1\], got -0.1"):
        mnnfast(drawn, chunk=1, threshold=-0.1)
    with pytest.raises(TypeError, match="mnnfast: dram must be a Dram, got 8"):
        mnnfast(drawn, chunk=1, dram=8)
    with pytest.raises(TypeError, match="layer_by_layer: tokens must be a Tokens, got None"):
        layer_by_layer(None)
