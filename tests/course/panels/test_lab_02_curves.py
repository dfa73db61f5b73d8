"""The curves of lab 02, point by point against `prune`; how far each may go, by its definition."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from efficientdl import models
from efficientdl.compression.pruning import globally, per_layer, prune
from efficientdl.compression.pruning.criteria import l2_norm
from efficientdl.course.panels import lab_02_curves as curves
from efficientdl.course.panels import lab_02_subject as subject
from efficientdl.course.panels.lab_02_subject import ALONE, LAYERS, TOGETHER

CUT = ("conv2.conv", "conv3.conv", "conv4.conv")


def accuracy(**options):
    model = models.trained("small_cnn_fashion")
    return subject.accuracy_of(prune(model, torch.zeros(1, 1, 28, 28), **options).model)


@pytest.mark.slow
@pytest.mark.parametrize("layer", LAYERS)
def test_scan_prunes_one_layer_and_leaves_the_others(layer):
    curve = curves.scan()[layer]
    assert len(curve) == len(curves.BY_LAYER)
    assert curve[0] == subject.dense()
    assert curve[-2] == accuracy(sparsity={layer: curves.BY_LAYER[-2]})


@pytest.mark.slow
@pytest.mark.parametrize(("name", "scope"), [(ALONE, per_layer), (TOGETHER, globally)])
def test_granularities_prune_three_convolutions(name, scope):
    share = curves.BY_GRANULARITY[2]
    for which, curve in curves.by_granularity(name).items():
        assert curve[0] == subject.dense()
        assert curve[2] == accuracy(
            sparsity=dict.fromkeys(CUT, share),
            criterion=l2_norm,
            granularity=curves.GRANULARITIES[which],
            scope=scope,
        )


@pytest.mark.slow
@pytest.mark.parametrize("which", curves.CRITERIA)
def test_criteria_prune_three_convolutions(which):
    curve = curves.by_criterion(which, ALONE)
    options = {"criterion": curves.CRITERIA[which], "data": subject.examples()}
    assert curve[0] == subject.dense()
    assert curve[3] == accuracy(sparsity=dict.fromkeys(CUT, curves.BY_CRITERION[3]), **options)


@pytest.mark.slow
def test_the_surgeon_s_weights_are_moved_and_not_only_cut():
    surgeon, plain = (curves.by_criterion(n, ALONE) for n in (curves.SURGEON, "magnitude"))
    assert surgeon[0] == plain[0] == subject.dense()
    assert surgeon[-1] > plain[-1] + 0.1  # at 90 % zeros, without retraining


@given(
    later=st.lists(st.integers(0, 1000), min_size=1, max_size=7),
    floor=st.integers(0, 1000),
)
def test_most_is_the_last_share_before_the_curve_falls_below(later, floor):
    curve = (1.0, *(hits / 1000 for hits in later))
    shares = [i / 10 for i in range(len(curve))]
    most = shares.index(curves._most(curve, shares, floor / 1000))
    assert all(a >= floor / 1000 for a in curve[: most + 1])
    assert most == len(curve) - 1 or curve[most + 1] < floor / 1000


@pytest.mark.slow
@pytest.mark.parametrize("make", [curves.scan_panel, curves.curve])
def test_every_control_changes_the_view(make):
    panel = make()
    for name, control in panel.controls.items():
        ends = [panel.set(**{name: end}) for end in control.extremes]
        assert str(ends[0]) != str(ends[1]), name
        panel.set(**{name: control.value})


@pytest.mark.slow
def test_table_and_sentence_say_what_the_lines_show():
    view = curves.scan_panel().set(lost=5)
    lines = {line.name: line for line in view.figures[0].series}
    for name, *cells, may_lose in view.tables[0].rows:
        assert cells == [f"{y:.1f} %" for y in lines[name].y]
        assert f"{name} {may_lose}" in view.text
    floor = lines["5 points lost"].y
    assert floor == pytest.approx(100 * subject.dense() - 5)


@pytest.mark.slow
def test_all_criteria_stand_in_one_picture():
    panel = curves.criteria()
    names = [line.name for line in panel.set(criterion=curves.ALL).figures[0].series]
    assert names[:-1] == [*curves.CRITERIA, curves.SURGEON]
    two = panel.set(criterion="sensitivity")
    assert [line.name for line in two.figures[0].series][:-1] == ["magnitude", "sensitivity"]
    assert str(panel.set(scope=TOGETHER)) != str(two)


@pytest.mark.slow
def test_unknown_criterion_is_refused():
    with pytest.raises(ValueError, match="Beside magnitude must be one of"):
        curves.criteria().set(criterion="colour")
