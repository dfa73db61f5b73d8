"""The small lab that gradings are tried on, built once a session in a folder of its own."""

import shutil
from pathlib import Path

import pytest

from efficientdl.course.build import build

FIXTURE = Path(__file__).parent / "fixture"

# A lab's source is a notebook as text: importing it would run it.
collect_ignore_glob = ["fixture/*"]


@pytest.fixture(scope="session")
def small_root(tmp_path_factory):
    """The small lab, built: a checkout and the course's folder in one."""
    root = tmp_path_factory.mktemp("small") / "checkout"
    shutil.copytree(FIXTURE, root)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EFFICIENTDL_COURSE", str(root))
        patch.setenv("EFFICIENTDL_UI", "silent")
        assert build(root) == []
    return root


@pytest.fixture
def small(small_root, monkeypatch):
    """The small lab as the course; gives its checkout."""
    monkeypatch.setenv("EFFICIENTDL_COURSE", str(small_root))
    monkeypatch.setenv("EFFICIENTDL_UI", "silent")
    return small_root
