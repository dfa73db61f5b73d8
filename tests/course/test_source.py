"""Sources of labs: what they may say, and what is said when they do not."""

import pytest

from efficientdl.course.source import read_lab

HEAD = '# %% [markdown]\n# # Title\n\n# %% tags=["parameters"]\nSEED = 0\n\n'
ANSWER = """# %% exercise="{0}"
def f(x):
    ### BEGIN SOLUTION
    return x
    ### END SOLUTION

"""
CHECK = '# %%\ncheck("{0}")\n\n'
BITS = ANSWER.format("fx-bits") + '# %%\nsubmit("fx-bits", f(0))\n\n'
WHY = '# %% [markdown] written="fx-why"\n# Because.\n\n'
CONV = ANSWER.format("fx-conv-params") + CHECK.format("fx-conv-params")
MASK = ANSWER.format("fx-mask") + CHECK.format("fx-mask")
WHOLE = HEAD + CONV + MASK + BITS + WHY


def read(folder, text, name="90_fixture.py"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return read_lab(path)


def test_marks_and_tags(course, tmp_path):
    lab = read(tmp_path, WHOLE)
    assert lab.name == "90_fixture"
    found = [(c.number, c.kind, c.mark, c.task.id if c.task else "", c.tags) for c in lab.cells]
    assert found[:4] == [
        (1, "markdown", "", "", ()),
        (2, "code", "", "", ("parameters",)),
        (3, "code", "exercise", "fx-conv-params", ()),
        (4, "code", "check", "fx-conv-params", ()),
    ]
    assert found[-2][2:4] == ("check", "fx-bits")
    assert found[-1] == (9, "markdown", "written", "fx-why", ())


def test_digest_follows_source_and_tasks(copy, tmp_path):
    lab = read(tmp_path, WHOLE)
    assert read(tmp_path, WHOLE).digest == lab.digest
    assert read(tmp_path, WHOLE + "# %%\n1 + 1\n").digest != lab.digest
    tasks = copy / "exercises" / "lab_90.py"
    tasks.write_text(tasks.read_text() + "\n# changed\n")
    assert read(tmp_path, WHOLE).digest != lab.digest


def test_a_check_may_have_more_below_it(course, tmp_path):
    text = WHOLE.replace('check("fx-mask")', 'check("fx-mask")\nprint(f(1))')
    assert [c.number for c in read(tmp_path, text).cells if c.mark == "check"] == [4, 6, 8]


BROKEN = {
    "not a notebook": ("x = 1\n", "must be a notebook as text, with cells that begin with"),
    "unknown mark": (
        WHOLE.replace('exercise="fx-mask"', 'excercise="fx-mask"'),
        "mark of .*, cell 5 must be one of .*did you mean 'exercise'",
    ),
    "unknown id": (
        WHOLE.replace('exercise="fx-mask"', 'exercise="fx-maks"'),
        "cell 5: id must be one of .*did you mean 'fx-mask'",
    ),
    "begin without end": (
        WHOLE.replace("    ### END SOLUTION\n\n# %%\ncheck(\"fx-mask", "\n# %%\ncheck(\"fx-mask"),
        "cell 5 must close every `### BEGIN SOLUTION` with .*, got '1 and 0'",
    ),
    "nested": (
        WHOLE.replace("    return x", "    ### BEGIN SOLUTION\n    return x", 1),
        "cell 3 must close every",
    ),
    "solution outside an exercise": (
        WHOLE.replace(' exercise="fx-mask"', ""),
        'cell 5 has a solution, so it must be marked exercise="id"',
    ),
    "exercise without a solution": (
        WHOLE.replace(ANSWER.format("fx-mask"), '# %% exercise="fx-mask"\ndef f(x): ...\n\n'),
        "cell 5 must have its solution between",
    ),
    "no check": (WHOLE.replace('check("fx-mask")', "1 + 1"), r'cell 5 must be followed .*check\('),
    "check before": (HEAD + CHECK.format("fx-mask") + CONV + MASK.replace('check("', 'len("')
                     + BITS + WHY, "must be followed by a cell"),
    "no submit": (WHOLE.replace('submit("fx-bits", f(0))', "1"), r'followed .*submit\("fx-bits"\)'),
    "checked twice": (WHOLE + CHECK.format("fx-mask"), "cell 10 must be the only check of its"),
    "answered twice": (WHOLE + ANSWER.format("fx-mask"), "must be the only exercise of its task"),
    "two checks in a cell": (
        WHOLE.replace('check("fx-mask")', 'check("fx-mask")\ncheck("fx-mask")'),
        "cell 6 must check one exercise",
    ),
    "unanswered": (HEAD + MASK + BITS + WHY, "must have a cell that answers .*'fx-conv-params'"),
    "unwritten": (HEAD + CONV + MASK + BITS, "must have a cell that answers .*'fx-why'"),
    "syntax": (WHOLE.replace("SEED = 0", "SEED ="), r"cell 2 must be valid Python \(invalid syn"),
    "marked text": (
        WHOLE.replace("# %% [markdown]\n# # Title", '# %% [markdown] exercise="fx-mask"\n# # T'),
        "cell 1 cannot be marked exercise, got 'markdown'",
    ),
    "two marks": (
        WHOLE.replace('exercise="fx-mask"', 'exercise="fx-mask" lead="fx-mask"'),
        "cell 5 must have one mark",
    ),
    "raw cell": (WHOLE + "# %% [raw]\n# x\n", "cell 10 must be code or markdown, got 'raw'"),
    "check of a challenge": (WHOLE.replace('submit("fx-bits", f(0))', 'check("fx-bits")'),
                             "id must be one of fx-conv-params, fx-mask"),
    "exercise of a question": (
        WHOLE + ANSWER.format("fx-why"),
        "cell 10 must be marked with an exercise or a challenge, got 'fx-why'",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "said"), BROKEN.values(), ids=BROKEN)
def test_broken_sources(course, tmp_path, text, said):
    assert text != WHOLE
    with pytest.raises(ValueError, match=said) as caught:
        read(tmp_path, text)
    assert str(caught.value).startswith("build: ")
    assert "90_fixture.py" in str(caught.value)


def test_a_task_of_another_lab(course, tmp_path):
    with pytest.raises(ValueError, match="cell 3 must be a task of 91_other, got '90_fixture'"):
        read(tmp_path, WHOLE, name="91_other.py")


def test_names_and_encoding(course, tmp_path):
    with pytest.raises(ValueError, match=r"must be named NN_name\.py, got 'lab\.py'"):
        read(tmp_path, WHOLE, name="lab.py")
    (tmp_path / "90_fixture.py").write_bytes(b"# %%\n\xff\xfe")
    with pytest.raises(ValueError, match="must be a text file in UTF-8"):
        read_lab(tmp_path / "90_fixture.py")
