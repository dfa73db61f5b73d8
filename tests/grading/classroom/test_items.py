"""Item analysis beside NumPy's and SciPy's figures, on tables made by hand and drawn ones."""

import random

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from efficientdl.grading.classroom.counted import best_of_each, by_lab
from efficientdl.grading.classroom.items import (
    Failure,
    discrimination,
    family,
    item_analysis,
    upper_lower,
)
from efficientdl.grading.classroom.readings import goes_backwards, read_item, uncertainty
from tests.grading.classroom.invented import a_marked_class, entry, task

SHARES = st.lists(
    st.tuples(st.sampled_from([0.0, 0.25, 0.5, 1.0]), st.integers(0, 90)), min_size=10, max_size=30
)


def class_of(rows, ids=("a", "b", "c")):
    """A class from rows of points earned; None where the grader failed."""
    found = []
    for number, row in enumerate(rows, 1):
        tasks = []
        for id, earned in zip(ids, row, strict=True):
            outcome = "internal_error" if earned is None else "partial"
            outcome = {10: "correct", 0: "wrong_value"}.get(earned, outcome)
            tasks.append(task(id, id.upper(), 10, earned, outcome))
        found.append(entry(number, {}, tasks))
    return found


ROWS = [(10, 10, 0), (10, 5, 0), (0, 10, 10), (0, 0, 5), (10, 10, 0), (0, 5, 10), (5, 10, 0)]


def test_discrimination_is_numpys_correlation_with_the_rest():
    table = np.array(ROWS, float)
    for k, item in enumerate(item_analysis(class_of(ROWS))):
        rest = np.delete(table, k, axis=1).sum(axis=1)
        expected = np.corrcoef(table[:, k], rest)[0, 1]
        np.testing.assert_allclose(item.discrimination, expected, rtol=1e-12)


def test_difficulty_by_hand():
    a, b, c = item_analysis(class_of(ROWS))
    assert [item.id for item in (a, b, c)] == ["a", "b", "c"]
    assert (a.n, a.failed) == (7, 0)
    np.testing.assert_allclose([a.pass_rate, a.mean_share], [3 / 7, 3.5 / 7])
    assert a.outcomes == {"correct": 3, "wrong_value": 3, "partial": 1}
    assert a.upper_lower is None  # seven learners make no groups


def test_what_the_grader_failed_on_is_left_out_of_item_and_rest():
    rows = [(None, 10, 10), *ROWS]
    a, b, _ = item_analysis(class_of(rows))
    whole = item_analysis(class_of(ROWS))
    assert (a.n, a.failed, b.n, b.failed) == (7, 1, 8, 0)
    np.testing.assert_allclose(a.discrimination, whole[0].discrimination)
    assert "The grader failed on 1: grade again." in a.reading
    # b's rest of the first learner is c alone, as a share of what could be graded
    rest = [1.0, *((row[0] + row[2]) / 20 for row in ROWS)]
    expected = scipy.stats.pearsonr([row[1] for row in rows], rest).statistic
    np.testing.assert_allclose(b.discrimination, expected)


def test_an_item_nobody_could_be_graded_on():
    item = item_analysis(class_of([(None, 10, 0)] * 6))[0]
    assert (item.n, item.failed, item.seconds, item.discrimination) == (0, 6, None, None)
    assert item.reading == "Nobody's answer could be graded: grade again."


@pytest.mark.parametrize("rows", [ROWS[:4], [(10, 10, 0)] * 8, [(r[0], 5, 5) for r in ROWS]])
def test_no_discrimination_of_few_or_of_what_never_varies(rows):
    assert item_analysis(class_of(rows))[0].discrimination is None


