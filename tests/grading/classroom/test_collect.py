"""`collect`: every layout of folders, and everything that a hostile one may hold."""

import os
import stat
from hashlib import sha256

import pytest

from efficientdl.grading.classroom import collect, files, safe_name
from efficientdl.grading.classroom.learner import learner_of, printable
from tests.grading.classroom.fakes import notebook
from tests.grading.classroom.folders import NB, found, put, put_zip, refused


def test_a_flat_folder(tmp_path):
    assert found(put(tmp_path, "b.ipynb", "a.IPYNB", "notes.txt")) == {
        "a.IPYNB": "a", "b.ipynb": "b",
    }  # fmt: skip


def test_folders_and_their_first_name(tmp_path):
    put(tmp_path, "ann/lab.ipynb", "bob/week 1/deep/lab.ipynb")
    assert found(tmp_path) == {"ann/lab.ipynb": "ann", "bob/week 1/deep/lab.ipynb": "bob"}


def test_what_is_hidden_is_left_out(tmp_path):
    put(tmp_path, "a/.ipynb_checkpoints/a.ipynb", "__MACOSX/a.ipynb", "a/._a.ipynb", "a/a.ipynb")
    put_zip(tmp_path / "b.zip", [("__MACOSX/._x.ipynb", NB), (".h/x.ipynb", NB), ("x.ipynb", NB)])
    assert list(found(tmp_path)) == ["a/a.ipynb", "b.zip!x.ipynb"]
    assert refused(tmp_path) == {}


@pytest.mark.parametrize(
    ("place", "name", "ids"),
    [
        ("doejane_1204_99871_lab.ipynb", "doejane", {"canvas_user": "1204"}),
        ("doejane_LATE_1204_99871_lab-1.ipynb", "doejane", {"canvas_user": "1204"}),
        ("x/müllerzoë_12_998_my_lab_2.ipynb", "müllerzoë", {"canvas_user": "12"}),
        ("doejane_1204_99871_work.zip/a/lab.ipynb", "doejane", {"canvas_user": "1204"}),
        ("lab_01_200_mine.ipynb", "lab_01_200_mine", {}),
        ("lab_12_2_mine.ipynb", "lab_12_2_mine", {}),
        ("Zoë M_812_assignsubmission_file_/l.ipynb", "Zoë M", {"moodle_participant": "812"}),
        ("Zoë M_812_assignsubmission_file/l.ipynb", "Zoë M", {"moodle_participant": "812"}),
        ("Zoë M_812_assignsubmission_file_l.ipynb", "Zoë M", {"moodle_participant": "812"}),
        ("c.zip/A_b C_7_assignsubmission_file_/l.ipynb", "A_b C", {"moodle_participant": "7"}),
        ("submitted/jdoe/01_costs/01_costs.ipynb", "jdoe", {}),
        ("submitted/lab.ipynb", "submitted", {}),
        ("ann.zip/lab.ipynb", "ann", {}),
        ("ann/lab.ipynb", "ann", {}),
        ("ann.b.ipynb", "ann.b", {}),
    ],
)
def test_learner_by_layout(place, name, ids):
    learner = learner_of(place.split("/"))
    assert learner.name == name
    kept = {key: value for key, value in learner.ids.items() if key != "canvas_submission"}
    assert kept == ids


def test_two_of_one_name_are_told_apart(tmp_path):
    for number in (1, 2):
        put(tmp_path, f"Same Name_{number}_assignsubmission_file_/lab.ipynb")
    put(tmp_path, "Al_3_assignsubmission_file_/lab.ipynb")
    assert list(found(tmp_path).values()) == ["Al", "Same Name (1)", "Same Name (2)"]


def test_links_are_never_followed(tmp_path):
    top = put(tmp_path / "top", "ann/lab.ipynb")
    put(tmp_path, "secret.ipynb", "outside/lab.ipynb")
    (top / "bob").mkdir()
    (top / "bob/out.ipynb").symlink_to(tmp_path / "secret.ipynb")
    (top / "bob/in.ipynb").symlink_to(top / "ann/lab.ipynb")
    (top / "bob/nowhere.ipynb").symlink_to(top / "none")
    (top / "bob/self.ipynb").symlink_to("self.ipynb")
    (top / "bob/loop").symlink_to(top)
    (top / "far").symlink_to(tmp_path / "outside")
    (top / "readme").symlink_to(tmp_path / "secret.ipynb")
    assert list(found(top)) == ["ann/lab.ipynb"]
    reasons = refused(top)
    assert set(reasons) == {
        "bob/out.ipynb", "bob/in.ipynb", "bob/nowhere.ipynb", "bob/self.ipynb", "bob/loop", "far",
    }  # fmt: skip
    assert "out of the folder" in reasons["bob/out.ipynb"]
    assert "out of the folder" in reasons["far"]
    assert "its own place" in reasons["bob/loop"]
    assert "nowhere" in reasons["bob/self.ipynb"]


