"""Slices: what an answer needs runs, what is only looked at does not."""

import pytest

from efficientdl.grading.slices import needed, statements, used


def cut(cells, *wanted):
    return needed([statements(cell) for cell in cells], wanted)


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("y = x + 1", {"x"}),
        ("def f(a, b=c):\n    d = a\n    return d + e", {"c", "e"}),
        ("[i for i in rows if i > low]", {"rows", "low"}),
        ("class A(B):\n    def m(self):\n        return np.sum(self.x)", {"B", "np"}),
        ("import os\nos.getcwd()", {"os"}),
        ("lambda x: x + y", {"y"}),
        ("def f():\n    global g\n    g = h", {"h"}),
        ("with open(path) as file:\n    file.read()", {"open", "path", "file"}),
        ("x: int = 3", set()),
        ("def f():\n    def g():\n        return z\n    return g", {"z"}),
    ],
)
def test_used_names_are_those_from_outside(source, names):
    found = used(source)
    assert names <= found
    assert not found & {"a", "b", "d", "i", "self"}


def test_only_the_statements_that_are_needed_are_kept():
    cells = ["import a\nimport b", "c = a.f()\nprint(c)", "d = b.g(c)", "show(d)"]
    assert cut(cells, "c") == ["import a", "c = a.f()", "", ""]
    assert cut(cells, "d") == ["import a\nimport b", "c = a.f()", "d = b.g(c)", ""]
    assert cut(cells, "show") == ["", "", "", ""]


@pytest.mark.parametrize(
    "change",
    ["x.part = 2", "x[0] = 2", "x += 2", "for x.part in range(3):\n    pass", "del x[0]"],
)
def test_a_change_of_a_needed_name_is_kept(change):
    assert cut(["x = make()", change], "x") == ["x = make()", change]


@pytest.mark.parametrize(
    "making",
    [
        "x, y = 1, 2",
        "from m import z as x",
        "import x.y",
        "if True:\n    x = 1",
        "try:\n    import x\nexcept ImportError:\n    x = None",
        "for x in range(3):\n    pass",
        "with f() as x:\n    pass",
        "(x := 3)",
        "def x():\n    pass",
        "@decorate\nclass x:\n    pass",
        "x: int = 3",
    ],
)
def test_every_way_to_make_a_name_is_seen(making):
    assert cut([making, "y2 = 1"], "x") == [making, ""]


def test_a_name_made_inside_a_function_is_not_made():
    assert cut(["def f():\n    x = 1"], "x") == [""]


def test_code_that_reads_all_names_gets_all():
    cells = ["a = 1", "b = 2\nprint(b)"]
    assert cut(cells, "globals") == ["a = 1", "b = 2"]