@settings(max_examples=40)
@given(SHARES, st.floats(-50, 50), st.floats(0.5, 20), st.randoms(use_true_random=False))
def test_invariants_of_discrimination(pairs, shift, scale, rng):
    x, y = [p[0] for p in pairs], [float(p[1]) for p in pairs]
    found = discrimination(x, y)
    if found is None:
        assert len(set(x)) == 1 or len(set(y)) == 1
        return
    assert -1 <= found <= 1
    moved = discrimination(x, [scale * value + shift for value in y])  # the same ability added
    rng.shuffle(pairs)
    shuffled = discrimination([p[0] for p in pairs], [p[1] for p in pairs])
    # sums of at most thirty float64 in another order
    np.testing.assert_allclose([moved, shuffled], found, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(discrimination(y, x), found, atol=1e-9)
    np.testing.assert_allclose(found, np.corrcoef(x, y)[0, 1], atol=1e-9)


@settings(max_examples=40)
@given(SHARES, st.randoms(use_true_random=False))
def test_upper_lower_does_not_hang_on_the_order(pairs, rng):
    found = upper_lower([p[0] for p in pairs], [p[1] for p in pairs])
    rng.shuffle(pairs)
    np.testing.assert_allclose(
        upper_lower([p[0] for p in pairs], [p[1] for p in pairs]), found, atol=1e-12
    )
    np.testing.assert_allclose(
        upper_lower([1 - p[0] for p in pairs], [p[1] for p in pairs]), -found, atol=1e-12
    )


@settings(max_examples=40)
@given(st.permutations(range(20)), st.lists(st.integers(0, 1), min_size=20, max_size=20))
def test_upper_lower_without_ties_is_the_plain_count(rank, right):
    best = [x for x, r in zip(right, rank, strict=True) if r >= 15]  # 27 % of 20 is 5
    last = [x for x, r in zip(right, rank, strict=True) if r < 5]
    np.testing.assert_allclose(upper_lower(right, rank), np.mean(best) - np.mean(last))


def test_ties_at_the_edge_share_the_places():
    # 27 % of 11 is 3: two above the edge, and one place for the nine who tie at it
    x = [1] * 5 + [0] * 6
    y = [2, 2] + [1] * 9
    np.testing.assert_allclose(upper_lower(x, y), (2 + 3 / 9) / 3 - 3 / 9)


def test_commonest_failure_counts_families_of_messages():
    said = ["the target is 4, yours is 8, which is 2 times the target",
            "at [3]: the target is 5, yours is 10, which is 2 times the target",
            "raised KeyError: 'a'", ""]  # fmt: skip
    tasks = [task("a", earned=0.0, outcome="wrong_value", message=m) for m in said[:2]]
    tasks += [task("a", earned=0.0, outcome="raised", message=said[2])]
    tasks += [task("a", earned=0.0, outcome="not_attempted", message="x")] * 3 + [task("a")] * 4
    item = item_analysis([entry(i, {}, [t]) for i, t in enumerate(tasks)])[0]
    assert item.commonest == Failure("wrong_value", "yours is 2 times the target", 2)
    np.testing.assert_allclose([item.attempted, item.pass_rate], [0.7, 0.4])


@pytest.mark.parametrize(
    ("message", "found"),
    [
        ("`conv` is not defined: run the cell", "… is not defined: run the cell"),
        ("at 'macs'[0]: the target is 1,024, yours is -3.5e-7", ""),
        ("raised numpy.linalg.LinAlgError: Singular matrix", "LinAlgError"),
        ("", ""),
        ("4 of 6 entries differ; at [1, 0] the target is 1, yours is 2",
         "… of … entries differ; at … the target is …, yours is …"),
    ],
)  # fmt: skip
def test_families(message, found):
    assert family(message) == found


@given(st.text(max_size=300))
def test_any_message_has_a_short_family(message):
    assert len(family(message)) <= 100


def test_the_best_of_each_learner_counts_and_labs_are_apart():
    low = {**entry(1, {}, [task("a", earned=0.0, outcome="raised")]), "place": "1/old.ipynb"}
    best, other = entry(1, {}, [task("a")]), entry(2, {}, [task("b")], lab="02_pruning")
    refused = {**entry(3, {}), "status": "refused", "score": None}
    labs = by_lab([other, low, best, refused])
    assert list(labs) == ["01_costs", "02_pruning"]
    assert best_of_each(labs["01_costs"]) == [best]
    assert item_analysis(labs["01_costs"])[0].pass_rate == 1


@pytest.mark.parametrize(
    ("mean", "r", "said"),
    [
        (0.9, 0.05, "Easy. It can hardly tell apart, which is fine for a first step."),
        (0.3, 0.39, "Hard. Tells apart reasonably well."),
        (0.5, 0.4, "Of middling difficulty. Tells apart very well."),
        (0.5, 0.2, "Of middling difficulty. Tells apart a little."),
        (0.5, 0.19, "Of middling difficulty. Hardly tells apart: look at its wording and at its "
         "commonest failure."),
        (0.5, -0.2, "Of middling difficulty. Look at this item: those who do well elsewhere fail "
         "it."),
        (0.5, None, "Of middling difficulty. All the same here or elsewhere, so it cannot tell "
         "apart."),
    ],
)  # fmt: skip
def test_readings(mean, r, said):
    assert read_item(n=30, attempted=1, mean_share=mean, discrimination=r, failed=0) == said


def test_reading_of_few_and_of_skipped():
    said = read_item(n=4, attempted=0.25, mean_share=0.5, discrimination=None, failed=0)
    assert "too few to say more" in said
    assert "Most did not try it" in said


def test_uncertainty_is_scipys_interval():
    x, y = np.random.default_rng(3).normal(size=(2, 25))
    result = scipy.stats.pearsonr(x, y)
    expected = result.confidence_interval(0.95)
    # 1.96 for the normal's 97.5 % point, which is 1.959964
    np.testing.assert_allclose(uncertainty(result.statistic, 25), expected, rtol=1e-4)
    assert uncertainty(0.5, 3) == (-1, 1)


@settings(max_examples=10)
@given(st.integers(0, 10**6))
def test_the_backward_item_of_an_invented_class_is_found(seed):
    entries = a_marked_class(60, 7)
    random.Random(seed).shuffle(entries)
    items = item_analysis(entries)
    found = [item.title for item in items if goes_backwards(item.mean_share, item.discrimination)]
    assert found == ["The roofline"]
