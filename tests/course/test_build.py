"""Building a checkout, and telling what is stale."""

import json

import pytest

from efficientdl.course.build import build, read_notebook

NAME = "90_fixture"


def edit(path, change):
    """Change a JSON file in place."""
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))


def test_what_was_built_is_clean(copy):
    assert build(copy, check=True) == []
    assert not (copy / "efficientdl").exists()


def test_solution_was_run(built):
    notebook = read_notebook(built / "solutions" / f"{NAME}.ipynb")
    counts = [cell.execution_count for cell in notebook.cells if cell.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1))
    text = (built / "solutions" / f"{NAME}.ipynb").read_text()
    assert "correct: 12 of 12 cases · 40 points" in text
    assert "papermill" not in text
    assert "widgets" not in notebook.metadata


def test_nothing_is_run_when_nothing_changed(copy, monkeypatch):
    monkeypatch.setattr("efficientdl.course.build.execute", None)
    before = {path: path.read_bytes() for path in copy.rglob("*.ipynb")}
    assert build(copy) == []
    assert {path: path.read_bytes() for path in copy.rglob("*.ipynb")} == before


def learner_edited(root):
    path = root / "labs" / f"{NAME}.ipynb"
    edit(path, lambda nb: nb["cells"][0].update(source=["mine"]))
    return [f"labs/{NAME}.ipynb is not what solutions/{NAME}.py makes: run `efficientdl build`"]


def learner_missing(root):
    (root / "labs" / f"{NAME}.ipynb").unlink()
    return [f"labs/{NAME}.ipynb is not what"]


def solution_missing(root):
    (root / "solutions" / f"{NAME}.ipynb").unlink()
    return [f"solutions/{NAME}.ipynb is missing"]


def source_edited(root):
    path = root / "solutions" / f"{NAME}.py"
    path.write_text(path.read_text().replace("A small lab", "A lab"))
    return [f"labs/{NAME}.ipynb is not what", f"solutions/{NAME}.ipynb is not what"]


def tasks_edited(root):
    path = root / "exercises" / "lab_90.py"
    path.write_text(path.read_text() + "\n# another judge\n")
    return [f"labs/{NAME}.ipynb is not what", f"solutions/{NAME}.ipynb is not what"]


def not_run(root):
    path = root / "solutions" / f"{NAME}.ipynb"
    edit(path, lambda nb: nb["cells"][2].update(execution_count=None))
    return [f"solutions/{NAME}.ipynb, cell 3 was not run: run `efficientdl build` --force"]


def ends_in_error(root):
    error = {"output_type": "error", "ename": "KeyError", "evalue": "'a'", "traceback": []}
    path = root / "solutions" / f"{NAME}.ipynb"
    edit(path, lambda nb: nb["cells"][2].update(outputs=[error]))
    return [f"solutions/{NAME}.ipynb, cell 3 ends in KeyError: 'a'"]


def no_notebook(root):
    (root / "solutions" / f"{NAME}.ipynb").write_text("{}")
    return [f"notebook: solutions/{NAME}.ipynb must be a notebook (JSON, format 4)"]


def no_targets(root):
    (root / "targets" / f"{NAME}.json").unlink()
    return [f"targets/{NAME}.json has no targets for the inputs of {id}" for id in
            ("fx-conv-params", "fx-mask")]  # fmt: skip


def targets_drifted(root):
    path = root / "targets" / f"{NAME}.json"
    edit(path, lambda data: data["exercises"]["fx-mask"].update(inputs="0"))
    return [f"targets/{NAME}.json has no targets for the inputs of fx-mask"]


def targets_too_many(root):
    path = root / "targets" / f"{NAME}.json"
    edit(path, lambda data: data["exercises"].update({"fx-old": {"inputs": "", "targets": []}}))
    return [f"targets/{NAME}.json has targets of fx-old, which is not asked"]


def targets_broken(root):
    (root / "targets" / f"{NAME}.json").write_text("{")
    return ["check: targets must be a file that the build wrote"]


def stray(root):
    for folder in ("labs", "solutions"):
        (root / folder / "91_old.ipynb").write_text("{}")
    return [f"{folder}/91_old.ipynb has no source solutions/91_old.py" for folder in
            ("labs", "solutions")]  # fmt: skip


DAMAGES = [learner_edited, learner_missing, solution_missing, source_edited, tasks_edited, not_run,
           ends_in_error, no_notebook, no_targets, targets_drifted, targets_too_many,
           targets_broken, stray]  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda f: f.__name__)
def test_check_names_what_is_stale_and_writes_nothing(copy, damage):
    wanted = damage(copy)
    before = {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()}
    problems = build(copy, check=True)
    assert len(problems) == len(wanted)
    for problem, start in zip(problems, wanted, strict=True):
        assert problem.startswith(start)
    after = {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()}
    assert {p: b for p, b in after.items() if "__pycache__" not in p.parts} == {
        p: b for p, b in before.items() if "__pycache__" not in p.parts
    }


def test_outputs_are_not_compared(copy):
    path = copy / "solutions" / f"{NAME}.ipynb"
    edit(path, lambda nb: nb["cells"][2].update(outputs=[]))
    assert build(copy, check=True) == []


@pytest.mark.slow
def test_build_mends_what_is_stale(copy):
    source_edited(copy)
    (copy / "targets" / f"{NAME}.json").unlink()
    assert build(copy) == []
    assert build(copy, check=True) == []
    assert "# A lab" in (copy / "labs" / f"{NAME}.ipynb").read_text()


@pytest.mark.slow
def test_a_solution_that_fails_is_not_written(copy):
    path = copy / "solutions" / f"{NAME}.py"
    path.write_text(path.read_text().replace("return c_out * one_filter", "return one"))
    before = (copy / "solutions" / f"{NAME}.ipynb").read_bytes()
    problems = build(copy)
    said = f"solutions/{NAME}.py, cell 8 ends in BadValue: check: solution must answer: "
    assert problems[0].startswith(said)
    assert "NameError: name 'one' is not defined" in problems[0]
    assert (copy / "solutions" / f"{NAME}.ipynb").read_bytes() == before


def test_no_checkout(tmp_path):
    with pytest.raises(ValueError, match="build: folder must be a checkout, with solutions/ in it"):
        build(tmp_path)


@pytest.mark.parametrize(
    "text", ["", "3", "[]", "{}", '{"cells": 3}', '{"cells": [], "nbformat": 9}', '{"cells": [1]}',
             '{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [{"a": 1}]}'],
)  # fmt: skip
def test_what_is_no_notebook(tmp_path, text):
    (tmp_path / "a.ipynb").write_text(text)
    with pytest.raises(ValueError, match=r"a.ipynb must be a notebook \(JSON, format 4\)"):
        read_notebook(tmp_path / "a.ipynb")


def test_no_file(tmp_path):
    with pytest.raises(ValueError, match="must be a file that can be read, got 'No such file"):
        read_notebook(tmp_path / "a.ipynb")
