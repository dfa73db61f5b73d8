"""`efficientdl class grade`, as a teacher uses it: a folder in, tables, pages and a journal out."""

import csv
import json
import zipfile

import nbformat
import pytest

from efficientdl import cli
from efficientdl.grading.classroom.children import Children

pytestmark = pytest.mark.slow


@pytest.fixture
def classroom(small, tmp_path):
    """Four hand-ins: all right, untouched, not a notebook, and a zip with a wrong answer."""
    folder = tmp_path / "submissions"
    folder.mkdir()
    solved = (small / "solutions" / "91_small.ipynb").read_text(encoding="utf-8")
    (folder / "learner-01.ipynb").write_text(solved, encoding="utf-8")
    (folder / "learner-02.ipynb").write_bytes((small / "labs" / "91_small.ipynb").read_bytes())
    (folder / "learner-03.ipynb").write_bytes(b"not a notebook")
    wrong = nbformat.reads(solved, 4)
    for cell in wrong.cells:
        if cell.id == "sm-label":
            cell.source = "def label(number):\n    raise ValueError('<script>alert(1)</script>')"
    with zipfile.ZipFile(folder / "learner-04.zip", "w") as file:
        file.writestr("lab/91_small.ipynb", nbformat.writes(wrong))
    return folder


def run(small, folder, out, capsys):
    words = ["class", "grade", str(folder), "-o", str(out), "--course", str(small), "--lab", "91"]
    code = cli.main(words)
    return code, capsys.readouterr()


def test_a_class_is_graded_and_all_that_comes_of_it_is_written(
    small,
    classroom,
    tmp_path,
    capsys,
):
    out = tmp_path / "out"
    code, said = run(small, classroom, out, capsys)
    assert code == 0, said.err
    assert "4 submissions: 4 graded (0 of them before)" in said.out
    with (out / "gradebook.csv").open(encoding="utf-8-sig", newline="") as file:
        totals = {row["learner"]: float(row["total"]) for row in csv.DictReader(file)}
    assert totals == {"learner-01": 95, "learner-02": 0, "learner-03": 0, "learner-04": 75}
    page = (out / "class.html").read_text(encoding="utf-8")
    assert "Name a number" in page
    reports = sorted(path.name for path in (out / "reports").iterdir())
    assert [name[:10] for name in reports] == [f"learner-0{i}" for i in (1, 2, 3, 4)]
    assert "<script" not in page
    assert not any("<script" in path.read_text("utf-8") for path in (out / "reports").iterdir())


def test_the_second_run_grades_only_what_changed(
    small,
    classroom,
    tmp_path,
    capsys,
    monkeypatch,
):
    out = tmp_path / "out"
    run(small, classroom, out, capsys)
    begun, grade = [], Children.grade

    def counted(self, job):
        begun.append(job["name"])
        return grade(self, job)

    monkeypatch.setattr(Children, "grade", counted)
    (classroom / "learner-02.ipynb").write_bytes((classroom / "learner-01.ipynb").read_bytes())
    code, said = run(small, classroom, out, capsys)
    assert code == 0
    assert begun == ["learner-02.ipynb"]
    lines = (out / "results.jsonl").read_text(encoding="utf-8").splitlines()
    totals = {e["learner"]: e["score"]["total"]["earned"] for e in map(json.loads, lines)}
    assert totals["learner-02"] == 95
    assert "3 of them before" in said.out


def test_bad_input_is_one_sentence(tmp_path, capsys):
    code = cli.main(["class", "grade", str(tmp_path / "none"), "-o", str(tmp_path / "out")])
    assert code == 2
    assert capsys.readouterr().err.startswith("efficientdl class: ")
