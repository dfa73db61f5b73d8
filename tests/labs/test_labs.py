"""Every lab: built from its source, runs, keeps its outputs, its tasks tell right from wrong."""

import ast
from pathlib import Path

import pytest

from efficientdl.course.build import read_notebook, stale
from efficientdl.course.outcome import Kind
from efficientdl.course.source import read_lab
from efficientdl.course.targets import public_case
from tests.labs import answers, conventions, runs

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "solutions").glob("[0-9][0-9]_*.py"))
LABS = [path.stem for path in SOURCES]

each_lab = pytest.mark.parametrize("lab", LABS)


def solution(lab):
    return read_notebook(ROOT / "solutions" / f"{lab}.ipynb")


def learner(lab):
    return read_notebook(ROOT / "labs" / f"{lab}.ipynb")


@pytest.mark.slow
@pytest.mark.parametrize("sources", [SOURCES] if SOURCES else [], ids=["all"] if SOURCES else [])
def test_build_check_is_clean(sources):
    assert stale(ROOT, [read_lab(path) for path in sources]) == []


@pytest.mark.slow
@each_lab
def test_solution_runs_within_its_memory(lab, solution_run):
    run = solution_run(lab)
    assert all(cell.execution_count for cell in runs.code_cells(run.notebook))
    assert run.peak_mb <= runs.MEMORY_MB


@pytest.mark.slow
@each_lab
def test_solution_keeps_its_outputs(lab, solution_run):
    assert runs.differences(solution(lab), solution_run(lab).notebook) == []


@pytest.mark.slow
@each_lab
def test_unfinished_lab_raises_once_for_each_task(lab, tmp_path):
    notebook, errors = runs.run_learner(ROOT, lab, tmp_path)
    asked = {
        index: f"NotImplementedError: {id}: {answers.tasks_of(lab)[id].title}"
        for id, index in runs.tasks_in(notebook, "check").items()
    }
    assert errors == asked


@each_lab
def test_learner_file_holds_no_solution_and_is_python(lab):
    source = (ROOT / "solutions" / f"{lab}.py").read_text(encoding="utf-8")
    given = runs.given_lines(source)
    handed_out = {line.strip() for line in runs.all_text(learner(lab)).splitlines()}
    assert not (runs.solution_lines(source) - given) & handed_out
    for cell in runs.code_cells(learner(lab)):
        ast.parse(cell.source)
        assert cell.outputs == []
        assert cell.execution_count is None


@each_lab
def test_lab_keeps_the_conventions(lab):
    assert conventions.violations(solution(lab), lab) == []


@each_lab
def test_solution_meets_its_budgets(lab):
    notebook = solution(lab)
    for index in runs.tasks_in(notebook, "check").values():
        said = "".join(str(output.get("data")) for output in notebook.cells[index].outputs)
        assert "not met" not in said


@each_lab
def test_reference_is_right_and_targets_differ(lab):
    names = runs.namespace(solution(lab))
    for exercise in answers.exercises_of(lab).values():
        _, targets = public_case(exercise)
        assert not answers.constant(targets), exercise.id
        function = answers.function_of(exercise, names)
        assert answers.on_public_cases(exercise, function).kind is Kind.CORRECT, exercise.id


@pytest.mark.slow
@each_lab
def test_mutants_are_wrong(lab):
    names = runs.namespace(solution(lab))
    found = answers.survivors(lab, names, answers.mutants_of(lab), answers.on_public_cases)
    assert found == []


@pytest.mark.full
@each_lab
def test_fresh_inputs_tell_right_from_wrong(lab):
    names, again = runs.namespace(solution(lab)), runs.namespace(solution(lab))
    for seed in range(1, 51):

        def fresh(exercise, function, seed=seed):
            reference = answers.function_of(exercise, names)
            return answers.on_fresh_cases(exercise, reference, function, seed)

        for exercise in answers.exercises_of(lab).values():
            function = answers.function_of(exercise, again)
            assert fresh(exercise, function).kind is Kind.CORRECT, (exercise.id, seed)
        assert answers.survivors(lab, names, answers.mutants_of(lab), fresh) == [], seed
