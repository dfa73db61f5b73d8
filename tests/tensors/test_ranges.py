"""Chosen ranges against brute force, integrals and NumPy."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, optimize, stats

from efficientdl.tensors import affine_between, symmetric, symmetric_between
from efficientdl.tensors.ranges import (
    LeastDivergence,
    LeastError,
    Percentile,
    divergence_after,
    squared_error,
)

RULES = [Percentile(1.0), LeastError(1), LeastDivergence()]


def drawn(n=4000, seed=0, tail=0.0):
    """Normal numbers, a few of them ten to thirty times as large."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    far = rng.random(n) < tail
    return torch.from_numpy(np.where(far, x * rng.uniform(10, 30, n), x))[None]


def end_of(qparams):
    return float(qparams.scale * (qparams.n_levels - 1) / 2)


@pytest.mark.parametrize(
    "rule", [Percentile(1.0), LeastError(1)], ids=lambda rule: type(rule).__name__
)
def test_without_cutting_it_is_the_tensors_own_range(rule):
    x = drawn()
    torch.testing.assert_close(rule(x, bits=6).scale, symmetric(x, bits=6).scale)


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 99), share=st.floats(0.5, 1.0), n=st.integers(2, 300))
def test_the_share_lies_inside_and_no_smaller_range_of_values_would_do(seed, share, n):
    x = drawn(n, seed)
    rule = Percentile(share, affine_between)
    qparams = rule(x, bits=16)
    low = -qparams.zero_point * qparams.scale
    high = low + (qparams.n_levels - 1) * qparams.scale
    inside = ((x >= low - qparams.scale) & (x <= high + qparams.scale)).double().mean()
    assert float(inside) >= share - 1e-9
    drop = min(int((1 - share) / 2 * n), (n - 1) // 2)
    ordered = np.sort(x.numpy()[0])
    expected = np.minimum(ordered[drop], 0), np.maximum(ordered[n - 1 - drop], 0)
    np.testing.assert_allclose([float(low), float(high)], expected, atol=2 * float(qparams.scale))


@pytest.mark.parametrize("bits", [2, 3, 4])
@pytest.mark.parametrize("between", [symmetric_between, affine_between])
def test_least_error_is_the_best_of_all_cuts(bits, between):
    x = drawn(500)
    ours = float(squared_error(x, LeastError(50, between)(x, bits=bits)))
    low, high = x.amin(dim=1, keepdim=True), x.amax(dim=1, keepdim=True)
    every = [between(low * k / 50, high * k / 50, bits=bits) for k in range(1, 51)]
    assert ours == min(float(squared_error(x, each)) for each in every)


def error_of_clipping(end, n_levels):
    """Mean squared error of a standard normal number in `n_levels` from -end to end, integrated."""
    step = 2 * end / (n_levels - 1)
    levels = np.linspace(-end, end, n_levels)
    density = stats.norm.pdf
    inner = sum(
        integrate.quad(lambda v, at=at: (v - at) ** 2 * density(v), at - step / 2, at + step / 2)[0]
        for at in levels[1:-1]
    )
    outer = integrate.quad(lambda v: (v - end) ** 2 * density(v), end - step / 2, np.inf)[0]
    return inner + 2 * outer


@pytest.mark.parametrize("bits", [2, 3, 4])
def test_on_normal_numbers_the_cut_is_where_the_integral_is_least(bits):
    n_levels = 2**bits - 1
    best = optimize.minimize_scalar(
        lambda end: error_of_clipping(end, n_levels), bounds=(0.3, 6), method="bounded"
    )
    ours = LeastError(400)(drawn(100_000), bits=bits)
    # the least is flat: an end some percent off costs next to nothing
    assert end_of(ours) == pytest.approx(best.x, rel=0.05)
    assert error_of_clipping(end_of(ours), n_levels) == pytest.approx(best.fun, rel=2e-3)


def divergence_by_hand(counts, cut, n_levels):
    """The same in plain loops."""
    reference = list(counts[:cut])
    reference[-1] += sum(counts[cut:])
    spread = [0.0] * cut
    for level in range(n_levels):
        bins = [i for i in range(cut) if i * n_levels // cut == level]
        full = [i for i in bins if counts[i] > 0]
        for i in full:
            spread[i] = sum(counts[j] for j in bins) / len(full)
    return stats.entropy(reference, spread)


@settings(deadline=None, max_examples=60)
@given(
    counts=st.lists(st.integers(0, 9), min_size=4, max_size=24).filter(any),
    n_levels=st.integers(2, 4),
    data=st.data(),
)
def test_divergence_is_that_of_plain_loops(counts, n_levels, data):
    cut = data.draw(st.integers(n_levels, len(counts)))
    ours = divergence_after(np.array(counts, dtype=float), cut, n_levels)
    theirs = divergence_by_hand(counts, cut, n_levels) if any(counts[:cut]) else np.inf
    assert ours == pytest.approx(theirs, abs=1e-12)


def test_a_heavy_tail_is_cut_and_the_bulk_is_coded_more_finely_than_by_min_max():
    x = drawn(20_000, tail=0.002)
    bulk = x[x.abs() < 4][None]
    for bits in (4, 8):
        own, ours = symmetric(x, bits=bits), LeastDivergence()(x, bits=bits)
        assert end_of(ours) < 0.5 * end_of(own)
        assert float(squared_error(bulk, ours)) < 0.5 * float(squared_error(bulk, own))


def test_symmetric_levels_on_one_side_count_as_half_of_all():
    counts = np.random.default_rng(0).exponential(size=2000)
    x = torch.from_numpy(counts)[None]
    histogram = np.histogram(counts, bins=512, range=(0, counts.max()))[0].astype(float)
    for bits in (3, 4):
        n_levels = 2 ** (bits - 1)  # zero and the codes above it: one side of 2**bits - 1
        best = min(range(n_levels, 513), key=lambda c: divergence_after(histogram, c, n_levels))
        expected = counts.max() * best / 512
        assert end_of(LeastDivergence(512)(x, bits=bits)) == pytest.approx(expected)
        mirrored = LeastDivergence(512)(torch.cat([x, -x], dim=1), bits=bits)
        assert end_of(mirrored) == pytest.approx(expected)


def test_zeros_do_not_move_the_end():
    x = drawn(tail=0.002).clamp(min=0)
    positive = x[x > 0][None]
    assert positive.shape[1] < 0.6 * x.shape[1]
    ours, expected = (LeastDivergence(between=affine_between)(v, bits=6) for v in (x, positive))
    torch.testing.assert_close(ours, expected)


def test_each_group_has_its_own_range():
    x = torch.cat([drawn(seed=1), 100 * drawn(seed=2)])
    for rule in (Percentile(0.99), LeastError(), LeastDivergence(512)):
        together = rule(x, bits=4).scale
        apart = torch.cat([rule(row[None], bits=4).scale for row in x])
        torch.testing.assert_close(together, apart)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: type(rule).__name__)
@pytest.mark.parametrize("value", [0.0, 2.5, -2.5])
def test_a_constant_group_is_coded_exactly(rule, value):
    x = torch.full((1, 6), value)
    assert float(squared_error(x, rule(x, bits=4))) == 0


def test_bad_values_are_named():
    with pytest.raises(ValueError, match=r"Percentile: share must be in \(0, 1\], got 0"):
        Percentile(0)
    with pytest.raises(ValueError, match=r"LeastError: n_steps must be .*, 1 or more, got 0"):
        LeastError(0)
    for rule in RULES:
        name = type(rule).__name__
        with pytest.raises(ValueError, match=rf"{name}: x must hold finite numbers alone, got nan"):
            rule(torch.tensor([[1.0, float("nan")]]), bits=4)
        with pytest.raises(ValueError, match=rf"{name}: x must hold values"):
            rule(torch.zeros(1, 0), bits=4)
