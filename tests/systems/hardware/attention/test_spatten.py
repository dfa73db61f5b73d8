"""SpAtten: dense when it keeps all; what it prunes and fetches, counted by hand."""

from math import ceil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from efficientdl.systems.hardware.arch import Dram
from efficientdl.systems.hardware.attention.pipeline import makespan
from efficientdl.systems.hardware.attention.softmax import attend, weigh
from efficientdl.systems.hardware.attention.spatten import Spatten, spatten
from efficientdl.systems.hardware.attention.tokens import Tokens, peaked_tokens
from efficientdl.systems.hardware.presets import HOROWITZ_45NM
from tests.systems.hardware.attention.drawn import quick, tokens


def same_shape(drawn, n_layers):
    rng = np.random.default_rng(0)
    shapes = (drawn.query.shape, drawn.key.shape, drawn.value.shape)
    others = [
        Tokens(*(rng.integers(-128, 128, shape) for shape in shapes), scale=drawn.scale)
        for _ in range(n_layers - 1)
    ]
    return [drawn, *others]


@quick
@given(drawn=tokens(max_side=6), n_layers=st.integers(1, 3))
def test_keeping_all_is_dense_attention_bit_for_bit(drawn, n_layers):
    layers = same_shape(drawn, n_layers)
    run = spatten(layers, seed=0)
    np.testing.assert_array_equal(run.y, np.stack([attend(layer) for layer in layers]))
    assert run.macs == sum(layer.macs for layer in layers)


@quick
@given(drawn=tokens(max_side=6), multipliers=st.integers(1, 64), bandwidth=st.integers(1, 99))
def test_dense_cycles_by_their_closed_form(drawn, multipliers, bandwidth):
    machine = Spatten(n_multipliers=multipliers, dram=Dram(bandwidth))
    (h, n, d), m, e = drawn.key.shape, drawn.n_queries, drawn.value_features
    dots, sums = ceil(n * d / multipliers), ceil(n * e / multipliers)
    head = dots + sums + (m - 1) * max(dots, sums)
    fetch = ceil(8 * (m * d + n * d + n * e) / bandwidth)
    run = spatten([drawn], machine=machine, seed=0)
    assert run.cycles == fetch + head + (h - 1) * max(fetch, head)
    assert run.cycles == makespan([[fetch, head]] * h)


def cascade(layers, n_tokens, n_heads):
    """The cascade again, from sorted lists: outputs, and what is alive in each layer."""
    h, n = layers[0].n_heads, layers[0].n_keys
    alive, heads = list(range(n)), list(range(h))
    token_score, head_score = np.zeros(n), np.zeros(h)
    outputs, seen = [], []
    for layer, k, g in zip(layers, n_tokens, n_heads, strict=True):
        alive = sorted(sorted(alive, key=lambda i: (-token_score[i], i))[:k])
        heads = sorted(sorted(heads, key=lambda i: (-head_score[i], i))[:g])
        y = np.zeros((h, n, layer.value_features))
        for i in heads:
            found = weigh(layer.scores()[i][np.ix_(alive, alive)], layer.value[i][alive] * 1.0)
            y[i, alive] = found.y
            token_score[alive] += found.probability.sum(axis=0)
            head_score[i] += np.abs(found.y).sum()
        outputs.append(y)
        seen.append((len(alive), len(heads)))
    return np.stack(outputs), seen


@settings(quick, max_examples=20)
@given(seed=st.integers(0, 99), n=st.integers(2, 9), shares=st.tuples(*[st.floats(0, 1)] * 4))
def test_the_cascade_is_that_of_sorted_lists(seed, n, shares):
    layers = [peaked_tokens(n, n, 4, n_heads=3, seed=seed + i) for i in range(3)]
    keep_tokens = (1, max(shares[:2]), min(shares[:2]))
    keep_heads = (1, max(shares[2:]), min(shares[2:]))
    n_tokens = [max(1, ceil(share * n)) for share in keep_tokens]
    n_heads = [max(1, ceil(share * 3)) for share in keep_heads]
    y, seen = cascade(layers, n_tokens, n_heads)
    run = spatten(layers, keep_tokens=keep_tokens, keep_heads=keep_heads, seed=seed)
    np.testing.assert_array_equal(run.y, y)
    assert run.macs == sum(h * n * n * 8 for n, h in seen)
    words = sum(h * n * 4 for n, h in seen)
    fetched = {"query": words, "key": words, "value": words, "key_lsb": 0, "y": words}
    assert run.accesses["dram"] == fetched
    assert run.cost().traffic_bytes == 3 * words + 4 * words


def test_traffic_and_cycles_fall_with_what_is_kept():
    layers = [peaked_tokens(64, 64, 16, n_heads=4, seed=i) for i in range(3)]
    shares = (1, 0.75, 0.5, 0.25, 0.1)
    runs = [spatten(layers, keep_tokens=(1, s, s), keep_heads=(1, 1, s), seed=0) for s in shares]
    for figure in ("traffic_bytes", "cycles", "macs"):
        found = [getattr(run.cost(), figure) for run in runs]
        assert found == sorted(found, reverse=True), figure
        assert found[-1] < 0.5 * found[0], figure
    energy = [run.cost(HOROWITZ_45NM).energy_pj for run in runs]
    assert energy == sorted(energy, reverse=True)


