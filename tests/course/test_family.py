"""The challenge of lab 01: one network meets every limit, and no single figure picks it."""

import pytest

from efficientdl.course.exercises.lab_01 import BUDGET
from efficientdl.course.family import FIGURES, judge, measure, names

pytestmark = pytest.mark.slow
LIMITS = {limit.name: limit.value for limit in BUDGET if limit.name in FIGURES}


@pytest.fixture(scope="module")
def family():
    return [measure(name, "val") for name in names()]


def fitting(family, limits):
    return [c for c in family if all(getattr(c, name) <= limits[name] for name in limits)]


def met(name):
    return judge({"network": name}, BUDGET).share == 1.0


def test_the_best_that_fits_meets_the_whole_budget(family):
    best = max(fitting(family, LIMITS), key=lambda c: c.accuracy)
    assert met(best.name)


@pytest.mark.parametrize("figure", FIGURES)
def test_every_limit_rules_out_a_better_network(family, figure):
    best = max(fitting(family, LIMITS), key=lambda c: c.accuracy)
    ruled_out = [c for c in family if getattr(c, figure) > LIMITS[figure]]
    assert any(c.accuracy > best.accuracy for c in ruled_out)


def test_second_best_misses_the_accuracy(family):
    ranked = sorted(fitting(family, LIMITS), key=lambda c: c.accuracy)
    assert not met(ranked[-2].name)


def test_no_single_figure_picks_it(family):
    most_accurate = max(family, key=lambda c: c.accuracy)
    cheapest = [min(family, key=lambda c, f=f: getattr(c, f)) for f in FIGURES]
    assert not any(met(c.name) for c in [most_accurate, *cheapest])


def test_figures_are_counted_again_from_the_shapes(family):
    # a dense 3x3 stem and three dense stages w, 2w, 4w, batch norm, and a classifier of 4w to 10
    for candidate in family:
        block, width, depth, _ = candidate.name.split("_")
        if (block, depth) == ("dense", "d1"):
            w = int(width[1:])
            convs = 9 * (w + w * w + w * 2 * w + 2 * w * 4 * w)
            norms = 2 * (w + w + 2 * w + 4 * w)
            assert candidate.weight_bytes == 4 * (convs + norms + 4 * w * 10 + 10)


@pytest.mark.parametrize(
    ("artefact", "said"),
    [
        ({"network": "resnet50"}, "network must be one of"),
        ({"net": "dense_w8_d1_late"}, "artefact must be {'network': name}"),
        ({}, "artefact must be"),
    ],
)
def test_what_is_no_choice_is_refused(artefact, said):
    with pytest.raises(ValueError, match=said):
        judge(artefact, BUDGET)
