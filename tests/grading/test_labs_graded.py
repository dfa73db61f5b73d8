"""Every lab through the real grader: its solution earns everything, three wrong answers nothing."""

from pathlib import Path

import nbformat
import pytest

from efficientdl.course.exercise import Challenge, Exercise
from efficientdl.course.outcome import Kind
from efficientdl.grading.grader import grade
from efficientdl.grading.handed_in import HandedIn
from efficientdl.grading.release import find_release, labs
from tests.labs.answers import FEWEST_MUTANTS, mutants_of

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.slow
each_lab = pytest.mark.parametrize("lab", labs(ROOT))


def handed_in(lab, answers=None):
    """The solution, with some of its answers replaced."""
    notebook = nbformat.read(ROOT / "solutions" / f"{lab}.ipynb", 4)
    for cell in notebook.cells:
        cell.source = (answers or {}).get(cell.id, cell.source)
    return HandedIn(f"{lab}.ipynb", nbformat.writes(notebook).encode())


@each_lab
def test_the_solution_earns_everything(lab):
    score = grade(handed_in(lab), root=ROOT)
    assert {task.id: task.outcome for task in score.exercises} == dict.fromkeys(
        find_release(ROOT, lab).graded, Kind.CORRECT
    )
    assert score.earned == score.points == 100
    assert score.ungraded == 0


@each_lab
@pytest.mark.parametrize("k", range(FEWEST_MUTANTS))
def test_wrong_answers_are_refused(lab, k):
    """The k-th mutant of every exercise in one submission; each is refused."""
    graded = find_release(ROOT, lab).graded
    answers = {id: sources[k] for id, sources in mutants_of(lab).items()}
    assert answers.keys() == {id for id, task in graded.items() if isinstance(task, Exercise)}
    answers |= {id: "" for id, task in graded.items() if isinstance(task, Challenge)}
    score = grade(handed_in(lab, answers), root=ROOT)
    for task in score.exercises:
        assert task.outcome is not Kind.CORRECT, task.id
        assert task.outcome is not Kind.INTERNAL_ERROR, task.message
        assert task.earned < task.points