def test_a_file_that_becomes_a_link_is_not_read(tmp_path):
    item = collect(put(tmp_path / "top", "ann.ipynb")).submissions[0]
    (tmp_path / "secret").write_bytes(NB)
    (tmp_path / "top/ann.ipynb").unlink()
    (tmp_path / "top/ann.ipynb").symlink_to(tmp_path / "secret")
    with pytest.raises(ValueError, match="must be readable"):
        item.handed_in()


def test_a_file_that_changes_is_not_graded_as_what_it_was(tmp_path):
    item = collect(put(tmp_path, "ann.ipynb")).submissions[0]
    (tmp_path / "ann.ipynb").write_bytes(notebook("x = 2"))
    with pytest.raises(ValueError, match="must stay as it is"):
        item.handed_in()


def test_pipes_sockets_and_closed_folders_hold_nothing_up(tmp_path):
    os.mkfifo(tmp_path / "pipe.ipynb")
    os.mkfifo(tmp_path / "pipe.zip")
    os.mkfifo(tmp_path / "other")
    os.mknod(tmp_path / "socket.ipynb", stat.S_IFSOCK | 0o600)
    assert refused(tmp_path) == {
        name: f"{name} is no regular file" for name in ("pipe.ipynb", "pipe.zip", "socket.ipynb")
    }


def test_a_large_file_is_not_read(tmp_path, monkeypatch):
    with (tmp_path / "large.ipynb").open("wb") as file:
        file.truncate(files.LARGEST_FILE_BYTES + 1)
    monkeypatch.setattr(files, "read_regular", lambda *_: pytest.fail("it was read"))
    assert refused(tmp_path) == {"large.ipynb": "large.ipynb is larger than 50 MB"}


def test_names_that_are_no_utf8(tmp_path):
    put(tmp_path, os.fsdecode(b"caf\xe9/\x1b[1mlab.ipynb"))
    (item,) = collect(tmp_path).submissions
    assert item.place == r"caf\xe9/\x1b[1mlab.ipynb"
    assert item.place.encode()
    assert item.handed_in().data == NB


def test_printable_names_differ_where_names_do():
    names = ["a\udce9", r"a\xe9", "aé", "a\ne", r"a\x0ae", "x.zip!y", r"x.zip\x21y", "a\u200be"]
    assert len({printable(name) for name in names}) == len(names)
    assert all(printable(name).isprintable() for name in names)


def test_artefacts_beside_a_notebook(tmp_path):
    put(tmp_path, "ann/lab.ipynb", "bob/lab.ipynb")
    put(tmp_path, "ann/artefacts/01_costs/net.json", data=b"{}")
    put_zip(tmp_path / "cy.zip", [("w/lab.ipynb", NB), ("w/artefacts/01_costs/net.json", b"[]")])
    ann, bob, cy = collect(tmp_path).submissions
    assert ann.artefacts == {"net": sha256(b"{}").hexdigest()}
    assert bob.artefacts == {}
    assert ann.handed_in().artefacts == {"net": b"{}"}
    assert cy.handed_in().artefacts == {"net": b"[]"}
    assert ann.handed_in().data == NB


def test_an_artefact_that_nobody_can_be_sure_of(tmp_path):
    put(tmp_path, "ann.ipynb", "bob.ipynb")
    put(tmp_path, "artefacts/01_costs/net.json", data=b"{}")
    for item in collect(tmp_path).submissions:
        assert item.artefacts == {}
        assert "several learners" in item.note


def test_an_artefact_that_is_a_link_or_too_large(tmp_path):
    put(tmp_path, "ann/lab.ipynb")
    put(tmp_path, "ann/artefacts/l/large.json", data=bytes(1_000_002))
    (tmp_path / "ann/artefacts/l/link.json").symlink_to("/etc/hostname")
    (item,) = collect(tmp_path).submissions
    assert len(item.handed_in().artefacts["large"]) == 1_000_001
    assert set(item.artefacts) == {"large"}
    assert item.note.startswith("artefacts/l/link.json was left out: it is a symbolic link out")


def test_no_folder(tmp_path):
    with pytest.raises(ValueError, match="class: submissions must be a folder"):
        collect(tmp_path / "none")


def test_safe_names_are_portable_and_differ():
    places = ["a/b.ipynb", "a b.ipynb", "A/b.ipynb", "../../x", "CON", "é" * 300, "", "a.zip!b"]
    names = [safe_name(place) for place in places]
    assert len({name.lower() for name in names}) == len(places)
    assert all(name.isascii() and 0 < len(name) <= 96 for name in names)
    assert not any(set(name) & set('/\\:*?"<>|!') or name.startswith(".") for name in names)


def test_a_class_is_not_held_in_memory(tmp_path):
    (item,) = collect(put(tmp_path, "ann.ipynb")).submissions
    assert item.notebook.read.__closure__ is not None
    assert all(cell.cell_contents != NB for cell in item.notebook.read.__closure__)
