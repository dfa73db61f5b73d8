"""Running a lab as CI does: papermill for the solution, the learner's file as it is handed out."""

import ast
import copy
from collections import OrderedDict
from types import SimpleNamespace
from typing import NamedTuple

import nbformat
import papermill
import pytest
from nbval.plugin import IPyNbCell, coalesce_streams, nocolors

from efficientdl.course.build import read_notebook
from efficientdl.course.execute import (
    PARAMETERS,
    errors,
    execute,
    kernel_config,
    static_environment,
)

CELL_S = 120  # far above the 20 s that a cell may take on an idle machine: it only ends a hang
MEMORY_MB = 1200
# The high-water mark of the kernel alone. Linux hands `ru_maxrss` on to a program that a process
# starts, so a kernel would answer with the size of the test run; elsewhere there is nothing better.
_MEASURE = """
import pathlib, re, resource
status = pathlib.Path("/proc/self/status")
peak = re.search(r"VmHWM:\\s+(\\d+)", status.read_text()) if status.exists() else None
print((int(peak[1]) if peak else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) // 1024)
"""


class Run(NamedTuple):
    """A solution that papermill has run."""

    notebook: nbformat.NotebookNode
    peak_mb: int


def run_solution(root, lab, folder):
    """Execute a solution once with papermill, with the parameters of a committed solution.

    The last cell, which asks the kernel for its memory, is ours and is taken away again.
    """
    source = read_notebook(root / "solutions" / f"{lab}.ipynb")
    source.cells.append(nbformat.v4.new_code_cell(_MEASURE))
    given, work = folder / "in.ipynb", folder / "work"
    work.mkdir()
    nbformat.write(source, given)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in static_environment().items():
            patch.setenv(name, value)
        patch.delenv("EFFICIENTDL_HOME", raising=False)
        notebook = papermill.execute_notebook(
            str(given),
            str(folder / "out.ipynb"),
            parameters=PARAMETERS,
            cwd=str(work),
            kernel_name="python3",
            progress_bar=False,
            execution_timeout=CELL_S,
            config=kernel_config(folder),
        )
    notebook.cells = [c for c in notebook.cells if "injected-parameters" not in tags(c)]
    measured = notebook.cells.pop()
    return Run(notebook, int(measured.outputs[0].text))


def run_learner(root, lab, folder):
    """Execute the learner's file as it is handed out; the error of each cell, by index."""
    notebook = read_notebook(root / "labs" / f"{lab}.ipynb")
    for _ in execute(notebook, folder, static_environment()):
        pass
    return notebook, errors(notebook)


def tags(cell):
    return cell.metadata.get("tags", [])


def differences(reference, run):
    """Where the outputs of a run differ from the committed ones, by nbval's own comparison."""
    said = []
    pairs = zip(code_cells(reference), code_cells(run), strict=True)
    for i, (wanted, got) in enumerate(pairs):
        if "nbval-ignore-output" in tags(wanted):
            continue
        cell = _nbval_cell()
        committed = coalesce_streams(copy.deepcopy(wanted.outputs))
        if not cell.compare_outputs(coalesce_streams(copy.deepcopy(got.outputs)), committed):
            said.append(f"code cell {i + 1}:\n" + "\n".join(map(str, cell.comparison_traceback)))
    return said


def _nbval_cell():
    """nbval's cell without the run that pytest would give it: only its comparison is wanted."""
    cell = object.__new__(IPyNbCell)
    skipped = ("metadata", "traceback", "prompt_number", "output_type", "name", "execution_count")
    cell.parent = SimpleNamespace(skip_compare=skipped, sanitize_patterns=OrderedDict())
    cell.colors, cell._name = nocolors, "cell"
    hooks = SimpleNamespace(pytest_assertrepr_compare=lambda **_: [])
    cell.session, cell.path = SimpleNamespace(gethookproxy=lambda _: hooks), None
    cell.config = None
    return cell


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def tasks_in(notebook, role):
    """The ids of the tasks whose cells have this role, with the cell's index."""
    found = {}
    for i, cell in enumerate(notebook.cells):
        ours = cell.metadata.get("efficientdl", {})
        if ours.get("role") == role:
            found[ours["task"]] = i
    return found


def namespace(notebook):
    """What a lab's cells define, without running what they do: imports, functions, constants."""
    names = {"__name__": "lab"}
    for cell in code_cells(notebook):
        tree = ast.parse(cell.source)
        tree.body = [node for node in tree.body if _defines(node)]
        exec(compile(tree, "<lab>", "exec"), names)
    return names


def _defines(node):
    kinds = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef)
    if isinstance(node, ast.Assign):
        try:
            ast.literal_eval(node.value)
        except ValueError:
            return False
        return True
    return isinstance(node, kinds)


def solution_lines(source_text):
    """The lines between the markers of a source, stripped; blank ones left out."""
    return _lines(source_text)[True]


def given_lines(source_text):
    """The lines of a source that everybody may read: `return y` may stand there too."""
    return _lines(source_text)[False]


def _lines(source_text):
    inside, lines = False, {True: set(), False: set()}
    for line in source_text.splitlines():
        text = line.strip()
        if text in ("### BEGIN SOLUTION", "### END SOLUTION"):
            inside = text == "### BEGIN SOLUTION"
        elif text:
            lines[inside].add(text)
    return lines


def all_text(notebook):
    """The sources of all cells."""
    return "\n".join(cell.source for cell in notebook.cells)
