"""Targets: recorded by the solution, read with the lab, noticed when inputs drift."""

import json

import numpy as np
import pytest

from efficientdl.course import targets
from efficientdl.course.exercise import Exercise
from efficientdl.course.registry import find


def conv_params(c_in, c_out, kernel):
    return c_in * c_out * kernel**2


@pytest.fixture
def exercise(course):
    return find("test", "fx-conv-params", Exercise)


def test_public_targets_are_what_the_closed_form_gives(exercise):
    inputs, wanted = targets.public_case(exercise)
    assert len(inputs) == exercise.cases
    assert wanted == [conv_params(*arguments) for arguments in inputs]


def test_arrays_come_back_as_arrays(course):
    inputs, wanted = targets.public_case(find("test", "fx-mask", Exercise))
    for (weight, sparsity), mask in zip(inputs, wanted, strict=True):
        assert mask.dtype == bool
        assert mask.shape == weight.shape
        assert (~mask).sum() == int(sparsity * weight.size)
        if (~mask).sum() > 0:
            assert np.abs(weight[~mask]).max() <= np.abs(weight[mask]).min()


def test_record_writes_what_public_case_reads(exercise, course, monkeypatch):
    targets.record(exercise, conv_params)
    recorded = targets.read(targets.recorded_file())
    assert recorded == {exercise.id: targets.read(targets.targets_file(exercise.lab))[exercise.id]}


def test_record_refuses_a_solution_that_fails_or_wavers(exercise):
    with pytest.raises(ValueError, match="solution must answer: your function raised"):
        targets.record(exercise, lambda *a: 1 / 0)
    calls = iter(range(1000))
    with pytest.raises(ValueError, match="solution must answer the same each time"):
        targets.record(exercise, lambda *a: next(calls))


def test_drift_of_inputs_is_noticed(copy):
    path = copy / "targets" / "90_fixture.json"
    text = path.read_text()
    entry = json.loads(text)["exercises"]["fx-conv-params"]
    path.write_text(text.replace(entry["inputs"], "0" * 16))
    with pytest.raises(ValueError, match="targets were recorded for other inputs"):
        targets.public_case(find("test", "fx-conv-params", Exercise))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "are missing from 90_fixture.json; `efficientdl build` records them"),
        ('{"exercises": {}}', "are missing from"),
        ("{", "must be a file that the build wrote"),
        ("[]", "must be a file that the build wrote"),
    ],
)
def test_missing_or_broken_targets(copy, text, said):
    path = copy / "targets" / "90_fixture.json"
    path.unlink() if text is None else path.write_text(text)
    with pytest.raises(ValueError, match=said):
        targets.public_case(find("test", "fx-conv-params", Exercise))


def test_recording_is_said_by_the_environment(monkeypatch):
    monkeypatch.setenv("EFFICIENTDL_CHECK", "record")
    assert targets.recording()
    monkeypatch.delenv("EFFICIENTDL_CHECK")
    assert not targets.recording()
    monkeypatch.setenv("EFFICIENTDL_CHECK", "skip")
    with pytest.raises(ValueError, match="EFFICIENTDL_CHECK must be one of compare, record"):
        targets.recording()
