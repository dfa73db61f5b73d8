"""Artefacts: written as data, measured, told limit by limit."""

import json

import numpy as np
import pytest

from efficientdl.course import artefacts, store, submit
from efficientdl.course.exercise import Challenge
from efficientdl.course.registry import find


def path():
    return artefacts.artefact_file(find("test", "fx-bits", Challenge))


def test_submit_writes_and_tells(course, tmp_path, capsys):
    submit("fx-bits", {"bits": [8, 8, 8]})
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "fx-bits: 1 of 2 limits are met."
    assert lines[4].split("  ")[0] == "weights"
    assert lines[4].endswith("not met")
    assert lines[5].split()[-1] == "met"
    assert path() == tmp_path / "artefacts" / "90_fixture" / "fx-bits.json"
    assert json.loads(path().read_text())["artefact"] == {"bits": [8, 8, 8]}
    assert store.recall("artefacts", "fx-bits") == {"share": 0.5}


def test_arrays_come_back(course):
    mask = np.array([[True, False]])
    submit("fx-bits", {"bits": [4, 4], "mask": mask})
    found = artefacts.read_artefact(path())
    np.testing.assert_array_equal(found["mask"], mask)
    assert found["bits"] == [4, 4]


@pytest.mark.parametrize(
    ("artefact", "error", "said"),
    [
        ([8], TypeError, "submit: artefact must be a Mapping"),
        ({"bits": object()}, TypeError, "must be made of numbers"),
        ({"bits": [4], "note": "x" * 10**6}, ValueError, "must be at most 1,000,000 bytes"),
    ],
)
def test_what_cannot_be_handed_in(course, artefact, error, said):
    with pytest.raises(error, match=said):
        submit("fx-bits", artefact)
    assert not path().exists()


def test_only_challenges_take_artefacts(course):
    with pytest.raises(ValueError, match="submit: id must be one of fx-bits, got 'fx-mask'"):
        submit("fx-mask", {})


@pytest.mark.parametrize("text", ["", "[]", '{"artefact": 3}', '{"artefact": {"$array": 1}}', "{}"])
def test_broken_files(tmp_path, text):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(ValueError, match="artefact: file must be one that `submit` wrote"):
        artefacts.read_artefact(tmp_path / "a.json")


def test_large_files_are_not_read(tmp_path):
    (tmp_path / "a.json").write_text(" " * 10**6 + "{}")
    with pytest.raises(ValueError, match="must be at most 1,000,000 bytes"):
        artefacts.read_artefact(tmp_path / "a.json")
