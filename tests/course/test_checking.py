"""`check`: one line when right, a lesson when not, nothing of ours in the way."""

from contextlib import suppress

import pytest

from efficientdl.course import CheckFailed, check, store
from efficientdl.course.exercise import Exercise
from efficientdl.course.outcome import Kind
from efficientdl.course.registry import find
from efficientdl.course.targets import public_case

RIGHT = "def conv_params(c_in, c_out, kernel):\n    return c_in * c_out * kernel**2"


def run(source, id="fx-conv-params"):
    """Define an answer and check it, as the cells of a notebook do."""
    names = {"check": check}
    exec(source, names)
    exec(f"check({id!r})", names)


def flat_kernels():
    """Cases in which a kernel's side is its area, so that forgetting the square does no harm."""
    inputs, _ = public_case(find("test", "fx-conv-params", Exercise))
    return sum(kernel == 1 for _, _, kernel in inputs)


def failure(source):
    with pytest.raises(CheckFailed) as caught:
        run(source)
    return caught.value


def test_right_is_one_line(course, capsys):
    run(RIGHT)
    assert capsys.readouterr().out == "correct: 8 of 8 cases · 40 points\n"
    assert store.recall("checks", "fx-conv-params") == {
        "outcome": "correct", "right": 8, "cases": 8, "tries": 1, "best": 1.0,
    }  # fmt: skip


def test_wrong_shows_case_target_and_yours(course):
    error = failure(RIGHT.replace("kernel**2", "kernel"))
    lines = str(error).splitlines()
    assert lines[0] == f"fx-conv-params: {flat_kernels()} of 8 cases right."
    assert lines[2].split() == ["inputs", "target", "yours"]
    text = "\n".join(lines)
    values = {name: int(text.split(f"{name} = ")[1].split()[0]) for name in
              ("c_in", "c_out", "kernel")}  # fmt: skip
    target = values["c_in"] * values["c_out"] * values["kernel"] ** 2
    yours = values["c_in"] * values["c_out"] * values["kernel"]
    assert lines[4].split() == ["c_in", "=", str(values["c_in"]), str(target), str(yours)]
    assert "The kernel has two sides." in text
    assert lines[-1] == '`hint("fx-conv-params")` opens hint 1 of 3.'
    assert error.outcome is not None
    assert error.outcome.kind is Kind.PARTIAL


def test_in_a_notebook_the_error_is_one_line_without_internals(course):
    rendered = failure(RIGHT.replace("kernel**2", "kernel"))._render_traceback_()
    assert rendered == [
        f"CheckFailed: fx-conv-params: {flat_kernels()} of 8 cases right. "
        "The message above says more."
    ]


def test_in_grading_the_error_is_the_whole_lesson(course, monkeypatch):
    monkeypatch.setenv("EFFICIENTDL_UI", "silent")
    rendered = failure(RIGHT.replace("kernel**2", "kernel"))._render_traceback_()
    assert "target" in rendered[0]


def test_what_is_not_written_passes_through(course):
    stub = 'def conv_params(*_):\n    raise NotImplementedError("fx-conv-params: Count")'
    with pytest.raises(NotImplementedError, match=r"^fx-conv-params: Count$"):
        run(stub)
    assert store.recall("checks", "fx-conv-params") is None


@pytest.mark.parametrize(
    ("source", "kind", "said"),
    [
        ("", Kind.NOT_ATTEMPTED, "`conv_params` is not defined: run the cell"),
        ("conv_params = 3", Kind.NOT_ATTEMPTED, "is no function but int: run"),
        ("conv_params = lambda *a: 1 / 0", Kind.RAISED, "raised ZeroDivisionError"),
        ("conv_params = lambda *a: 'x'", Kind.WRONG_SHAPE, "must be a number, yours is a string"),
        ("conv_params = lambda *a: -1", Kind.WRONG_VALUE, "yours is -1"),
    ],
)
def test_each_failure_is_named(course, source, kind, said):
    error = failure(source)
    assert error.outcome is not None
    assert error.outcome.kind is kind
    assert said in str(error)
    noted = store.recall("checks", "fx-conv-params") or {"outcome": "not_attempted"}
    assert noted["outcome"] == kind.value


def test_best_and_tries_are_kept(course):
    for source in (RIGHT.replace("kernel**2", "kernel"), RIGHT, "conv_params = abs"):
        with suppress(CheckFailed):
            run(source)
    entry = store.recall("checks", "fx-conv-params")
    assert (entry["outcome"], entry["tries"], entry["best"]) == ("raised", 3, 1.0)


def test_unknown_exercise(course):
    with pytest.raises(ValueError, match="check: id must be one of fx-conv-params, fx-mask"):
        run(RIGHT, id="fx-conv-param")


def test_record_mode_says_the_same_line(course, capsys, monkeypatch):
    monkeypatch.setenv("EFFICIENTDL_CHECK", "record")
    run(RIGHT)
    assert capsys.readouterr().out == "correct: 8 of 8 cases · 40 points\n"