def test_the_tokens_that_many_ask_for_survive():
    drawn = peaked_tokens(64, 64, 32, n_heads=2, seed=0)
    heads = zip(drawn.scores(), drawn.value * 1.0, strict=True)
    asked = np.stack([weigh(*head).probability for head in heads])
    first = asked.sum(axis=(0, 1)).argsort()[-16:]
    run = spatten([drawn, drawn], keep_tokens=(1, 0.25), seed=0)
    alive = np.flatnonzero(np.abs(run.y[1]).sum(axis=(0, 2)))
    np.testing.assert_array_equal(alive, np.sort(first))
    assert asked[..., alive].sum() / asked.sum() > 0.5  # a quarter of the tokens


def test_ranking_takes_its_cycles_between_layers():
    layers = [peaked_tokens(64, 64, 16, n_heads=2, seed=0)] * 2
    fast, slow = (
        spatten(layers, keep_tokens=(1, 0.5), machine=Spatten(lanes=lanes), seed=0)
        for lanes in (64, 1)
    )
    assert slow.cycles > fast.cycles
    np.testing.assert_array_equal(slow.y, fast.y)


# One new token at a time, as a model writes: there the keys' traffic counts.
ASKING = [peaked_tokens(1, 64, 32, n_heads=4, peak=peak, seed=i) for i, peak in enumerate([12, 1])]


@pytest.mark.parametrize("lsb_bits", [1, 4, 7])
def test_lower_bits_are_fetched_where_the_softmax_is_flat(lsb_bits):
    dense = spatten(ASKING, seed=0)
    never = spatten(ASKING, lsb_bits=lsb_bits, seed=0)
    where_flat = spatten(ASKING, lsb_bits=lsb_bits, flat=0.5, seed=0)
    always = spatten(ASKING, lsb_bits=lsb_bits, flat=1.1, seed=0)
    np.testing.assert_array_equal(always.y, dense.y)
    saved_bytes = 4 * 64 * 32 * lsb_bits // 8  # in one layer
    traffic = [r.cost().traffic_bytes for r in (never, where_flat, always, dense)]
    full = traffic[-1]
    assert traffic == [full - 2 * saved_bytes, full - saved_bytes, full, full]
    assert dense.macs < where_flat.macs < always.macs  # what is fetched late is computed again
    np.testing.assert_array_equal(where_flat.y[1], dense.y[1])
    np.testing.assert_array_equal(where_flat.y[0], never.y[0])


def test_upper_bits_alone_are_what_a_shift_leaves():
    upper = [Tokens(t.query, t.key >> 3 << 3, t.value, scale=t.scale) for t in ASKING]
    run = spatten(ASKING, lsb_bits=3, seed=0)
    np.testing.assert_array_equal(run.y, spatten(upper, seed=0).y)
    assert run.bits["key"] == 5
    assert run.bits["key_lsb"] == 3


def test_a_peak_stands_errors_that_a_flat_row_does_not():
    """Same keys, same size of the errors in the scores; probabilities differ far more when flat."""
    rng = np.random.default_rng(0)
    error = rng.normal(scale=0.3, size=(200, 64))
    flat = rng.normal(scale=0.5, size=(200, 64))
    peaked = flat.copy()
    peaked[:, 0] += 12
    moved = [
        np.abs(
            weigh(score + error, np.eye(64)).probability - weigh(score, np.eye(64)).probability
        ).sum()
        for score in (peaked, flat)
    ]
    assert 20 * moved[0] < moved[1]


def test_queries_that_are_not_keys_are_never_pruned():
    layers = [peaked_tokens(3, 16, 8, seed=i) for i in range(2)]
    run = spatten(layers, keep_tokens=(1, 0.25), seed=0)
    assert run.accesses["dram"]["query"] == 2 * 3 * 8
    assert run.accesses["dram"]["key"] == 16 * 8 + 4 * 8
    assert (np.abs(run.y).sum(axis=-1) > 0).all()


def test_what_is_refused():
    layer = peaked_tokens(4, 4, 4, n_heads=2, seed=0)
    two = [layer, layer]
    floats = Tokens(layer.query * 1.0, layer.key * 1.0, layer.value * 1.0)
    cases = {
        r"keep_tokens must be in \[0, 0.5\], got 0.75": {"keep_tokens": (1, 0.5, 0.75)},
        r"keep_tokens must have one share for each of 3 layers": {"keep_tokens": (1, 0.5)},
        r"keep_heads\[0\] must be 1: nothing is known yet, got 0.5": {"keep_heads": (0.5,) * 3},
        r"lsb_bits must be a whole number in \[0, 7\], got 8": {"lsb_bits": 8},
        r"flat must be at least 0, got -1": {"flat": -1},
    }
    for message, options in cases.items():
        with pytest.raises(ValueError, match=f"spatten: {message}"):
            spatten([*two, layer], **options, seed=0)
    with pytest.raises(ValueError, match="spatten: layers must have at least one layer"):
        spatten([], seed=0)
    with pytest.raises(
        ValueError, match=r"spatten: layers\[1\] must have the shapes and the width"
    ):
        spatten([layer, peaked_tokens(4, 5, 4, n_heads=2, seed=0)], seed=0)
    with pytest.raises(ValueError, match=r"spatten: layers\[0\].key must be integers to be split"):
        spatten([floats], lsb_bits=1, seed=0)
    with pytest.raises(TypeError, match=r"spatten: layers\[1\] must be a Tokens, got 5"):
        spatten([layer, 5], seed=0)
    with pytest.raises(
        ValueError, match="Spatten: n_multipliers must be a whole number, 1 or more"
    ):
        Spatten(n_multipliers=0)
