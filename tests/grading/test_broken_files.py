"""Submissions that attack as files: none stops the grader; what can be read earns its points."""

import pytest

from efficientdl._check import BadValue
from efficientdl.course.outcome import Kind
from efficientdl.grading.grader import grade
from efficientdl.grading.handed_in import HandedIn
from tests.grading import broken_files
from tests.grading.sandbox import LAB, POINTS, graded, outcomes, solved

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("file", broken_files.UNREADABLE, ids=str)
def test_what_cannot_be_read_has_no_answers(small, file):
    data = file.data(solved(small))
    score = graded(small, data)
    assert set(outcomes(score).values()) == {(Kind.NOT_ATTEMPTED, 0)}
    assert file.said in " ".join(score.notes)
    with pytest.raises(BadValue, match="does not say which lab"):
        grade(HandedIn("in.ipynb", data), root=small)


@pytest.mark.parametrize("file", broken_files.READABLE, ids=str)
def test_what_can_be_read_earns_its_points(small, file):
    score = graded(small, file.data(solved(small)), lab=None if file.names_lab else LAB)
    assert outcomes(score) == {id: (Kind.CORRECT, points) for id, points in POINTS.items()}
    assert file.said in " ".join(score.notes)


@pytest.mark.parametrize("file", broken_files.SPOILT, ids=str)
def test_a_spoilt_answer_spoils_no_other(small, file):
    found = outcomes(graded(small, file.data(solved(small))))
    kind, earned = found.pop("sm-keep")
    assert earned == 0
    assert kind in (Kind.RAISED, Kind.NOT_ATTEMPTED, Kind.FORBIDDEN)
    lost = found if file.lost else {}
    kept = {id: (Kind.CORRECT, POINTS[id]) for id in found}
    assert found == kept | dict.fromkeys(lost, (Kind.NOT_ATTEMPTED, 0))
