"""The referee: knows the answers, measures artefacts, believes nothing, and can be waited for."""

import json

import pytest

from efficientdl.course.artefacts import LARGEST_BYTES
from efficientdl.course.outcome import Kind
from efficientdl.grading import line
from efficientdl.grading.grader import grade
from efficientdl.grading.handed_in import HandedIn
from efficientdl.grading.line import Cases, Referee, RefereeFailed
from efficientdl.grading.referee import cases, judged, references
from efficientdl.grading.release import find_release

SEED = "0123456789abcdef" * 2


@pytest.fixture
def release(small):
    return find_release(small, "91")


@pytest.fixture
def challenge(release):
    return release.graded["sm-bits"]


def artefact(**inside):
    return json.dumps({"id": "sm-bits", "lab": "91_small", "artefact": inside})


def test_references_are_the_solution_s_functions(release):
    found = references(release)
    assert list(found) == ["sm-label", "sm-keep", "sm-center", "sm-spread"]
    assert found["sm-label"](3) == (9, "odd")


def test_fresh_cases_differ_by_seed_and_public_ones_do_not(release):
    with Referee(release, SEED) as one, Referee(release, SEED[::-1]) as other:
        first, second = one.cases()["sm-label"], other.cases()["sm-label"]
    assert isinstance(first, Cases)
    assert first.public_inputs == second.public_inputs
    assert first.inputs != second.inputs
    assert first.targets == [(n**2, "odd" if n % 2 else "even") for (n,) in first.inputs]


def test_a_solution_that_fails_costs_its_own_exercise_alone(release):
    for cell in release.solution.cells:
        if cell.id == "sm-label":
            cell.source = "def label(number):\n    raise ValueError('broken')"
    found = cases(release, 7)
    assert "must answer sm-label" in found["sm-label"]["error"]
    assert "cases" in found["sm-keep"]


def test_an_artefact_is_measured(challenge):
    figures = judged(challenge, artefact(bits=[4, 4, 8]))["figures"]
    assert [(f["name"], f["value"], f["met"]) for f in figures] == [
        ("weights", 16, True),
        ("smallest", 0.5, True),
    ]
    assert [f["met"] for f in judged(challenge, artefact(bits=[2, 32]))["figures"]] == [
        False,
        False,
    ]


NASTY = {
    "no json": "{",
    "no artefact": json.dumps([1]),
    "of another challenge": json.dumps({"id": "other", "artefact": {"bits": [1]}}),
    "no dictionary": json.dumps({"id": "sm-bits", "artefact": [1]}),
    "a name missing": artefact(),
    "a kind that is wrong": artefact(bits="many"),
    "nothing in it": artefact(bits=[]),
    "a mark that is none": json.dumps({"id": "sm-bits", "artefact": {"$array": "x"}}),
}


@pytest.mark.parametrize("text", NASTY.values(), ids=NASTY)
def test_what_is_no_artefact_is_refused_with_a_reason(challenge, text):
    found = judged(challenge, text)
    assert list(found) == ["refused"]
    assert found["refused"]


def test_a_figure_that_is_no_number_is_not_met(challenge):
    text = artefact(bits=[{"$float": "nan"}, {"$float": "nan"}])
    found = judged(challenge, text)
    assert "refused" in found or not any(f["met"] for f in found["figures"])


@pytest.mark.slow
def test_an_artefact_handed_in_counts_without_running_anything(small):
    def handed_in(data):
        return grade(HandedIn("x.ipynb", b"{}", {"sm-bits": data}), root=small, lab="91")

    score = handed_in(artefact(bits=[4, 4]).encode())
    (task,) = [task for task in score.exercises if task.id == "sm-bits"]
    assert (task.outcome, task.earned) == (Kind.CORRECT, 15)
    score = handed_in(b" " * (LARGEST_BYTES + 1))
    (task,) = [task for task in score.exercises if task.id == "sm-bits"]
    assert (task.outcome, task.earned) == (Kind.WRONG_SHAPE, 0)
    assert "larger than 1,000,000 bytes" in task.message


def test_a_judge_that_takes_too_long_spoils_no_later_judgement(release, monkeypatch):
    with Referee(release, SEED) as referee:
        referee.cases()
        with monkeypatch.context() as patch:
            patch.setattr(line, "_JUDGE_S", 0.0)
            with pytest.raises(TimeoutError):
                referee.judge("sm-bits", artefact(bits=[1]).encode())
        found = referee.judge("sm-bits", artefact(bits=[4, 4]).encode())
    assert [figure["value"] for figure in found["figures"]] == [8, 0.5]


def test_a_referee_that_ends_or_sleeps_is_not_waited_for(release, monkeypatch):
    with Referee(release, SEED) as referee:
        referee._process.kill()
        with pytest.raises(RefereeFailed):
            referee.judge("sm-bits", b"{}")
    monkeypatch.setattr(line, "_TARGETS_S", 0.01)
    with Referee(release, SEED) as referee, pytest.raises(TimeoutError):
        referee.cases()
