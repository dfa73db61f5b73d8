"""The challenge of lab 03: it can be met, and an even cut does not meet it."""

import pytest

from efficientdl import datasets, fit, models
from efficientdl.compression.lowrank import Energy, MacBudget, Share, factorize_svd
from efficientdl.course import thin_ranks
from efficientdl.course.exercises.lab_03 import BUDGET

BOTH = ("conv2", "fc1")


def verdict(ranks):
    return thin_ranks.judge({"ranks": ranks}, BUDGET)


def ranks_by(rule):
    """The ranks that a rule gives the two large layers."""
    model, x = models.trained(thin_ranks.NETWORK), datasets.load(thin_ranks.DATA).val.x[:1]
    thin, _ = factorize_svd(model, x, rank=dict.fromkeys(BOTH, rule))
    return {name: thin.get_submodule(name)[0].weight.shape[0] for name in BOTH}


@pytest.mark.parametrize("ranks", [{"conv2": 14, "fc1": 18}, {"conv2": 11, "fc1": 24}])
def test_it_can_be_met(ranks):
    assert verdict(ranks).share == 1.0


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.06, 0.08, 0.09, 0.095, 0.1, 0.12, 0.15, 0.25, 0.5])
def test_an_equal_share_misses_it(share):
    assert verdict(ranks_by(Share(share))).share < 1.0


@pytest.mark.slow
@pytest.mark.parametrize("kept", [0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8])
def test_an_equal_energy_misses_it(kept):
    assert verdict(ranks_by(Energy(kept))).share < 1.0


@pytest.mark.slow
@pytest.mark.parametrize("rank", [8, 10, 12, 14, 15, 16, 20, 24])
def test_an_equal_rank_misses_it(rank):
    assert verdict(dict.fromkeys(BOTH, rank)).share < 1.0


@pytest.mark.slow
def test_an_equal_budget_misses_it():
    assert verdict(ranks_by(MacBudget(250_000))).share < 1.0


def test_every_limit_binds():
    missed = [
        ({"conv2": 15, "fc1": 18}, ["macs"]),
        ({"conv2": 11, "fc1": 30}, ["params"]),
        ({"conv2": 4, "fc1": 18}, ["accuracy"]),
        ({}, ["params", "macs"]),
    ]
    for ranks, names in missed:
        assert [m.limit.name for m in verdict(ranks).measured if not m.met] == names


def test_it_is_judged_on_the_test_part():
    model, data = models.trained(thin_ranks.NETWORK), datasets.load(thin_ranks.DATA)
    thin, _ = factorize_svd(model, data.val.x[:1], rank={"conv2": 10, "fc1": 18})
    test, val = fit.evaluate(thin, data.test), fit.evaluate(thin, data.val)
    assert verdict({"conv2": 10, "fc1": 18}).measured[2].value == test
    assert thin_ranks.measure({"conv2": 10, "fc1": 18}, "val").accuracy == val != test


def test_params_and_macs_are_the_closed_form():
    found = thin_ranks.measure({"conv2": 7, "fc1": 5}, "val")
    assert found.params == 520 + (7 * 550 + 50) + (5 * 1300 + 500) + 5010
    assert found.macs == 288_000 + 64 * 7 * 550 + 5 * 1300 + 5000
    whole = thin_ranks.dense()
    assert (whole.params, whole.macs) == (431_080, 2_293_000)


@pytest.mark.parametrize(
    ("artefact", "said"),
    [
        ({}, r"submit: artefact must be \{'ranks': \{layer: rank\}\}, got"),
        ({"ranks": [3, 4]}, r"submit: artefact must be"),
        ({"ranks": {"fc1": 3}, "more": 1}, r"submit: artefact must be"),
        ({"ranks": {"fc9": 3}}, r"layer named in rank must be one of conv1, conv2, fc1"),
        ({"ranks": {"fc1": 0}}, r"rank must be a whole number, 1 or more, got 0"),
        ({"ranks": {"fc1": 501}}, r"rank must be at most 500 for layer 'fc1', got 501"),
    ],
)
def test_what_is_no_choice_is_refused(artefact, said):
    with pytest.raises(ValueError, match=said):
        thin_ranks.judge(artefact, BUDGET)


def test_a_rank_in_words_is_refused():
    with pytest.raises(TypeError, match=r"rank must be a whole number|'rank'"):
        thin_ranks.judge({"ranks": {"fc1": "ten"}}, BUDGET)
