"""Each lab is run once in a test session: its solution by papermill, its learner's file."""

from pathlib import Path

import pytest

from tests.labs import runs

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def solution_run(tmp_path_factory):
    """`f(lab) -> Run`, the same run for every test that asks."""
    done = {}

    def run(lab):
        if lab not in done:
            done[lab] = runs.run_solution(ROOT, lab, tmp_path_factory.mktemp(lab))
        return done[lab]

    return run
