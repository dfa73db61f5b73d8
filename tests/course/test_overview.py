"""The table of the course: from the notebooks on disk, and what their checks have noted."""

import json
import math
import os

import pytest

from efficientdl.course import course_progress, store
from efficientdl.course.overview import lab_folder, progress_of
from efficientdl.course.rules import fingerprint
from tests.course.conftest import LAB

RIGHT = "def conv_params(a, b, k):\n    return a * b * k**2"


@pytest.fixture
def folder(course, tmp_path, monkeypatch):
    """A learner's folder, with the fixture lab as it is handed out."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("EFFICIENTDL_HOME")
    text = (course / "labs" / f"{LAB}.ipynb").read_text()
    (tmp_path / f"{LAB}.ipynb").write_text(text)
    return tmp_path


def write(folder, id, source, *, name=f"{LAB}.ipynb"):
    """Put an answer into the notebook's file."""
    path = folder / name
    notebook = json.loads(path.read_text())
    (cell,) = [c for c in notebook["cells"] if c["id"] == id]
    cell["source"] = source.splitlines(keepends=True)
    path.write_text(json.dumps(notebook))


def standings(overview):
    return {task.id: task.standing for lab in overview.labs for task in lab.tasks}


def test_a_folder_without_labs(course, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    card = course_progress()
    assert card.text == (
        "0 of 0 points, as far as the public cases tell.\n\n"
        "There is no notebook of a lab in this folder."
    )
    assert "<table>" not in card.html


def test_what_is_handed_out_is_not_begun(folder):
    text = course_progress().text
    assert text.startswith("0 of 100 points, as far as the public cases tell.\n")
    assert text.count("not begun") == 4
    assert text.splitlines()[-1].split() == ["all", "of", "it", LAB, "0", "of", "100"]


def test_what_is_written_and_what_came_of_it(folder):
    write(folder, "fx-conv-params", RIGHT)
    write(folder, "fx-bits", "def bits():\n    return 1")
    write(folder, "fx-why", "They carry little.")
    assert standings(progress_of(folder)) == {
        "fx-conv-params": "written, not checked", "fx-mask": "not begun",
        "fx-bits": "written, not handed in", "fx-why": "for a person to read",
    }  # fmt: skip
    write(folder, "fx-mask", "def mask(w, s):\n    return w")
    store.remember("checks", "fx-conv-params", {"outcome": "partial", "best": 0.5})
    store.remember("checks", "fx-mask", {"outcome": "raised", "best": 0.75})
    store.remember("artefacts", "fx-bits", {"share": 0.5})
    found = progress_of(folder)
    assert standings(found) == {
        "fx-conv-params": "partly right", "fx-mask": "not right yet",
        "fx-bits": "handed in", "fx-why": "for a person to read",
    }  # fmt: skip
    assert [task.earned for task in found.labs[0].tasks] == [20, 30, 7, 0]  # 7.5 rounded down
    assert not any(task.differs for task in found.labs[0].tasks)


def test_table_as_text_and_as_html(folder):
    write(folder, "fx-conv-params", RIGHT)
    entry = {"outcome": "correct", "best": 1.0, "answer": fingerprint(RIGHT)}
    store.remember("checks", "fx-conv-params", entry)
    card = course_progress()
    assert card.text.startswith("40 of 100 points")
    rows = {line.split("  ")[0]: line for line in card.text.splitlines()}
    assert rows["Count a convolution's weights"].split()[-5:] == [LAB, "right", "40", "of", "40"]
    assert rows["all of it"].split()[-3:] == ["40", "of", "100"]
    assert "<caption>Your way through the course</caption>" in card.html
    assert card.html.count("<tr>") == 6
    assert card.text == progress_of(folder).text


@pytest.mark.parametrize(
    ("saved", "differs"),
    [(RIGHT, False), (f"\n{RIGHT}\n\n", False), (RIGHT.replace("**2", ""), True), (None, True)],
    ids=["the same", "blank lines", "another", "the stub"],
)
def test_an_answer_that_is_not_the_checked_one_is_told(folder, saved, differs):
    entry = {"outcome": "correct", "best": 1.0, "answer": fingerprint(RIGHT)}
    store.remember("checks", "fx-conv-params", entry)
    if saved is not None:
        write(folder, "fx-conv-params", saved)
    found = progress_of(folder)
    assert found.labs[0].tasks[0].differs is differs
    assert ("right, saved cell differs" in found.text) is differs
    assert ("Save the notebook, or run the cell" in found.text) is differs
    assert found.labs[0].earned == 40


def test_a_cell_that_is_missing_is_not_begun(folder):
    notebook = json.loads((folder / f"{LAB}.ipynb").read_text())
    notebook["cells"] = [c for c in notebook["cells"] if c["id"] != "fx-mask"]
    (folder / f"{LAB}.ipynb").write_text(json.dumps(notebook))
    assert standings(progress_of(folder))["fx-mask"] == "not begun"


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "{}", '{"cells": []}', '{"metadata": [], "cells": []}', "\ufeff",
     '{"metadata": {}, "cells": 3}', '{"metadata": {}, "cells": [{"source": ""}]}', "[" * 5000,
     '{"metadata": {}, "cells": [{"metadata": {"efficientdl": {"role": "exercise", "task": "a"}},'
     ' "source": 3}]}'],
)  # fmt: skip
def test_a_notebook_that_cannot_be_read_is_one_line(folder, text):
    (folder / "01_costs.ipynb").write_text(text, encoding="utf-8")
    (folder / "02_pruning.ipynb").mkdir()
    (folder / "03_low_rank.ipynb").symlink_to("nowhere")
    found = progress_of(folder)
    assert found.remarks == tuple(
        f"{name}.ipynb cannot be read as a notebook."
        for name in ("01_costs", "02_pruning", "03_low_rank")
    )
    assert [lab.lab for lab in found.labs] == [LAB]
    assert found.text.endswith(found.remarks[-1])


