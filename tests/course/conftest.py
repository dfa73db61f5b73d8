"""A copy of the fixture lab in a folder of its own, built once."""

import shutil
from pathlib import Path

import pytest

from efficientdl.course.build import build

FIXTURE = Path(__file__).parent / "fixture"
LAB = "90_fixture"

# A lab's source is a notebook as text: importing it would run it.
collect_ignore_glob = ["fixture/*"]


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    """The fixture lab, built: a checkout and the course's folder in one."""
    root = tmp_path_factory.mktemp("course") / "checkout"
    shutil.copytree(FIXTURE, root)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EFFICIENTDL_COURSE", str(root))
        patch.setenv("EFFICIENTDL_UI", "silent")
        assert build(root) == []
    return root


@pytest.fixture
def course(built, monkeypatch, tmp_path):
    """The built fixture lab as the course, and an empty home."""
    monkeypatch.setenv("EFFICIENTDL_COURSE", str(built))
    monkeypatch.setenv("EFFICIENTDL_HOME", str(tmp_path))
    monkeypatch.delenv("EFFICIENTDL_UI", raising=False)
    return built


@pytest.fixture
def copy(built, monkeypatch, tmp_path):
    """A copy of the built fixture lab that a test may damage."""
    root = tmp_path / "checkout"
    shutil.copytree(built, root)
    monkeypatch.setenv("EFFICIENTDL_COURSE", str(root))
    monkeypatch.setenv("EFFICIENTDL_UI", "silent")
    return root
