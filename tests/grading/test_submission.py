"""The static stage: answers are found by id, everything else is left behind, nothing is run."""

import json
from pathlib import Path

import pytest

from efficientdl.grading.handed_in import LARGEST_NOTEBOOK_BYTES, HandedIn, read_handed_in
from efficientdl.grading.release import find_release
from efficientdl.grading.submission import lab_named, read_submission

ROOT = Path(__file__).parents[2]
ID = "start-stored-bytes"
ANSWER = "def stored_bytes(weights, bits):\n    return -(-weights * bits // 8)\n"


@pytest.fixture(scope="module")
def release():
    return find_release(ROOT, "00")


@pytest.fixture
def notebook():
    return json.loads((ROOT / "labs" / "00_start_here.ipynb").read_text(encoding="utf-8"))


def cell(notebook, id=ID):
    return next(cell for cell in notebook["cells"] if cell.get("id") == id)


def read(notebook, release):
    data = notebook if isinstance(notebook, bytes) else json.dumps(notebook).encode()
    return read_submission(HandedIn("x.ipynb", data), release)


def code(source, **more):
    made = {"cell_type": "code", "id": "mine", "metadata": {}, "source": source, "outputs": []}
    return {**made, "execution_count": None, **more}


def test_as_handed_out_nothing_is_answered(notebook, release):
    found = read(notebook, release)
    assert not found.answers
    assert not found.notes
    assert found.release == release.digest
    assert lab_named(HandedIn("x", json.dumps(notebook).encode())) == "00_start_here"


@pytest.mark.parametrize("form", [ANSWER, ANSWER.splitlines(keepends=True)], ids=["text", "lines"])
def test_an_answer_is_found_by_its_id(notebook, release, form):
    cell(notebook)["source"] = form
    assert read(notebook, release).answers == {ID: ANSWER}


def test_an_answer_is_found_by_its_metadata_where_an_editor_gave_new_ids(notebook, release):
    cell(notebook)["source"] = ANSWER
    for entry in notebook["cells"]:
        del entry["id"]
    assert read(notebook, release).answers == {ID: ANSWER}


def test_white_space_does_not_make_a_stub_an_answer(notebook, release):
    cell(notebook)["source"] = "\n\n" + "".join(cell(notebook)["source"]).replace("    ", "\t")
    assert not read(notebook, release).answers


def test_of_two_answers_the_one_with_the_id_counts_and_it_is_said(notebook, release):
    copy = json.loads(json.dumps(cell(notebook)))
    copy |= {"id": "copied", "source": ANSWER.replace("8", "9")}
    cell(notebook)["source"] = ANSWER
    notebook["cells"].insert(0, copy)
    found = read(notebook, release)
    assert found.answers == {ID: ANSWER}
    assert found.notes == (
        f"2 cells are marked as the answer to {ID}; the first of them was graded.",
    )


def test_a_copy_counts_where_the_original_is_still_the_stub(notebook, release):
    notebook["cells"].append({**cell(notebook), "id": "copied", "source": ANSWER})
    found = read(notebook, release)
    assert found.answers == {ID: ANSWER}
    assert not found.notes


def test_cells_of_ones_own_are_left_behind_and_it_is_said(notebook, release):
    notebook["cells"].append(code("helper = 1"))
    checking = cell(notebook, f"{ID}-check")
    checking["source"] = "def check(id): pass"
    found = read(notebook, release)
    assert found.notes == (
        "2 cells that were added or changed did not count: only answers are graded.",
    )


def test_magics_are_read_as_the_python_that_they_are(notebook, release):
    cell(notebook)["source"] = "%time 1\n" + ANSWER
    assert read(notebook, release).answers[ID].startswith("get_ipython().run_line_magic(")


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("def f(:\n  pass", "your cell is not valid Python: invalid syntax, in line 1"),
        ("x = 1\n  y = 2", "your cell is not valid Python: unexpected indent, in line 2"),
        ("(" * 300 + ")" * 300, "nested"),
        ("x = '\x00'", "your cell is not valid Python"),
    ],
)
def test_what_is_no_python_is_said_with_its_line(notebook, release, source, said):
    cell(notebook)["source"] = source
    assert said in read(notebook, release).broken[ID]


def test_an_answer_without_end_is_not_read(notebook, release):
    cell(notebook)["source"] = "x = 1\n" * 20_000
    found = read(notebook, release)
    assert not found.answers
    assert "longer than 100,000 characters" in found.notes[0]


def test_another_lab_and_another_release_are_said(notebook, release):
    notebook["metadata"]["efficientdl"] |= {"lab": "01_costs"}
    assert "of lab 01_costs; it is graded as 00_start_here" in read(notebook, release).notes[0]
    notebook["metadata"]["efficientdl"] |= {"lab": "00_start_here", "release": "0" * 16}
    assert "another release" in read(notebook, release).notes[0]


BROKEN = {
    "is not JSON": b"{",
    "is not text in UTF-8": '{"cells": "é"}'.encode("latin-1"),
    "is no notebook of format 4": b'{"worksheets": []}',
    "is not JSON, so": b"[" * 200_000,
    "has more than 2000 cells": json.dumps({"cells": [{}] * 2001}).encode(),
    "is larger than 20 MB": b" " * (LARGEST_NOTEBOOK_BYTES + 1),
}


@pytest.mark.parametrize("said", BROKEN)
def test_a_file_that_is_no_notebook_has_no_answers_and_says_why(release, said):
    found = read(BROKEN[said], release)
    assert said in found.notes[0]
    assert not found.answers
    assert lab_named(found.handed_in) is None


ODD = [None, 3, "text", [], {}, {"cell_type": "code"}, {"cell_type": "code", "source": 3}]


def test_cells_that_are_none_are_passed_over(notebook, release):
    cell(notebook)["source"] = ANSWER
    notebook["cells"] += [*ODD, code("x", metadata=3), code("y", metadata={"efficientdl": 3})]
    notebook["metadata"]["efficientdl"] = []
    assert read(notebook, release).answers == {ID: ANSWER}


def test_half_characters_do_not_stop_it(notebook, release):
    cell(notebook)["source"] = ANSWER + "# \ud800"
    assert read(notebook, release).answers[ID].strip() == ANSWER + "# ?"


def test_only_so_much_is_read_from_disk(tmp_path):
    path = tmp_path / "large.ipynb"
    with path.open("wb") as file:
        file.truncate(200 * 2**20)
    assert len(read_handed_in(path).data) == LARGEST_NOTEBOOK_BYTES + 1


def test_artefacts_beside_a_notebook_are_handed_in_with_it(tmp_path):
    (tmp_path / "x.ipynb").write_bytes(b"{}")
    beside = tmp_path / "artefacts" / "01_costs"
    beside.mkdir(parents=True)
    (beside / "costs-budget.json").write_bytes(b"[]")
    (tmp_path / "secret").write_bytes(b"secret")
    (beside / "link.json").symlink_to(tmp_path / "secret")
    found = read_handed_in(tmp_path / "x.ipynb")
    assert found.artefacts == {"costs-budget": b"[]"}
    assert found.sha256 != HandedIn("x.ipynb", b"{}").sha256


def test_what_is_no_file_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"grade: submission must be a notebook's file"):
        read_handed_in(tmp_path)
