"""nbgrader as a peer: it takes our notebooks as they are, and grades them as we mean them.

It is no dependency. `EFFICIENTDL_NBGRADER` names a Python that has it and efficientdl; without
that, and without nbgrader where the tests run, these tests skip.
"""

from pathlib import Path

import nbformat
import pytest

from benchmarks.peers import Course, python_of
from benchmarks.peers.course import problems
from efficientdl.course.registry import tasks_of

ROOT = Path(__file__).parents[2]
LABS = sorted(path.stem for path in (ROOT / "labs").glob("[0-9][0-9]_*.ipynb"))
FILES = sorted([*(ROOT / "labs").glob("*.ipynb"), *(ROOT / "solutions").glob("*.ipynb")])


@pytest.fixture(scope="module")
def python():
    found = python_of("nbgrader")
    if found is None:
        pytest.skip("no nbgrader: EFFICIENTDL_NBGRADER must name a Python that has it")
    return found


def read(folder, lab):
    return nbformat.read(ROOT / folder / f"{lab}.ipynb", as_version=4)


def sources(notebook):
    return [(cell.cell_type, cell.source) for cell in notebook.cells]


@pytest.fixture(scope="module")
def course_of(python, tmp_path_factory):
    """`f(lab) -> Course`, the assignment made from the learner's notebook, once."""
    made = {}

    def prepared(lab):
        if lab not in made:
            course = Course(python, tmp_path_factory.mktemp(lab))
            done = course.prepare(read("labs", lab))
            assert done.code == 0, done.reason()
            made[lab] = course
        return made[lab]

    return prepared


def graded(course, lab):
    """What nbgrader gives for a solved lab and for one as it is handed out: points by cell."""
    course.hand_in("solved", read("solutions", lab))
    course.hand_in("unsolved", read("labs", lab))
    done = course.autograde()
    assert done.code == 0, done.reason()
    return course.points()


def all_or_nothing(lab, *, solved):
    """The points of each graded cell of a lab; an answered question in words waits to be read."""
    wanted = {}
    for id, task in tasks_of(lab).items():
        if type(task).__name__ == "Written":
            wanted[id] = [None if solved else 0.0, float(task.points)]
        else:
            wanted[f"{id}-check"] = [float(task.points) if solved else 0.0, float(task.points)]
    return wanted


def both(lab):
    return {f"{p}solved": all_or_nothing(lab, solved=not p) for p in ("", "un")}


def test_every_lab_is_tried():
    assert LABS
    assert len(FILES) == 2 * len(LABS)


@pytest.mark.slow
def test_metadata_of_every_notebook_is_valid(python):
    assert problems(python, FILES) == {}


@pytest.mark.slow
def test_the_validator_sees_what_is_wrong(python, tmp_path):
    spoilt = {}
    for name in ("twice", "no-points", "strange-key"):
        spoilt[name] = read("labs", LABS[0])
    checks = [c for c in spoilt["twice"].cells if "nbgrader" in c.metadata]
    checks[1].metadata.nbgrader.grade_id = checks[0].metadata.nbgrader.grade_id
    for cell in spoilt["no-points"].cells:
        cell.metadata.get("nbgrader", {}).pop("points", None)
    next(c for c in spoilt["strange-key"].cells if "nbgrader" in c.metadata).metadata.nbgrader.x = 1
    files = [tmp_path / f"{name}.ipynb" for name in spoilt]
    for file, notebook in zip(files, spoilt.values(), strict=True):
        nbformat.write(notebook, file)
    said = problems(python, files)
    assert "Duplicate grade id" in said[str(files[0])]
    assert "does not have points" in said[str(files[1])]
    assert "'x' was unexpected" in said[str(files[2])]


@pytest.mark.slow
def test_what_nbgrader_hands_out_is_our_lab(course_of):
    assert sources(course_of(LABS[0]).released()) == sources(read("labs", LABS[0]))


@pytest.mark.slow
def test_autograder_gives_all_for_solved_and_nothing_for_unsolved(course_of):
    assert graded(course_of(LABS[0]), LABS[0]) == both(LABS[0])


@pytest.mark.full  # minutes: nbgrader runs every cell of a lab, twice
@pytest.mark.parametrize("lab", LABS[1:])
def test_nbgrader_hands_out_and_grades_every_lab(course_of, lab):
    assert sources(course_of(lab).released()) == sources(read("labs", lab))
    assert graded(course_of(lab), lab) == both(lab)
