"""Submissions of lab 01 made by code: right, partly right, partly empty, and five attacks.

Each starts from the notebook that learners get; an answer is put into the cell of its task.
"""

import copy
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import nbformat
import numpy as np
from nbformat import NotebookNode

from efficientdl.course.exercise import Exercise
from efficientdl.course.targets import public_case
from efficientdl.grading.release import Release, find_release
from tests.labs.mutants.lab_01 import MUTANTS

LAB = "01_costs"
ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Attack:
    """An answer that tries for points that it does not deserve, or harms the others.

    Attributes:
        name: What it does.
        task: The exercise in whose cell it stands; the others are answered rightly.
        source: The answer.
    """

    name: str
    task: str
    source: str


_CONV = "def conv_macs(c_in, c_out, kernel, h_out, w_out, groups):\n    "
ATTACKS = (
    Attack(
        "replaces numpy.testing.assert_allclose",
        "costs-separable",
        "def separable_saving(c_in, c_out, kernel):\n    return 1.0\n\n"
        "np.testing.assert_allclose = lambda *args, **kwargs: None\n",
    ),
    Attack(
        "turns every later cell into `pass`",
        "costs-conv-macs",
        f"{_CONV}return 1\n\n"
        'get_ipython().input_transformers_cleanup.append(lambda lines: ["pass\\n"])\n',
    ),
    Attack(
        "returns what equals everything",
        "costs-conv-macs",
        "class Anything:\n    __hash__ = None\n    __eq__ = lambda self, other: True\n\n"
        f"{_CONV}return Anything()\n",
    ),
    Attack(
        "ends its process: os._exit(0)", "costs-conv-macs", f"import os\n\n{_CONV}os._exit(0)\n"
    ),
    Attack("never ends", "costs-conv-macs", f"{_CONV}while True:\n        pass\n"),
)


@cache
def release() -> Release:
    """The lab as this checkout hands it out."""
    return find_release(ROOT, LAB)


def solved() -> dict[str, str]:
    """The right answer to every task that is run, by id."""
    cells = {cell.id: cell.source for cell in release().solution.cells}
    return {id: cells[id] for id in release().graded}


def notebook(answers: Mapping[str, str], *, fast: bool = False) -> NotebookNode:
    """The learner's notebook with these answers, by task.

    Args:
        answers: Tasks that are left out stay as they were handed out.
        fast: Set `FAST = True` in the cell, for graders that hand over no parameters.
    """
    made = copy.deepcopy(release().learner)
    for cell in made.cells:
        cell.source = answers.get(cell.id, cell.source)
        if fast and "parameters" in cell.metadata.get("tags", ()):
            cell.source = cell.source.replace("FAST = False", "FAST = True")
    return made


def hand_in(folder: Path, answers: Mapping[str, str], artefacts: Path) -> Path:
    """Write a submission as a learner hands it in: the notebook, and what `submit` wrote."""
    folder.mkdir(parents=True)
    nbformat.write(notebook(answers), folder / f"{LAB}.ipynb")
    shutil.copytree(artefacts, folder / "artefacts")
    return folder / f"{LAB}.ipynb"


def write_class(folder: Path, n: int, artefacts: Path) -> None:
    """A class of n: each has none to three wrong answers, every fifth half of them empty."""
    for i in range(n):
        hand_in(folder / f"learner_{i + 1:02}", _answers(i), artefacts)


def _answers(i: int) -> dict[str, str]:
    answers, wrong = solved(), list(MUTANTS)
    for k in range(i % 4):
        id = wrong[(i + 3 * k) % len(wrong)]
        answers[id] = MUTANTS[id][i % len(MUTANTS[id])]
    if i % 5 == 4:
        answers = dict(list(answers.items())[: len(answers) // 2])
    first = next(iter(answers))
    return {**answers, first: f"{answers[first]}\n# learner {i + 1}\n"}  # no two are the same


def checks() -> dict[str, str]:
    """The lab's own test of each task: the cell that checks it."""
    cells = {id: release().cell(id, "check") for id in release().graded}
    return {id: cell.source for id, cell in cells.items() if cell}


def asserts() -> dict[str, str]:
    """Tests as their users write them for nbgrader and otter: asserts on the public cases."""
    made = checks()
    for id, task in release().graded.items():
        if isinstance(task, Exercise):
            lines = ["import numpy as np"]
            for arguments, target in zip(*public_case(task), strict=True):
                lines += _assert(task.symbol, arguments, target)
            made[id] = "\n".join(lines)
    return made


def _assert(symbol: str, arguments: tuple, target: object) -> list[str]:
    texts = [f"np.array({a.tolist()})" if isinstance(a, np.ndarray) else repr(a) for a in arguments]
    parts = {"yours": target}
    if isinstance(target, tuple | list):
        parts = {f"yours[{i}]": part for i, part in enumerate(target)}
    lines = [f"yours = {symbol}({', '.join(texts)})"]
    for yours, part in parts.items():
        close = f"np.testing.assert_allclose({yours}, {part!r})"
        lines.append(close if isinstance(part, float) else f"assert {yours} == {part!r}")
    return lines


def tested_by(tests: Mapping[str, str]) -> NotebookNode:
    """The learner's notebook with other tests in the cells that check."""
    return notebook({f"{id}-check": test for id, test in tests.items()}, fast=True)
