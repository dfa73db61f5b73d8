"""What CONTRIBUTING.md asks of every file of the library, checked by reading the code."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted((ROOT / "efficientdl").rglob("*.py"))
FORBIDDEN = {"utils", "common", "helpers", "misc"}


def name_of(path):
    return str(path.relative_to(ROOT))


def functions(tree):
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return [node for node in ast.walk(tree) if isinstance(node, kinds)]


def body_lines(function):
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return body[-1].end_lineno - body[0].lineno + 1 if body else 0


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_file_keeps_the_conventions(path):
    text = path.read_text()
    tree = ast.parse(text)
    assert len(text.splitlines()) <= 300, "a file has at most 300 lines: split it by idea"
    assert path.stem not in FORBIDDEN, "a name that says nothing"
    assert path.parent.name not in FORBIDDEN
    assert ast.get_docstring(tree), "a file says in its first lines what it is for"
    long = [f"{f.name}: {body_lines(f)} lines" for f in functions(tree) if body_lines(f) > 40]
    assert not long, "a function body has at most 40 lines"


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_public_names_have_docstrings(path):
    tree = ast.parse(path.read_text())
    public = [
        node
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")
    ]
    overloads = [n for n in public if "overload" in map(ast.unparse, n.decorator_list)]
    bare = [n.name for n in public if not ast.get_docstring(n) and n not in overloads]
    assert not bare


def test_no_clock_outside_the_latency_module():
    measured = {"efficientdl/costs/latency.py", "efficientdl/progress.py"}
    limits = {
        "efficientdl/grading/kernel.py",
        "efficientdl/grading/grader.py",
        "efficientdl/grading/messages.py",
    }
    allowed = measured | limits
    for path in FILES:
        names = {
            a.name
            for n in ast.walk(ast.parse(path.read_text()))
            if isinstance(n, ast.Import)
            for a in n.names
        }
        assert "time" not in names or name_of(path) in allowed, name_of(path)
