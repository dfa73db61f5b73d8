"""`check`: one line when right, a lesson when not, nothing of ours in the way."""

import linecache
from contextlib import suppress

import pytest

from efficientdl.course import CheckFailed, check, store
from efficientdl.course.exercise import Exercise
from efficientdl.course.outcome import Kind
from efficientdl.course.registry import find
from efficientdl.course.rules import fingerprint
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


MASK = """import numpy as np

def mask(weight, sparsity):
    dropped = int(sparsity * weight.size)
    order = {0}(np.abs(weight).ravel(), dropped)
    kept = np.ones(weight.size, dtype=bool)
    kept[order[:dropped]] = False
    return kept.reshape(weight.shape)
"""


def run_cells(*cells, id="fx-mask"):
    """Run cells as a kernel does: each has a file of its own, whose lines can be read."""
    names = {"__name__": "__main__", "check": check}
    for i, cell in enumerate(cells):
        file = f"<cell-{i}-{len(cell)}>"
        linecache.cache[file] = (len(cell), None, cell.splitlines(keepends=True), file)
        exec(compile(cell, file, "exec"), names)
    exec(f"check({id!r})", names)


def test_an_answer_may_use_what_is_not_forbidden(course, capsys):
    run_cells(MASK.format("(lambda a, n: a.argsort())"))
    assert capsys.readouterr().out == "correct: 12 of 12 cases · 40 points\n"


@pytest.mark.parametrize(
    ("cells", "line"),
    [
        ([MASK.format("np.argpartition")], 5),
        (["import numpy as xp", MASK.format("xp.argpartition")], 5),
        (["import numpy\npart = numpy.argpartition", MASK.format("part")], 5),
        (["from functools import cache", "from numpy import argpartition as a\n\n@cache\n"
          "def mask(weight, sparsity):\n    return 1"], 1),
        (["class A:\n    def __call__(self, w, s):\n        import numpy as np\n"
          "        return np.argpartition\n\nmask = A()"], 4),
    ],
)  # fmt: skip
def test_a_forbidden_name_is_refused_before_anything_is_asked(course, cells, line):
    with pytest.raises(CheckFailed) as caught:
        run_cells(*cells)
    assert caught.value.outcome is not None
    assert caught.value.outcome.kind is Kind.FORBIDDEN
    assert str(caught.value).splitlines() == [
        "fx-mask: it was not tried.",
        f"Write it yourself: `numpy.argpartition` is not allowed here, and line {line} uses it.",
        '`hint("fx-mask")` opens hint 1 of 3.',
    ]
    noted = store.recall("checks", "fx-mask") or {}
    assert (noted["outcome"], noted["best"]) == ("forbidden", 0.0)


@pytest.mark.parametrize(
    "cell",
    ["from numpy import argpartition as mask",
     "from functools import partial\nimport numpy\nmask = partial(numpy.argpartition, kth=1)"],
)  # fmt: skip
def test_the_forbidden_function_itself_is_refused(course, cell):
    with pytest.raises(CheckFailed, match="is not allowed here, and `mask` is taken from it"):
        run_cells(cell)


def test_the_checked_answer_is_known_again(course):
    cell = MASK.format("(lambda a, n: a.argsort())")
    run_cells(cell)
    assert (store.recall("checks", "fx-mask") or {})["answer"] == fingerprint(cell)
    with pytest.raises(CheckFailed):
        run_cells("from statistics import mean as mask")
    assert "answer" not in (store.recall("checks", "fx-mask") or {})  # no cell defines it


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
