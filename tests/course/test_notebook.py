"""The two notebooks of a source."""

import ast

import jsonschema
import nbformat
import pytest

from efficientdl.course.notebook import (
    PLACEHOLDER,
    learner_notebook,
    notebook_text,
    solution_notebook,
    without_outputs,
)
from efficientdl.course.source import read_lab
from tests.course.test_source import WHOLE

# After nbgrader's own schema 3 (nbgrader/nbgraderformat/v3.json), `task` made required.
NBGRADER = {
    "type": "object",
    "required": ["grade", "locked", "schema_version", "solution", "task"],
    "properties": {
        "schema_version": {"type": "integer", "minimum": 3, "maximum": 3},
        "grade": {"type": "boolean"},
        "solution": {"type": "boolean"},
        "locked": {"type": "boolean"},
        "task": {"type": "boolean"},
        "grade_id": {"type": "string", "pattern": "^[a-zA-Z0-9_\\-]*$"},
        "points": {"type": "number", "minimum": 0},
    },
    "additionalProperties": False,
}


@pytest.fixture
def lab(course):
    return read_lab(course / "solutions" / "90_fixture.py")


def by_id(notebook):
    return {cell.id: cell for cell in notebook.cells}


def test_learner_gets_valid_python_that_is_not_written(lab):
    notebook = learner_notebook(lab)
    answer = by_id(notebook)["fx-mask"].source
    assert answer.endswith(
        "    # YOUR CODE HERE\n"
        '    raise NotImplementedError("fx-mask: Keep the largest weights")'
    )  # fmt: skip
    assert answer.startswith("def mask(weight, sparsity):\n")
    for cell in notebook.cells:
        assert "SOLUTION" not in cell.source
        if cell.cell_type == "code":
            ast.parse(cell.source)
            assert cell.outputs == []
            assert cell.execution_count is None
    assert by_id(notebook)["fx-why"].source == PLACEHOLDER


def test_solution_keeps_the_answer_and_shows_the_rubric(lab):
    cells = by_id(solution_notebook(lab))
    assert cells["fx-bits"].source == (
        'def bits():\n    """Bits of each layer."""\n    return {"bits": (8, 6, 6)}'
    )
    assert cells["fx-why"].source.startswith("Many of them carry little")
    assert cells["fx-why"].source.endswith("- It names the redundancy.\n- It gives a figure.")


def test_several_regions_in_one_cell(course, tmp_path):
    two = "    ### END SOLUTION\n\n    def g():\n        ### BEGIN SOLUTION\n        return 2\n"
    source = WHOLE.replace("    ### END SOLUTION\n", two + "        ### END SOLUTION\n", 1)
    path = tmp_path / "90_fixture.py"
    path.write_text(source)
    answer = by_id(learner_notebook(read_lab(path)))["fx-conv-params"].source
    assert "return" not in answer
    assert answer.count("        raise NotImplementedError") == 1
    assert answer.count("raise NotImplementedError") == 2
    ast.parse(answer)


def test_leads_begin_with_the_heading(lab):
    cells = by_id(learner_notebook(lab))
    assert cells["fx-mask-lead"].source == (
        "**Exercise · Keep the largest weights** ●●● · 8 minutes · 40 points\n\n"
        "Write it yourself: `numpy.partition` and `numpy.argpartition` are not allowed here.\n\n"
        "The two largest of four stay."
    )
    assert "\n\nBudget: weights at most 20 bits; accuracy at least 0.5.\n\n" in (
        cells["fx-bits-lead"].source
    )


def test_nbgrader_metadata_fits_its_schema(lab):
    notebook = learner_notebook(lab)
    graded = {
        cell.id: cell.metadata.nbgrader for cell in notebook.cells if "nbgrader" in cell.metadata
    }
    for metadata in graded.values():
        jsonschema.validate(dict(metadata), NBGRADER)
    ids = [metadata["grade_id"] for metadata in graded.values()]
    assert len(set(ids)) == len(ids)
    for cell in notebook.cells:  # nbgrader's validator: text is graded and answered, or neither
        if cell.cell_type == "markdown" and cell.id in graded:
            assert graded[cell.id]["grade"]
            assert graded[cell.id]["solution"]
    points = {id: m["points"] for id, m in graded.items() if m["grade"]}
    assert points == {
        "fx-conv-params-check": 40, "fx-mask-check": 40, "fx-bits-check": 15, "fx-why": 5,
    }  # fmt: skip
    assert {id for id, m in graded.items() if m["solution"]} == {
        "fx-conv-params", "fx-mask", "fx-bits", "fx-why",
    }  # fmt: skip
    assert all(m["locked"] == (not m["solution"]) for m in graded.values())


def test_time_limits_stand_on_answers_and_checks(lab):
    for notebook in (learner_notebook(lab), solution_notebook(lab)):
        limits = {
            cell.id: cell.metadata.efficientdl.get("time_limit_s")
            for cell in notebook.cells
            if "efficientdl" in cell.metadata
        }
        assert limits == {
            "fx-conv-params-lead": None, "fx-conv-params": 10, "fx-conv-params-check": 10,
            "fx-mask-lead": None, "fx-mask": 20, "fx-mask-check": 20,
            "fx-bits-lead": None, "fx-bits": 60, "fx-bits-check": 60,
            "fx-why-lead": None, "fx-why": None,
        }  # fmt: skip


def test_learner_says_which_release_it_is_of(lab):
    assert learner_notebook(lab).metadata.efficientdl == {
        "lab": "90_fixture", "source": "solutions/90_fixture.py", "release": lab.digest,
    }  # fmt: skip
    assert solution_notebook(lab).metadata.efficientdl.digest == lab.digest


def test_bytes_and_ids_are_stable(lab, course, tmp_path):
    text = notebook_text(learner_notebook(lab))
    assert text == notebook_text(learner_notebook(lab))
    assert text.endswith("}\n")
    source = (course / "solutions" / "90_fixture.py").read_text()
    path = tmp_path / "90_fixture.py"
    path.write_text(source.replace("# ## Predict", "# More.\n\n# %% [markdown]\n# ## Predict"))
    ids, more = ([c.id for c in learner_notebook(x).cells] for x in (lab, read_lab(path)))
    assert [id for id in more if id in ids] == ids
    assert len(more) == len(ids) + 1


def test_ids_are_unique_when_cells_are_alike(course, tmp_path):
    path = tmp_path / "90_fixture.py"
    path.write_text(WHOLE + "# %%\n1 + 1\n\n# %%\n1 + 1\n")
    ids = [cell.id for cell in learner_notebook(read_lab(path)).cells]
    assert len(set(ids)) == len(ids)
    assert ids[-1] == f"{ids[-2]}-2"


def test_without_outputs_undoes_a_run(lab):
    bare = solution_notebook(lab)
    ran = solution_notebook(lab)
    ran.cells[1].execution_count = 3
    ran.cells[1].outputs = [nbformat.v4.new_output("stream", text="x")]
    ran.metadata["widgets"] = {"state": {}}
    assert notebook_text(without_outputs(ran)) == notebook_text(bare)
    assert ran.cells[1].execution_count == 3
