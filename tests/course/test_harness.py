"""The harness for labs, on the fixture lab: what it runs, and what its rules catch."""

import copy as copying
import dataclasses

import nbformat
import pytest

from efficientdl.course.build import read_notebook
from efficientdl.course.outcome import Kind
from efficientdl.course.registry import tasks_of
from tests.course.conftest import FIXTURE, LAB
from tests.labs import answers, conventions, runs
from tests.labs import conventions as c

MUTANTS = {
    "fx-conv-params": [
        "def conv_params(a, b, k):\n    return a * b * k",
        "def conv_params(a, b, k):\n    return a * b * k * k + b",
        "conv_params = lambda *a: 336",
    ],
    "fx-mask": [
        "def mask(w, s):\n    return np.abs(w) > s",
        "def mask(w, s):\n    return np.ones(w.shape, bool)",
        "def mask(w, s):\n    raise NotImplementedError",
    ],
}


@pytest.fixture
def solution(course):
    return read_notebook(course / "solutions" / f"{LAB}.ipynb")


@pytest.fixture
def names(solution):
    return runs.namespace(solution)


@pytest.mark.slow
def test_papermill_run_equals_the_committed_outputs(course, solution, tmp_path, monkeypatch):
    monkeypatch.setenv("EFFICIENTDL_CHECK", "compare")
    run = runs.run_solution(course, LAB, tmp_path)
    assert runs.differences(solution, run.notebook) == []
    assert 20 < run.peak_mb < runs.MEMORY_MB
    assert len(run.notebook.cells) == len(solution.cells)


def test_differences_are_found_and_ignored_where_tagged(solution):
    changed = copying.deepcopy(solution)
    cells = runs.code_cells(changed)
    cells[2].outputs[0].data["text/plain"] = "something else"
    tagged = [cell for cell in cells if "nbval-ignore-output" in runs.tags(cell)]
    tagged[0].outputs[0].text = "another figure"
    (said,) = runs.differences(solution, changed)
    assert said.startswith("code cell 3")
    assert "something else" in said


@pytest.mark.slow
def test_unfinished_lab_raises_once_for_each_task(course, tmp_path):
    notebook, errors = runs.run_learner(course, LAB, tmp_path)
    checks = runs.tasks_in(notebook, "check")
    assert errors == {
        checks[id]: f"NotImplementedError: {id}: {tasks_of(LAB)[id].title}"
        for id in ("fx-conv-params", "fx-mask", "fx-bits")
    }


def test_lines_of_a_source():
    source = (FIXTURE / "solutions" / f"{LAB}.py").read_text()
    assert "return c_out * one_filter" in runs.solution_lines(source)
    assert "return c_out * one_filter" not in runs.given_lines(source)
    assert "def bits():" in runs.given_lines(source)


def test_reference_is_right_without_running_the_lab(names):
    for exercise in answers.exercises_of(LAB).values():
        function = answers.function_of(exercise, names)
        assert answers.on_public_cases(exercise, function).kind is Kind.CORRECT
        fresh = answers.on_fresh_cases(exercise, function, function, seed=1)
        assert fresh.kind is Kind.CORRECT


def test_mutants_are_caught(names):
    assert answers.survivors(LAB, names, MUTANTS, answers.on_public_cases) == []


def test_survivors_are_named(names):
    right = "def conv_params(a, b, k):\n    return a * b * k * k"
    mutants = {"fx-conv-params": [right, right], "fx-old": []}
    found = answers.survivors(LAB, names, mutants, answers.on_public_cases)
    assert found == [
        "fx-conv-params has 2 mutants, fewer than 3",
        "fx-conv-params: mutant 1 is taken for right",
        "fx-conv-params: mutant 2 is taken for right",
        "fx-mask has 0 mutants, fewer than 3",
        "mutants of fx-old, which is no exercise of 90_fixture",
    ]


def test_a_reference_that_fails_on_fresh_inputs_is_named(names):
    exercise = answers.exercises_of(LAB)["fx-conv-params"]
    outcome = answers.on_fresh_cases(exercise, lambda *a: 1 / 0, lambda *a: 1, seed=1)
    assert outcome.kind is Kind.INTERNAL_ERROR


