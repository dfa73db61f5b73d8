"""The same student with a teacher and without: both trainings, and the words about them."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from efficientdl.compression.distillation import Match, distil
from efficientdl.compression.distillation.tasks import language, segmentation, synthesis
from efficientdl.course.panels import lab_05_tasks as tasks
from efficientdl.datasets.shapes import draw_shapes
from efficientdl.fit import Training
from efficientdl.fit.distillation import match_logits


@pytest.fixture(autouse=True)
def silent(monkeypatch):
    monkeypatch.setenv("EFFICIENTDL_UI", "silent")


def pair():
    gen = torch.Generator().manual_seed(0)
    x = torch.randn(32, 3, generator=gen)
    teacher = nn.Linear(3, 2)
    teacher.load_state_dict({"weight": torch.eye(2, 3), "bias": torch.zeros(2)})
    start = nn.Linear(3, 2)
    start.load_state_dict({"weight": torch.zeros(2, 3), "bias": torch.zeros(2)})
    return x, start, teacher


def run(measure, **options):
    x, start, teacher = pair()
    plan = Training(train=(x, x[:, 0].gt(0).long()), epochs=30, lr=0.1, seed=0)
    matches = [Match(loss=match_logits)]
    view = tasks.with_and_without(
        start, teacher, x[:1], matches=matches, training=plan, measure=measure, **options
    )
    return view, x, start, teacher, plan, matches


def weight_of(model):
    return float(model.get_parameter("weight").detach().abs().sum())


def test_its_figures_are_those_of_two_trainings():
    measure = tasks.Measure("size", weight_of, more_is_better=True)
    view, x, start, teacher, plan, matches = run(measure)
    rows = {name: (params, figure) for name, params, figure in view.table.rows}
    assert rows["teacher"] == (8, 2.0)
    for name, used in {"alone": [], "taught": matches}.items():
        model = distil(start, teacher, x[:1], matches=used, training=plan).model
        assert rows[name] == (8, round(weight_of(model), 3))
    assert list(rows) == ["teacher", "alone", "taught"]


def test_whether_it_helped_depends_on_which_way_is_better():
    said = [run(tasks.Measure("size", weight_of, more_is_better=way))[0].text for way in (1, 0)]
    assert sum("The teacher helped" in text for text in said) == 1
    same = run(tasks.Measure("size", lambda _model: 1.0, more_is_better=True))[0]
    assert "did not help" in same.text


def test_a_game_starts_anew_for_each_training():
    begun = []

    def game():
        begun.append(1)
        return nn.functional.cross_entropy

    run(tasks.Measure("size", weight_of, more_is_better=True), game=game)
    assert len(begun) == 2


def test_without_labels_the_taught_student_learns_from_its_teacher_alone():
    """As many steps on other inputs; the student alone still has its labels."""
    measure = tasks.Measure("size", weight_of, more_is_better=True)
    other = torch.randn(64, 3, generator=torch.Generator().manual_seed(1))
    view, x, start, teacher, plan, matches = run(measure, unlabelled=other)
    rows = {name: figure for name, _, figure in view.table.rows}
    alone = distil(start, teacher, x[:1], matches=[], training=plan).model
    there = replace(plan, train=(other, torch.ones(64).long()))
    assert there.steps == plan.steps
    taught = distil(start, teacher, x[:1], matches=matches, training=there, task_weight=0).model
    assert rows["alone"] == round(weight_of(alone), 3)
    assert rows["taught"] == round(weight_of(taught), 3)


def test_measures_are_those_of_the_tasks():
    shapes = draw_shapes(n_train=4, n_test=2, seed=0).train
    net = segmentation.segmenter(2, seed=0).eval()
    wanted = segmentation.mean_iou(net(shapes.x), shapes.labels)
    assert tasks.overlap(shapes).of(net) == wanted
    text = torch.zeros(2, 4, dtype=torch.int64), torch.ones(2, 4, dtype=torch.int64)
    reader = language.character_model(5, context=4, d=8, n_layers=1, seed=0).eval()
    assert tasks.perplexity(text).of(reader) == language.perplexity(reader, *text)
    noise = torch.randn(9, synthesis.NOISE, generator=torch.Generator().manual_seed(0))
    painter = synthesis.generator_network(4, seed=0)
    made = painter(noise).detach()
    assert tasks.distance(noise, made).of(painter) == pytest.approx(0, abs=1e-6)


def test_a_detector_that_finds_nothing_has_no_precision():
    shapes = draw_shapes(n_train=2, n_test=1, seed=0).train

    class Blind(nn.Module):
        def forward(self, x):
            scores = torch.zeros(len(x), 8, 6, 6)
            scores[:, 0] = 50.0
            return scores

    assert tasks.precision(shapes).of(Blind()) == 0
