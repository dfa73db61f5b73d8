"""`papermill --engine efficientdl`: an existing pipeline grades, and sees what came out."""

import json
import subprocess
import sys
from pathlib import Path

import nbformat
import papermill
import pytest
from papermill.engines import papermill_engines

from efficientdl.grading.engine import GradingEngine
from efficientdl.grading.graded_run import UngradedPart
from efficientdl.grading.line import Referee, RefereeFailed
from efficientdl.grading.score import read_score

ROOT = Path(__file__).parents[2]
ID = "start-stored-bytes"
pytestmark = pytest.mark.slow


def submission(folder, answer):
    notebook = nbformat.read(ROOT / "labs" / "00_start_here.ipynb", 4)
    for cell in notebook.cells:
        if cell.id == ID:
            cell.source = answer
    path = folder / "in.ipynb"
    nbformat.write(notebook, path)
    return path


def output_of(notebook, id):
    (cell,) = [cell for cell in notebook.cells if cell.id == id]
    return "".join(output.get("text", "") for output in cell.outputs)


def test_papermill_knows_the_engine():
    papermill_engines.register_entry_points()
    assert papermill_engines.get_engine("efficientdl") is GradingEngine


def test_the_engine_may_be_imported_before_papermill():
    code = "import efficientdl.grading.engine, efficientdl.grading.graded_run, papermill"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_output_is_the_release_with_answers_and_outcomes(tmp_path):
    answer = "print('hello')\ndef stored_bytes(weights, bits):\n    return weights * bits // 8\n"
    given, out = submission(tmp_path, answer), tmp_path / "out.ipynb"
    papermill.execute_notebook(given, out, engine_name="efficientdl", progress_bar=False)
    notebook = nbformat.read(out, 4)
    nbformat.validate(notebook)
    assert notebook.cells[0].source.startswith("# Graded: Start here\n\n0 of 1 exercises are right")
    assert output_of(notebook, ID) == "hello\n"
    assert output_of(notebook, f"{ID}-check").startswith("partly right: ")
    score = read_score(tmp_path / "out.score.json")
    assert 0 < score.earned < 100
    assert notebook.metadata.efficientdl.score.total.earned == score.earned
    assert notebook.metadata.papermill.exception is None


def test_an_answer_that_raises_is_a_result_and_no_failure_of_the_run(tmp_path):
    given, out = submission(tmp_path, "raise ValueError('no')"), tmp_path / "out.ipynb"
    papermill.execute_notebook(given, out, engine_name="efficientdl", progress_bar=False)
    notebook = nbformat.read(out, 4)
    assert output_of(notebook, ID) == "ValueError: no\n"
    assert output_of(notebook, f"{ID}-check").startswith("raised an error: 0 of 100 points")


def test_what_the_grader_could_not_do_fails_the_run_and_is_saved(tmp_path, monkeypatch):
    def fails(self):
        raise RefereeFailed("no torch")

    monkeypatch.setattr(Referee, "cases", fails)
    given, out = submission(tmp_path, "def stored_bytes(weights, bits): pass"), tmp_path / "o.ipynb"
    with pytest.raises(UngradedPart, match="100 points could not be graded"):
        papermill.execute_notebook(given, out, engine_name="efficientdl", progress_bar=False)
    assert read_score(tmp_path / "o.score.json").ungraded == 100


def test_the_command_line_of_papermill_and_a_key(tmp_path, monkeypatch):
    key = tmp_path / "key"
    key.write_text("a key that nobody can guess")
    given = submission(tmp_path, "def stored_bytes(weights, bits):\n    return -(-weights*bits//8)")
    out, environment = tmp_path / "out.ipynb", {"EFFICIENTDL_COURSE_KEY": str(key)}
    command = [sys.executable, "-m", "papermill", "--engine", "efficientdl", str(given), str(out)]
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "out.score.json").read_text())
    assert found["total"] == {"earned": 100.0, "points": 100, "ungraded": 0}
