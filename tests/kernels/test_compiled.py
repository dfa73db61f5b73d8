"""Machine code is kept on disk, under a name that says what it was made from."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import efficientdl
from efficientdl.kernels.compiled import HERE, compiled, digest

PACKAGE = Path(efficientdl.__file__).parent
RUN = """
import numpy as np
from efficientdl.kernels.csr import _by_vector
y = np.zeros((1, 1))
_by_vector(np.ones(1), np.zeros(1, np.uint32), np.array([0, 1], np.int32), np.ones(1) * 7, y)
print(y[0, 0], sum(_by_vector.stats.cache_hits.values()))
"""


def test_it_is_the_same_function_and_holds_no_lock():
    @compiled
    def plus_one(x):
        return x + 1

    assert plus_one(np.int64(2)) == 3
    assert plus_one.targetoptions["nogil"]


def test_the_name_changes_with_any_source_that_may_be_inlined(tmp_path: Path):
    folder = tmp_path / "kernels"
    folder.mkdir()
    (folder / "a.py").write_text("one = 1\n")
    (folder / "b.py").write_text("two = 2\n")
    before = digest({folder})
    (folder / "b.py").write_text("two = 3\n")
    assert digest({folder}) != before
    (folder / "b.py").write_text("two = 2\n")
    assert digest({folder}) == before
    (folder / "b.py").rename(folder / "c.py")
    assert digest({folder}) != before


def test_a_folder_more_is_another_name(tmp_path: Path):
    (tmp_path / "a.py").write_text("one = 1\n")
    assert digest({HERE}) != digest({HERE, tmp_path})


def test_what_a_learner_writes_is_compiled_and_not_kept():
    scope = {"compiled": compiled}
    exec("@compiled\ndef twice(x):\n    return 2 * x\n", scope)
    assert scope["twice"](4) == 8


@pytest.mark.slow
def test_the_second_process_finds_what_the_first_has_compiled(tmp_path: Path):
    assert ran(tmp_path / "cache") == "7.0 0"
    assert ran(tmp_path / "cache") == "7.0 1"


@pytest.mark.slow
def test_where_nothing_can_be_written_it_runs_all_the_same(tmp_path: Path):
    blocked = tmp_path / "a file"
    blocked.write_text("no folder")
    assert ran(blocked) == "7.0 0"


def ran(cache: Path) -> str:
    environment = {**os.environ, "EFFICIENTDL_CACHE": str(cache), "PYTHONPATH": str(PACKAGE.parent)}
    environment.pop("NUMBA_CACHE_DIR", None)
    done = subprocess.run(
        [sys.executable, "-c", RUN], env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()