def test_a_constant_target_is_seen():
    assert answers.constant([1, 1])
    assert not answers.constant([1, 2])


def test_fixture_breaks_one_convention_only(solution):
    assert conventions.violations(solution, LAB) == ["2 exercises, not 6 to 9"]


def code(*sources):
    cells = [nbformat.v4.new_code_cell(source, id=f"c{i}") for i, source in enumerate(sources)]
    return nbformat.v4.new_notebook(cells=cells)


def text(*sources):
    cells = [nbformat.v4.new_markdown_cell(source, id=f"c{i}") for i, source in enumerate(sources)]
    return nbformat.v4.new_notebook(cells=cells)


@pytest.mark.parametrize(
    ("rule", "bad", "said", "good"),
    [
        (c.code_lengths, code("x\n" * 21, "1"), "21 lines of code", code("x\n\n" * 20, "1")),
        (c.code_lengths, code("x\n" * 7), "only 0 of 1", code("x\n" * 7, "1")),
        (c.rows_of_code, code("1", "2", "3"), "c2 is the third", code("1", "2")),
        (c.text_lengths, text("word " * 121), "121 words", text("word - " * 120)),
        (c.calm_code, code("!pip install x"), "shell line", code("a = 5 % 3 != 2")),
        (c.calm_code, code("x\n%time f()"), "a magic", code("x = '%'")),
        (c.calm_code, code("import sys\nsys.path.append('a')"), "uses sys.path", code("1")),
        (c.calm_code, code("from urllib.request import urlopen"), "imports urllib", code("1")),
        (c.calm_code, code("import numpy, requests"), "imports requests", code("1")),
        (c.calm_code, code("open('/home/me/x')"), "an absolute path", code("'a/home/b'")),
        (c.calm_code, code("get('https://x.org')"), "an address", code("'http'")),
        (c.parameters, code("SEED = 0\nFAST = 1"), "must be tagged parameters", None),
        (c.images, text("![](a.png)"), "without words", text("![A bar chart](a.png)")),
        (c.images, text("<img src='a'>"), "without words", text("<img alt='A' src='a'>")),
        (c.images, text("<svg></svg>"), "without words", text("<svg><title>A</title></svg>")),
        (c.headings, text("## Two"), "begins with one title", text("# One\n\n## Two")),
        (c.headings, text("# One", "# Two"), "begins with one title", text("# One")),
        (c.headings, text("# One\n### Three"), "'Three' skips", text("# A\n```\n### x\n```")),
    ],
)  # fmt: skip
def test_each_rule_catches_its_violation(rule, bad, said, good):
    found = list(rule(bad))
    assert any(said in line for line in found), found
    assert good is None or list(rule(good)) == []


def test_parameters_must_be_set_where_they_are_tagged(solution):
    first = runs.code_cells(solution)[0]
    assert list(conventions.parameters(solution)) == []
    first.source = "SEED = 0"
    assert len(list(conventions.parameters(solution))) == 1


def test_pictures_in_outputs_need_words(solution):
    html = nbformat.v4.new_output("display_data", data={"text/html": "<svg></svg>"})
    runs.code_cells(solution)[0].outputs = [html]
    assert len(list(conventions.images(solution))) == 1


def test_rules_of_exercises_are_checked(solution, monkeypatch):
    assert list(conventions.rules_of(solution, LAB)) == []
    asked = tasks_of(LAB)["fx-mask"]

    def said(*forbids):
        changed = dataclasses.replace(asked, forbids=forbids)
        monkeypatch.setattr(conventions, "tasks_of", lambda lab: {"fx-mask": changed})
        return list(conventions.rules_of(solution, LAB))

    assert said("numpy.argpartitions", "no_such.module") == [
        "fx-mask forbids numpy.argpartitions, which is not there",
        "fx-mask forbids no_such.module, which is not there",
    ]
    assert said("numpy.argsort")[0].startswith("the reference of fx-mask breaks its rule: write")
    assert said("jsonschema.validate") == [
        "fx-mask forbids jsonschema.validate, and not jsonschema.validators.validate, "
        "where it comes from"
    ]
    assert said("jsonschema.validate", "jsonschema.validators") == []
