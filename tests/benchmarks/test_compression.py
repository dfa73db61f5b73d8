"""The page of headlines: what is said to hold, and what an interruption leaves."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import compression
from benchmarks.headlines import Headline, above_zero, differences, lines, spread, trainings
from efficientdl.progress import ui_mode

VALUES = st.floats(-100, 100).map(lambda value: round(value, 3))


def headline(claim="less is more", *, holds=True, seeds=2):
    figures = {"dense, %": [90.0, 91.5], "points lost": [0.25, -0.125]}
    return Headline(claim, "12x (a paper)", "12.2x", holds, seeds, figures, note="on digits")


def test_spread_is_mean_and_sample_deviation():
    values = [92.35, 92.8, 91.0]
    assert spread(values, "%") == f"{np.mean(values):.2f} ± {np.std(values, ddof=1):.2f} %"
    assert spread([1.25], digits=1) == "1.2"


def test_above_zero_of_one_value_is_its_sign():
    assert above_zero([0.5])
    assert not above_zero([-0.5])
    assert not above_zero([0.0])


@given(values=st.lists(VALUES, min_size=2, max_size=9))
def test_above_zero_is_two_standard_errors(values):
    error = np.std(values, ddof=1) / np.sqrt(len(values))
    margin = np.mean(values) - 2 * error
    if abs(margin) > 1e-9:  # at zero itself rounding decides
        assert above_zero(values) == (margin > 0)


def test_differences_are_paired():
    assert differences([3.0, 5.0], [1.0, 4.5]) == [2.0, 0.5]
    with pytest.raises(ValueError, match="shorter"):
        differences([1.0, 2.0], [1.0])


@pytest.mark.parametrize(
    ("holds", "said"), [(True, "Holds"), (False, "Does not hold"), (None, "Reported")]
)
def test_a_headline_shows_the_paper_and_every_figure(holds, said):
    text = "\n".join(lines(headline(holds=holds)))
    assert "- Paper: 12x (a paper)" in text
    assert "- Here: 12.2x" in text
    assert f"- **{said}**, 2 seeds." in text
    assert "- Note: on digits" in text
    assert "| points lost | 0.25 -0.125 |" in text


def test_one_run_is_no_seeds():
    assert "- **Holds**, one run." in lines(headline(seeds=1))


@pytest.fixture
def calls(monkeypatch, tmp_path):
    """Three jobs instead of the claims, and what was called."""
    called: list[str] = []

    def job(name):
        def run():
            called.append(name)
            assert ui_mode() == "silent"
            return [headline(name)]

        return run

    def jobs():
        modules = {"first": "weights", "second": "weights", "third": "low_rank"}
        return {name: (module, job(name)) for name, module in modules.items()}

    monkeypatch.setattr(compression, "jobs", jobs)
    monkeypatch.setattr(compression, "PARTIAL", tmp_path / "results" / "compression.part")
    monkeypatch.setenv("EFFICIENTDL_UI", "static")
    return called


def test_a_whole_run_leaves_nothing_behind(calls):
    results = compression.measure(1)
    assert calls == ["first", "second", "third"]
    assert [result["job"] for result in results] == calls
    assert results[0]["headlines"][0]["figures"]["points lost"] == [0.25, -0.125]
    assert json.loads(json.dumps(results)) == results
    assert not compression.PARTIAL.exists()
    assert ui_mode() == "static"


@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
def test_an_interrupted_run_keeps_what_is_done_and_goes_on(calls, monkeypatch, error):
    whole = compression.jobs

    def broken():
        raise error

    monkeypatch.setattr(compression, "jobs", lambda: {**whole(), "second": ("weights", broken)})
    if error is KeyboardInterrupt:
        assert [result["job"] for result in compression.measure(1)] == ["first"]
    else:
        with pytest.raises(error):
            compression.measure(1)
    assert ui_mode() == "static"
    monkeypatch.setattr(compression, "jobs", whole)
    assert len(compression.measure(1)) == 3
    assert calls == ["first", "second", "third"]  # the first one only once


def test_results_of_other_sizes_are_not_taken(calls, monkeypatch):
    monkeypatch.setenv("EFFICIENTDL_BENCH_CLAIMS", "first")
    compression.measure(1)
    monkeypatch.setitem(trainings.SIZES, "seeds", 1)
    compression.measure(1)
    assert calls == ["first", "first"]


def test_some_claims_can_be_run_by_name(calls, monkeypatch):
    monkeypatch.setenv("EFFICIENTDL_BENCH_CLAIMS", "third,first")
    results = compression.measure(1)
    assert calls == ["third", "first"]
    text = compression.page(results, {"cores": 2})
    assert "Not run: second." in text
    assert text.index("## Single weights") < text.index("## Low rank")
    assert "## Channels" not in text


def test_a_claim_that_is_none_is_refused(calls, monkeypatch):
    monkeypatch.setenv("EFFICIENTDL_BENCH_CLAIMS", "first,fourth")
    with pytest.raises(ValueError, match="must be one of first, second, third, got 'fourth'"):
        compression.measure(1)
    assert calls == []


def test_page_says_what_does_not_hold(calls):
    results = compression.measure(1)
    results[1]["headlines"][0]["holds"] = False
    text = compression.page(results, {"cores": 2})
    assert "| first | yes | 2 |" in text
    assert "| second | **no** | 2 |" in text
    assert "cores: 2" in text
    assert "Not run" not in text
