"""The panels of lab 05, every control at both ends, and their figures against NumPy."""

import numpy as np
import pytest
import torch
from scipy.special import softmax

from efficientdl import datasets, models
from efficientdl.course.panels import lab_05
from efficientdl.course.students import DATA, TEACHER, measure, student
from tests.course.panels.ends import demand_live


def maps():
    pupils = {"one": student(2, seed=0), "two": student(3, seed=1)}
    return lab_05.attention_maps(models.trained(TEACHER), pupils)


@pytest.mark.parametrize("make", [lab_05.by_hand, lab_05.dark_knowledge, maps])
def test_every_control_changes_the_view_and_all_stays_finite(make):
    demand_live(make())


@pytest.mark.parametrize(("second", "temperature"), [(0, 0.5), (2.5, 4), (4, 20)])
def test_by_hand_is_scipys_softmax(second, temperature):
    view = lab_05.by_hand().set(second=second, temperature=temperature)
    wanted = softmax(np.array([4.0, second, 0.0]) / temperature)
    np.testing.assert_allclose(view.figure.series[1].values, wanted, rtol=1e-12)


def test_what_the_teacher_says_is_its_softened_output():
    view = lab_05.dark_knowledge().set(picture=3, temperature=8)
    with torch.no_grad():
        scores = models.trained(TEACHER)(datasets.load(DATA).test.x[:4])[3].double().numpy()
    # One picture alone and a batch of forty round differently in float32.
    np.testing.assert_allclose(view.figures[0].series[0].values, softmax(scores / 8), rtol=1e-4)


def test_the_gradient_is_the_difference_of_probabilities():
    with torch.no_grad():
        x = datasets.load(DATA).test.x[:40]
        mine = student(4, seed=0).eval()(x).double().numpy()
        theirs = models.trained(TEACHER)(x).double().numpy()
    for temperature, (without, scaled) in zip(
        lab_05.TEMPERATURES, lab_05._gradients(), strict=True
    ):
        q, p = (softmax(z / temperature, axis=1) for z in (mine, theirs))
        wanted = np.linalg.norm(q - p) * temperature / len(x)
        np.testing.assert_allclose(scaled, wanted, rtol=1e-6)
        np.testing.assert_allclose(without, wanted / temperature**2, rtol=1e-6)
    assert "without the factor" in lab_05.gradient_size().text


def test_maps_are_the_squares_summed_over_the_channels():
    view = maps().set(layer=2, picture=5)
    teacher = models.trained(TEACHER)
    with torch.no_grad():
        x = datasets.load(DATA).test.x[5:6]
        features = teacher.conv2(teacher.conv1(x))[0].double().numpy()
    wanted = (features**2).sum(0)
    np.testing.assert_allclose(
        np.array(view.figures[0].series[0].values), wanted / wanted.max(), rtol=1e-4, atol=1e-6
    )
    assert view.table.rows[0] == ("teacher", 0.0)


def test_a_copy_of_the_teacher_looks_where_it_looks():
    teacher = models.trained(TEACHER)
    pupils = {"other": student(4, seed=0), "copy": models.trained(TEACHER)}
    view = lab_05.attention_maps(teacher, pupils).set(layer=3, picture=0)
    assert dict(view.table.rows)["copy"] == 0
    assert "'copy' looks most like" in view.text


def test_standing_is_what_the_judge_measures():
    teacher, pupil = models.trained(TEACHER), student(4, seed=0).train()
    view = lab_05.standing({"teacher": teacher, "new": pupil}, datasets.load(DATA).val)
    assert pupil.training
    found = measure(pupil.eval(), "val")
    assert view.table.rows[0][3] == 1.0
    assert view.table.rows[1] == (
        "new",
        found["params"],
        round(found["accuracy"], 3),
        round(found["agreement"], 3),
    )


def test_the_picture_that_is_shown_is_the_one_that_was_asked():
    x = datasets.load(DATA).test.x[7, 0].numpy()
    view = lab_05.dark_knowledge().set(picture=7, temperature=4)
    np.testing.assert_allclose(view.figures[-1].series[0].values, x / x.max(), rtol=1e-6)
    halved = x.reshape(14, 2, 14, 2).mean((1, 3))
    view = maps().set(layer=3, picture=7)
    np.testing.assert_allclose(
        view.figures[-1].series[0].values, halved / halved.max(), rtol=1e-5, atol=1e-7
    )


def test_what_is_drawn_is_listed():
    shapes = datasets.draw_shapes(n_train=1, n_test=3, seed=0, side=32).test
    view = lab_05.drawn(shapes, picture=1)
    there = shapes.objects[1][shapes.objects[1, :, 0] > 0]
    np.testing.assert_allclose([row[1:] for row in view.table.rows], there[:, 1:].numpy())
    labels = shapes.labels[1].numpy()
    np.testing.assert_allclose(view.figures[1].series[0].values, labels / labels.max(), rtol=1e-6)