def test_copies_and_strange_labs_are_remarks(folder):
    text = (folder / f"{LAB}.ipynb").read_text()
    (folder / f"{LAB}-Copy1.ipynb").write_text(text)
    (folder / "17_mine.ipynb").write_text('{"metadata": {}, "cells": []}')
    write(folder, "fx-conv-params", RIGHT)
    os.utime(folder / f"{LAB}.ipynb", (1e9, 1e9))  # the copy is newer, and does not count
    found = progress_of(folder)
    assert standings(found)["fx-conv-params"] == "written, not checked"
    assert found.remarks == (
        "17_mine.ipynb is no lab of this course.",
        f"{LAB}-Copy1.ipynb is a second notebook of {LAB}; it is not counted.",
    )


def test_of_renamed_notebooks_the_newest_counts(folder):
    text = (folder / f"{LAB}.ipynb").read_text()
    (folder / f"{LAB}.ipynb").unlink()
    for name, age in (("90_old", 1e9), ("90_new", 1.5e9)):
        (folder / f"{name}.ipynb").write_text(text)
        os.utime(folder / f"{name}.ipynb", (age, age))
    found = progress_of(folder)
    assert found.remarks == (f"90_old.ipynb is a second notebook of {LAB}; it is not counted.",)


def test_labs_may_stand_in_a_folder_below(course, folder, tmp_path):
    (tmp_path / "labs").mkdir()
    assert lab_folder(tmp_path) == tmp_path
    (tmp_path / "labs" / "01_costs.ipynb").write_text("{}")
    assert lab_folder(tmp_path) == tmp_path
    (folder / f"{LAB}.ipynb").rename(tmp_path / "labs" / f"{LAB}.ipynb")
    assert lab_folder(tmp_path) == tmp_path / "labs"
    notes = tmp_path / "labs" / ".progress" / "progress.json"
    notes.parent.mkdir()
    notes.write_text('{"checks": {"fx-conv-params": {"outcome": "correct", "best": 1.0}}}')
    assert progress_of(tmp_path).labs[0].earned == 40


@pytest.mark.parametrize("text", ["{", "[]", '{"checks": 3}', '{"checks": {"a": "b"}}'])
def test_notes_that_cannot_be_read_are_left_alone(folder, text):
    notes = folder / ".progress" / "progress.json"
    notes.parent.mkdir()
    notes.write_text(text)
    found = progress_of(folder)
    assert found.remarks[-1] == "The notes of the checks, .progress/progress.json, cannot be read."
    assert [lab.lab for lab in found.labs] == [LAB]
    assert notes.read_text() == text


def test_json_says_the_same(folder):
    store.remember("checks", "fx-mask", {"outcome": "partial", "best": 0.5})
    found = progress_of(folder).to_json()
    assert json.loads(json.dumps(found)) == found | {"labs": json.loads(json.dumps(found["labs"]))}
    assert (found["earned"], found["points"], found["remarks"]) == (20, 100, [])
    (lab,) = found["labs"]
    assert (lab["lab"], lab["earned"], lab["points"]) == (LAB, 20, 100)
    assert lab["tasks"][1] == {
        "id": "fx-mask", "title": "Keep the largest weights", "standing": "partly right",
        "earned": 20, "points": 40, "differs": True,
    }  # fmt: skip


def test_no_folder(course, tmp_path):
    with pytest.raises(ValueError, match="progress: folder must be a folder, got"):
        progress_of(tmp_path / "nowhere")


def test_a_static_page_lists_what_was_begun_and_reads_no_notebook(folder, monkeypatch):
    write(folder, "fx-conv-params", RIGHT)
    (folder / "17_mine.ipynb").write_text("{")
    store.remember("checks", "fx-mask", {"outcome": "partial", "best": 0.5})
    monkeypatch.setenv("EFFICIENTDL_UI", "static")
    lines = course_progress().text.splitlines()
    assert lines[0].startswith("20 of 40 points")
    assert len(lines) == 6
    assert lines[4].startswith("Keep the largest weights")
    assert lines[4].split()[-5:] == ["partly", "right", "20", "of", "40"]
    assert lines[5].split() == ["all", "of", "it", LAB, "20", "of", "40"]


def test_points_are_not_lost_to_rounding(folder):
    share = math.nextafter(0.7, 0)
    assert int(40 * share) == 27
    store.remember("checks", "fx-mask", {"outcome": "partial", "best": share})
    assert progress_of(folder).labs[0].earned == 28
