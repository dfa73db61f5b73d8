"""A3: dense without selection; its greedy search is a sort of all products."""

from math import inf, nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from efficientdl.systems.hardware.attention.a3 import a3, candidates, recall
from efficientdl.systems.hardware.attention.softmax import attend
from efficientdl.systems.hardware.attention.tokens import Tokens, peaked_tokens
from efficientdl.systems.hardware.presets import HOROWITZ_45NM
from tests.systems.hardware.attention.drawn import quick, tokens


@quick
@given(drawn=tokens())
def test_without_selection_it_is_dense_attention(drawn):
    run = a3(drawn, budget=5, floor=-inf)
    np.testing.assert_array_equal(run.y, attend(drawn))
    assert run.macs == drawn.macs
    assert run.cycles == (1 + drawn.n_heads * drawn.n_queries) * drawn.n_keys
    assert (
        run.cost().traffic_bytes
        == sum(a.size for a in (drawn.query, drawn.key, drawn.value)) + 4 * run.y.size
    )


@quick
@given(drawn=tokens())
def test_with_all_products_the_estimate_is_the_score(drawn):
    found = candidates(drawn, budget=drawn.n_keys * drawn.features)
    score = drawn.query.astype(int) @ drawn.key.astype(int).swapaxes(1, 2)
    np.testing.assert_array_equal(found.estimate, score)
    some = (score > 0).any(axis=2)
    np.testing.assert_array_equal(found.keep[some], (score > 0)[some])
    np.testing.assert_array_equal(found.keep[~some].sum(axis=1), 1)


def by_sorting(query, key, budget):
    """Estimates from all products at once: the largest positive, the smallest negative."""
    products = query * key
    order = np.argsort(products, axis=None)
    estimate = np.zeros(len(key))
    for at in [*order[::-1][:budget], *order[:budget]]:
        row, col = np.unravel_index(at, products.shape)
        rank = np.flatnonzero(order == at)[0]
        largest, smallest = rank >= len(order) - budget, rank < budget
        if (products[row, col] > 0 and largest) or (products[row, col] < 0 and smallest):
            estimate[row] += products[row, col] / (2 if largest and smallest else 1)
    return estimate


@quick
@given(
    seed=st.integers(0, 999), n=st.integers(1, 9), d=st.integers(1, 6), budget=st.integers(0, 70)
)
def test_pointers_find_the_largest_and_the_smallest_products(seed, n, d, budget):
    rng = np.random.default_rng(seed)
    query, key = rng.normal(size=(1, 1, d)), rng.normal(size=(1, n, d))  # no two products equal
    found = candidates(Tokens(query, key, key), budget=budget)
    products = query[0] * key[0]
    np.testing.assert_allclose(  # the order of the sums differs
        found.estimate[0, 0], by_sorting(query[0], key[0], budget), rtol=1e-12, atol=1e-12
    )
    most = max((products > 0).sum(), (products < 0).sum())
    assert found.steps[0, 0] == min(budget, most)


@quick
@given(drawn=tokens(), budget=st.integers(0, 30))
def test_no_more_than_two_products_a_step(drawn, budget):
    found = candidates(drawn, budget=budget)
    extra = found.products - 2 * drawn.features
    assert (extra >= 0).all()
    assert (extra <= 2 * found.steps).all()
    assert (found.steps <= budget).all()


def test_recall_rises_with_the_budget_and_is_full_in_the_end():
    drawn = peaked_tokens(48, 64, 16, n_heads=2, seed=0)
    asks = np.arange(48) % 4 != 3
    drawn = Tokens(drawn.query[:, asks], drawn.key, drawn.value, drawn.scale)
    found = [
        recall(candidates(drawn, budget=budget).keep, drawn, n_top=1)
        for budget in (1, 8, 32, 128, 1024)
    ]
    assert found == sorted(found)
    assert found[0] < 0.5
    assert found[-2:] == [1.0, 1.0]


def test_fewer_keys_take_fewer_cycles_but_a_larger_budget_takes_more():
    drawn = peaked_tokens(32, 128, 16, seed=0)
    dense = a3(drawn, budget=0, floor=-inf)
    small, large = a3(drawn, budget=32), a3(drawn, budget=400)
    assert small.cycles < dense.cycles < large.cycles
    assert small.macs < dense.macs
    assert small.cost().traffic_bytes > dense.cost().traffic_bytes  # the sorted copy


@quick
@given(drawn=tokens(), share=st.floats(0, 1))
def test_after_scoring_only_weights_of_that_share_remain(drawn, share):
    score = drawn.scores()
    weight = np.exp(score - score.max(axis=2, keepdims=True))
    near = np.isclose(weight, share, rtol=1e-12, atol=0) & (weight < 1)
    if near.any():
        return  # on the edge, where rounding decides
    run = a3(drawn, budget=0, floor=-inf, share=share)
    np.testing.assert_array_equal(run.y, attend(drawn, weight >= share))


def test_the_candidates_alone_are_attended_to():
    drawn = peaked_tokens(16, 32, 8, seed=1)
    run, found = a3(drawn, budget=10), candidates(drawn, budget=10)
    np.testing.assert_array_equal(run.y, attend(drawn, found.keep))
    n = int(found.keep.sum())
    assert run.macs == int(found.products.sum()) + 2 * n * 8
    assert run.accesses["dram"]["sorted"] == 32 * 8
    assert run.bits["sorted"] == 8 + 5
    assert 0 < run.utilisation <= 1
    assert run.cost(HOROWITZ_45NM).energy_pj > 0
    assert "through selector, dot products and sum" in run.explain()


def test_what_is_refused():
    drawn = peaked_tokens(2, 3, 4, seed=0)
    with pytest.raises(ValueError, match="candidates: budget must be a whole number, 0 or more"):
        a3(drawn, budget=-1)
    with pytest.raises(ValueError, match=r"a3: share must be in \[0, 1\], got 2"):
        a3(drawn, budget=1, share=2)
    with pytest.raises(ValueError, match="candidates: floor must be a number, got nan"):
        a3(drawn, budget=1, floor=nan)
    with pytest.raises(TypeError, match="candidates: tokens must be a Tokens, got 3"):
        a3(3, budget=1)
    with pytest.raises(
        ValueError, match=r"recall: n_top must be a whole number in \[1, 3\], got 4"
    ):
        recall(candidates(drawn, budget=1).keep, drawn, n_top=4)
