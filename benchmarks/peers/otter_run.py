"""Otter's autograder for a lab: a test file for each task, graded by `otter run`."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from benchmarks.peers.pythons import Finished, call

# Otter finds the functions of a submission in `env`, so the lab's own line of test runs there.
_TEST = '''"""Points of one task."""

from otter.test_files import test_case

OK_FORMAT = False
name = {id!r}
points = {points}
TEST = {test!r}


@test_case()
def test_task(env):
    exec(TEST, env)
'''


@dataclass(frozen=True)
class Autograder:
    """An autograder made of test files.

    Attributes:
        python: A Python that has otter.
        folder: Where it stands.
    """

    python: Path
    folder: Path

    def prepare(self, tests: Mapping[str, tuple[int, str]]) -> Finished:
        """Make the autograder: `otter generate`.

        Args:
            tests: Points and test, by task; a test is source that raises when the task is wrong.
        """
        place = self.folder / "tests"
        place.mkdir(parents=True, exist_ok=True)
        for id, (points, test) in tests.items():
            text = _TEST.format(id=id, points=points, test=test)
            (place / f"{id}.py").write_text(text, encoding="utf-8")
        words = ("generate", "--no-config", "--no-requirements", "--no-environment")
        return self._otter(*words, "-t", "tests", "-o", "autograder.zip", limit_s=60)

    def run(self, notebook: NotebookNode, *, limit_s: float = 600) -> Finished:
        """Grade one submission: `otter run`."""
        shutil.rmtree(self.folder / "out", ignore_errors=True)
        (self.folder / "out").mkdir()
        nbformat.write(notebook, self.folder / "lab.ipynb")
        words = ("run", "lab.ipynb", "-a", "autograder.zip", "-o", "out", "--no-logo")
        return self._otter(*words, limit_s=limit_s)

    def points(self) -> dict[str, tuple[float, float]]:
        """Earned and possible points of the last run, by task; empty where it left no result."""
        results = self.folder / "out" / "results.json"
        if not results.is_file():
            return {}
        tests = json.loads(results.read_text(encoding="utf-8"))["tests"]
        return {t["name"]: (t["score"], t["max_score"]) for t in tests if t.get("max_score")}

    def _otter(self, *words: str, limit_s: float) -> Finished:
        start = [str(self.python), "-W", "ignore", "-m", "otter"]
        return call([*start, *words], folder=self.folder, limit_s=limit_s)
