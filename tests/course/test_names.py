"""The reader follows names as Python does: by scope, in order."""

import ast

import pytest

from efficientdl.course.names import Reader, below


def read(*sources, forbids=(), aliases=None):
    reader = Reader(forbids, aliases or {})
    for source in sources:
        reader.read(ast.parse(source))
    return reader


def test_below_is_by_parts_of_the_name():
    assert [below(p, "a.b") for p in ("a.b", "a.b.c", "a.bc", "a", "")] == [
        True, True, False, False, False,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("import a.b.c", {"a": "a"}),
        ("import a.b.c as d", {"d": "a.b.c"}),
        ("from a.b import c, d as e", {"c": "a.b.c", "e": "a.b.d"}),
        ("from a import b\nc = b.d.e", {"b": "a.b", "c": "a.b.d.e"}),
        ("import a\nb = a if a else 3", {"a": "a", "b": None}),
        ("import a\nb = a\nb = 3", {"a": "a", "b": "a"}),  # it may still be in use
        ("def f():\n    import a", {"f": None}),
        ("class A:\n    import a", {"A": None}),
        ("from . import a", {}),
    ],
)
def test_what_a_cell_binds(source, names):
    assert read(source).cell == names


def test_cells_follow_one_another():
    assert read("import a as b", "c = b.d").cell == {"b": "a", "c": "a.d"}


def test_every_use_is_noted_with_its_line():
    reader = read("import a\na.b\n\ndef f():\n    return a.b, a.c", forbids=["a.b", "a.c"])
    assert sorted(reader.found) == [(2, "a.b"), (5, "a.b"), (5, "a.c")]


def test_bodies_of_functions_see_what_the_cell_binds_below_them():
    source = "def f():\n    return b.c\n\nimport a as b"
    assert read(source, forbids=["a.c"]).found == [(2, "a.c")]
    source = "def f():\n    return b.c\n\ndef b():\n    pass"
    assert read(source, forbids=["a.c"], aliases={"b": "a"}).found == []


def test_a_global_name_is_not_a_local_one():
    source = "def f():\n    global b\n    b.c\n    b = 3"
    assert read(source, forbids=["a.c"], aliases={"b": "a"}).found == [(3, "a.c")]
    source = source.replace("    global b\n", "")
    assert read(source, forbids=["a.c"], aliases={"b": "a"}).found == []
