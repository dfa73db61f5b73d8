"""The challenge of lab 05: what is handed in is what is measured, and nothing else is taken."""

import numpy as np
import pytest
import torch

from efficientdl import costs, datasets, fit, models
from efficientdl.course import students
from efficientdl.course.exercises.lab_05 import BUDGET


def handed_in(width=4, seed=0):
    return students.artefact_of(students.student(width, seed=seed))


def test_what_is_handed_in_comes_back():
    start = students.student(3, seed=1).eval()
    got = students.read_student(students.artefact_of(start))
    torch.testing.assert_close(got.state_dict(), start.state_dict(), rtol=0, atol=0)
    assert not got.training


@pytest.mark.parametrize("width", [1, 4, 16])
def test_params_are_the_closed_form(width):
    w = width
    convolutions = 9 * (w + w * 2 * w + 2 * w * 4 * w + 4 * w * 2 * w)
    wanted = convolutions + 2 * (w + 2 * w + 4 * w + 2 * w) + 10 * (9 * 2 * w + 1)
    assert students.measure(students.student(w, seed=0).eval(), "val")["params"] == wanted


def test_its_layers_have_the_teachers_resolutions():
    x = datasets.load(students.DATA).val.x[:1]
    for layer in ("conv1", "conv2", "conv3", "conv4"):
        shapes = []
        for net in (students.student(2, seed=0).eval(), models.trained(students.TEACHER)):
            seen = []
            handle = net.get_submodule(layer).register_forward_hook(
                lambda _module, _given, out, seen=seen: seen.append(out.shape[2:])
            )
            net(x)
            handle.remove()
            shapes += seen
        assert shapes[0] == shapes[1]


def test_the_teacher_agrees_with_itself():
    teacher = models.trained(students.TEACHER)
    found = students.measure(teacher, "test")
    assert found["agreement"] == 1.0
    assert found["accuracy"] == fit.evaluate(teacher, datasets.load(students.DATA).test)
    x = datasets.load(students.DATA).test.x[:1]
    assert found["params"] == costs.count(teacher, x).total.params


def test_size_alone_is_not_enough_nor_is_a_wide_one_within_the_budget():
    small, wide = (students.judge(handed_in(width), BUDGET) for width in (4, 5))
    assert [m.met for m in small.measured] == [True, False, False]
    assert not wide.measured[0].met


def test_it_is_judged_on_the_test_part():
    artefact = handed_in(seed=3)
    test = students.measure(students.read_student(artefact), "test")
    val = students.measure(students.read_student(artefact), "val")
    assert students.judge(artefact, BUDGET).measured[1].value == test["accuracy"]
    assert test != val


def broken(name, value):
    artefact = handed_in()
    artefact["weights"][name] = value
    return artefact


def without(name):
    artefact = handed_in()
    del artefact["weights"][name]
    return artefact


@pytest.mark.parametrize(
    ("artefact", "said"),
    [
        ({}, r"submit: artefact must be \{'width': width, 'weights'"),
        ({"width": 4, "weights": [1]}, r"submit: artefact must be"),
        ({**handed_in(), "more": 1}, r"submit: artefact must be"),
        ({**handed_in(), "width": 17}, r"student: width must be .*, got 17"),
        (without("classifier.bias"), r"names of weights must be .* width 4, got .*bias"),
        (broken("extra", np.zeros(2)), r"names of weights must be .*got 'extra'"),
        (broken("classifier.bias", np.zeros(9)), r"weight classifier.bias must be numbers of sh"),
        (broken("classifier.bias", np.full(10, np.nan)), r"classifier.bias must be finite"),
        (broken("classifier.bias", "ten"), r"weight classifier.bias must be numbers"),
    ],
)
def test_what_is_no_student_is_refused(artefact, said):
    with pytest.raises(ValueError, match=said):
        students.judge(artefact, BUDGET)


def test_a_width_in_words_is_refused():
    with pytest.raises((TypeError, ValueError), match="width"):
        students.judge({**handed_in(), "width": "four"}, BUDGET)
