"""The headlines of distillation: every claim in a quick version."""

import numpy as np
import pytest

from benchmarks.headlines import (
    Headline,
    distillation,
    distillation_tasks,
    lines,
    taught,
    trainings,
)


@pytest.fixture
def quick(monkeypatch):
    for name, value in {"seeds": 1, "passes": 0.02, "test": 0.05}.items():
        monkeypatch.setitem(trainings.SIZES, name, value)
    monkeypatch.setenv("EFFICIENTDL_UI", "silent")
    monkeypatch.setattr(distillation_tasks, "N_SHAPES", 96)
    monkeypatch.setattr(distillation_tasks, "N_TESTED", 32)
    kept = [getattr(distillation_tasks, name) for name in ("_shapes", "_segmenter")]
    for cached in kept:
        cached.cache_clear()
    yield
    for cached in kept:
        cached.cache_clear()


@pytest.mark.slow
@pytest.mark.parametrize("claim", [*distillation.CLAIMS, *distillation_tasks.CLAIMS])
def test_every_claim_runs_and_prints(claim, quick):
    found = claim()
    assert isinstance(found, Headline)
    assert found.holds is not None
    assert found.figures.keys() == {"alone", "with its teacher", "teacher", "better by"}
    assert {len(values) for values in found.figures.values()} == {1}
    assert f"### {found.claim}" in lines(found)


def compared(rows, **options):
    return taught.compared(
        lambda seed: rows[seed], claim="more", paper="none", task="a task", **options
    )


def test_a_gain_is_paired_and_its_sign_is_that_of_the_measure():
    rows = [(1.0, 3.0), (2.0, 3.5), (1.5, 3.0), (4.0, 6.0), (0.0, 2.5)]
    more, less = (compared(rows, better=better, teacher=9.0) for better in (1, -1))
    np.testing.assert_allclose(more.figures["better by"], [2, 1.5, 1.5, 2, 2.5])
    np.testing.assert_allclose(less.figures["better by"], [-2, -1.5, -1.5, -2, -2.5])
    assert more.holds
    assert not less.holds
    assert "the teacher 9.00" in more.ours


def test_each_seed_may_have_its_own_teacher():
    rows = [(1.0, 2.0, 4.0 + seed) for seed in range(5)]
    assert compared(rows).figures["teacher"] == [4.0, 5.0, 6.0, 7.0, 8.0]
