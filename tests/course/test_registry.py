"""Tasks found by id, and what a broken list of them says."""

import pytest

from efficientdl.course import registry
from efficientdl.course.exercise import Challenge, Exercise

MODULE = """
from efficientdl.course.exercise import Exercise

def task(id="a", lab="91_demo", **more):
    given = dict(title="T", symbol="f", points=1, minutes=1, difficulty=1)
    return Exercise(id=id, lab=lab, draw=lambda rng: (1,), hints=("1", "2", "3"), **given, **more)

"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """`write(file=text)` fills a course's exercises/."""
    (tmp_path / "exercises").mkdir()
    monkeypatch.setenv("EFFICIENTDL_COURSE", str(tmp_path))

    def write(**texts):
        for name, text in texts.items():
            (tmp_path / "exercises" / f"{name}.py").write_text(MODULE + text)

    return write


def test_tasks_of_the_fixture(course):
    assert list(registry.tasks()) == ["fx-conv-params", "fx-mask", "fx-bits", "fx-why"]
    assert list(registry.tasks_of("90_fixture")) == list(registry.tasks())
    assert registry.tasks_of("91_none") == {}
    assert registry.find("check", "fx-mask", Exercise).symbol == "mask"
    assert registry.module_file("90_fixture").is_file()


def test_the_package_has_its_own_tasks(monkeypatch):
    monkeypatch.delenv("EFFICIENTDL_COURSE", raising=False)
    names = {path.stem for path in (registry.course_folder() / "exercises").glob("lab_*.py")}
    labs = {f"lab_{task.lab[:2]}" for task in registry.tasks().values()}
    assert labs == names


def test_unknown_id_suggests_the_nearest(course):
    with pytest.raises(ValueError, match=r"check: id must be one of .*did you mean 'fx-mask'"):
        registry.find("check", "fx-mas", Exercise)


def test_wrong_kind_of_task(course):
    with pytest.raises(ValueError, match="submit: id must be one of fx-bits, got 'fx-mask'"):
        registry.find("submit", "fx-mask", Challenge)


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        ({"lab_91": "TASKS = [task(), task()]"}, r"id must be new; 91_demo has it, got 'a'"),
        ({"lab_91": "TASKS = [task()]", "lab_92": "TASKS = [task(lab='92_demo')]"}, "must be new"),
        ({"lab_91": "TASKS = [task(lab='92_demo')]"}, "lab of 'a' must begin with 91_"),
        ({"lab_91": "TASKS = 3"}, r"exercises/lab_91.py: TASKS must be a list of tasks, got 3"),
        ({"lab_91": ""}, "TASKS must be a list of tasks, got None"),
        ({"lab_91": "TASKS = [task(needs=('b',))]"}, "needs must be one of a, got 'b'"),
        ({"lab_one": "TASKS = []"}, "must be named lab_NN.py, got 'lab_one.py'"),
    ],
)
def test_broken_lists(folder, texts, said):
    folder(**texts)
    with pytest.raises(ValueError, match=said):
        registry.tasks()


def test_folder_without_exercises(tmp_path, monkeypatch):
    monkeypatch.setenv("EFFICIENTDL_COURSE", str(tmp_path / "none"))
    with pytest.raises(ValueError, match="EFFICIENTDL_COURSE must be a folder with exercises/"):
        registry.tasks()
