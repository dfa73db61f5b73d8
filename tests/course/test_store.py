"""What is remembered survives; what cannot be read is kept aside."""

import json

import pytest

from efficientdl.course import store


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("EFFICIENTDL_HOME", str(tmp_path))
    return tmp_path


def test_remembers_by_section_and_id(home):
    assert store.recall("hints", "a") is None
    store.remember("hints", "a", {"stage": 2})
    store.remember("checks", "a", {"tries": 1})
    store.remember("hints", "b", {"stage": 1})
    assert store.recall("hints", "a") == {"stage": 2}
    assert store.everything()["hints"] == {"a": {"stage": 2}, "b": {"stage": 1}}
    assert [path.name for path in (home / ".progress").iterdir()] == ["progress.json"]


def test_working_folder_is_the_home(tmp_path, monkeypatch):
    monkeypatch.delenv("EFFICIENTDL_HOME")
    monkeypatch.chdir(tmp_path)
    store.remember("hints", "a", {"stage": 1})
    assert (tmp_path / ".progress" / "progress.json").is_file()


def test_unknown_section_is_refused():
    with pytest.raises(ValueError, match="remember: section must be one of checks"):
        store.remember("marks", "a", {})
    with pytest.raises(ValueError, match="recall: section must be one of checks"):
        store.recall("marks", "a")


@pytest.mark.parametrize(
    "text", ["", "{", "[1]", '{"hints": 3}', '{"hints": {"a": 1}}', '{"x": {}}']
)
def test_unreadable_file_is_kept_aside(home, capsys, text):
    path = store.progress_file()
    path.parent.mkdir()
    path.write_text(text)
    assert store.recall("hints", "a") is None
    assert "could not be read. It is kept as" in capsys.readouterr().out
    assert (home / ".progress" / "progress.unreadable-1.json").read_text() == text
    store.remember("hints", "a", {"stage": 1})
    assert store.recall("hints", "a") == {"stage": 1}


def test_a_second_unreadable_file_does_not_replace_the_first(home):
    path = store.progress_file()
    path.parent.mkdir()
    for i in (1, 2):
        path.write_text(f"broken {i}")
        store.everything()
        aside = home / ".progress" / f"progress.unreadable-{i}.json"
        assert aside.read_text() == f"broken {i}"


def test_a_write_that_fails_leaves_the_old_file(home):
    store.remember("hints", "a", {"stage": 1})
    with pytest.raises(TypeError, match="not JSON serializable"):
        store.remember("hints", "a", {"stage": object()})
    assert json.loads(store.progress_file().read_text())["hints"] == {"a": {"stage": 1}}


def test_a_write_that_is_cut_off_leaves_the_old_file(home, monkeypatch):
    store.remember("hints", "a", {"stage": 1})

    def cut_off(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", cut_off)
    with pytest.raises(ValueError, match="No space left on device"):
        store.remember("hints", "a", {"stage": 2})
    assert store.recall("hints", "a") == {"stage": 1}


def test_a_place_that_cannot_be_written_is_said(home):
    (home / ".progress").write_text("a file where the folder should be")
    with pytest.raises(ValueError, match="folder must be a place that can be written to"):
        store.remember("hints", "a", {"stage": 1})
