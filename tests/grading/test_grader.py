"""`grade` and its command: seeds, keys, exit codes, and the words that come back."""

import json
from pathlib import Path

import nbformat
import pytest

from efficientdl import cli
from efficientdl.course.outcome import Kind
from efficientdl.grading import grader
from efficientdl.grading.grader import PRACTICE_KEY, grade, read_key, seed
from efficientdl.grading.handed_in import HandedIn, read_handed_in
from efficientdl.grading.kernel import Kernel, NotStarted
from efficientdl.grading.line import Referee, RefereeFailed
from efficientdl.grading.release import find_release, labs
from efficientdl.grading.score import from_json, to_json

ROOT = Path(__file__).parents[2]
ID = "start-stored-bytes"
RIGHT = "def stored_bytes(weights, bits):\n    return -(-weights * bits // 8)\n"
CUT_OFF = "def stored_bytes(weights, bits):\n    return weights * bits // 8\n"


def handed_in(answer):
    notebook = nbformat.read(ROOT / "labs" / "00_start_here.ipynb", 4)
    for cell in notebook.cells:
        if cell.id == ID:
            cell.source = answer
    return HandedIn("in.ipynb", nbformat.writes(notebook).encode())


def one(answer, **options):
    score = grade(handed_in(answer), root=ROOT, **options)
    assert from_json(json.loads(json.dumps(to_json(score)))) is not None
    return score, score.exercises[0]


@pytest.fixture(scope="module")
def release():
    return find_release(ROOT, "00")


def test_the_seed_follows_from_key_submission_and_lab(release):
    right, other = handed_in(RIGHT), handed_in(CUT_OFF)
    assert seed(b"a", right, release) == seed(b"a", right, release)
    different = {seed(b"a", right, release), seed(b"b", right, release), seed(b"a", other, release)}
    assert len(different | {seed(b"a", right, find_release(ROOT, "01"))}) == 4


def test_a_key_comes_from_a_file_and_must_be_long(tmp_path):
    path = tmp_path / "key"
    path.write_bytes(b"0123456789abcdef\n")
    assert read_key(path) == b"0123456789abcdef"
    assert read_key(None) == PRACTICE_KEY
    path.write_bytes(b"short")
    with pytest.raises(ValueError, match="grade: key must be a file of at least 16 bytes"):
        read_key(path)


@pytest.mark.parametrize("named", ["0", "00", "00_start_here"])
def test_a_lab_is_found_by_name_and_number(named):
    assert find_release(ROOT, named).lab == "00_start_here"


def test_an_unknown_lab_and_a_folder_without_labs_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"grade: lab must be one of 00_start_here, 01_costs"):
        find_release(ROOT, "77")
    with pytest.raises(ValueError, match="grade: course must be a checkout"):
        labs(tmp_path)


def test_a_submission_that_does_not_tell_its_lab_needs_it_given():
    with pytest.raises(ValueError, match="does not say which lab it is of"):
        grade(HandedIn("x.ipynb", b"{"), root=ROOT)


def test_what_is_no_notebook_is_graded_too_where_the_lab_is_given():
    score = grade(HandedIn("x.ipynb", b"{"), root=ROOT, lab="00")
    assert score.earned == 0
    assert score.points == 100
    assert score.exercises[0].outcome is Kind.NOT_ATTEMPTED
    assert score.notes == ("The file is not JSON, so it is no notebook.",)


@pytest.mark.slow
def test_the_right_answer_earns_everything():
    score, task = one(RIGHT)
    assert (score.earned, score.points, score.ungraded) == (100, 100, 0)
    assert (task.outcome, task.right, task.cases) == (Kind.CORRECT, 8, 8)
    assert not task.message
    assert not task.hint
    assert task.peak_mb > 10
    assert score.release["submitted"] == score.release["digest"]


@pytest.mark.slow
def test_a_wrong_answer_is_shown_on_a_public_case_with_its_hint():
    score, task = one(CUT_OFF, key=b"another key of this course")
    assert task.outcome is Kind.PARTIAL
    assert 0 < score.earned == round(100 * task.right / task.cases, 2) < 100
    names = [name for name, _ in task.shown.inputs]
    assert names == ["n_weights", "bits"]
    assert task.hint == "-(-total_bits // 8) divides and rounds up."


@pytest.mark.slow
def test_who_has_learnt_the_public_cases_by_heart_is_told_so(release):
    """The table holds what the lab ships with; fresh inputs are not in it."""
    targets = ROOT / "efficientdl" / "course" / "targets" / "00_start_here.json"
    known = json.loads(targets.read_text())["exercises"][ID]["targets"]
    answer = (
        "asked = []\ndef stored_bytes(weights, bits):\n"
        f"    asked.append(1)\n    return {known}[(len(asked) - 1) % {len(known)}]\n"
    )
    _, task = one(answer)
    assert task.earned == 0
    assert task.shown is None
    assert task.message.startswith("your function is right on every public case, and not right on")


@pytest.mark.slow
def test_an_error_on_a_fresh_case_does_not_carry_its_inputs_out():
    """The learner's text comes from a public case or not at all."""
    answer = (
        "asked = []\ndef stored_bytes(weights, bits):\n    asked.append(1)\n"
        "    if len(asked) > 8:\n        raise ValueError(f'secret {weights} {bits}')\n"
        "    return -(-weights * bits // 8)\n"
    )
    _, task = one(answer)
    assert task.outcome is Kind.RAISED
    assert "secret" not in json.dumps(task.message)
    assert "fresh" in task.message


def test_forbidden_names_are_seen_before_anything_runs(monkeypatch, release):
    monkeypatch.setitem(vars(release.graded[ID]), "forbids", ("numpy.ceil",))
    _, task = one("import numpy\ndef stored_bytes(w, b):\n    return int(numpy.ceil(w * b / 8))")
    assert task.outcome is Kind.FORBIDDEN
    assert "numpy.ceil" in task.message


def test_where_the_referee_fails_nobody_pays(monkeypatch):
    def fails(self):
        raise RefereeFailed("the solution is not there")

    monkeypatch.setattr(Referee, "cases", fails)
    score, task = one(RIGHT)
    assert task.outcome is Kind.INTERNAL_ERROR
    assert task.earned is None
    assert (score.earned, score.points, score.ungraded) == (0, 0, 100)


def test_where_the_kernel_does_not_start_nobody_pays(monkeypatch):
    def fails(self, place):
        raise NotStarted("no room")

    monkeypatch.setattr(Kernel, "_start", fails)
    _, task = one(RIGHT)
    assert (task.outcome, task.earned, task.message) == (Kind.INTERNAL_ERROR, None, "no room")


def run(capsys, *words):
    code = cli.main(["grade", *map(str, words)])
    return code, capsys.readouterr()


@pytest.mark.slow
def test_the_command_writes_score_and_report(tmp_path, capsys):
    path = tmp_path / "in.ipynb"
    path.write_bytes(handed_in(CUT_OFF).data)
    score, report = tmp_path / "score.json", tmp_path / "report.html"
    code, said = run(capsys, path, "--lab", "0", "-o", score, "--report", report)
    assert code == 0
    assert "How many bytes is that?  partly right" in said.out
    assert json.loads(score.read_text())["submission"]["sha256"] == read_handed_in(path).sha256
    assert "partly right" in report.read_text(encoding="utf-8")


def test_the_command_says_what_is_wrong_in_one_line(tmp_path, capsys):
    code, said = run(capsys, tmp_path / "none.ipynb")
    assert code == 2
    assert said.err.startswith("efficientdl grade: grade: submission must be a notebook's file")
    code, said = run(capsys, tmp_path / "none.ipynb", "--report", "report.docx")
    assert code == 2
    assert "report: file must end in .html, .htm or .md, got 'report.docx'" in said.err


def test_the_command_ends_with_3_where_the_grader_failed(tmp_path, capsys, monkeypatch):
    def fails(self):
        raise RefereeFailed("no torch")

    monkeypatch.setattr(grader.Referee, "cases", fails)
    path = tmp_path / "in.ipynb"
    path.write_bytes(handed_in(RIGHT).data)
    code, said = run(capsys, path)
    assert code == 3
    assert "could not be graded" in said.out
