"""`collect` on zip archives: whole classes in one, and everything that a hostile one may hold."""

import stat
import struct
import zipfile
import zlib

import pytest

from efficientdl.grading.classroom import archives, collect, files
from tests.grading.classroom.fakes import notebook
from tests.grading.classroom.folders import NB, found, put, put_zip, refused


def test_archives_are_read_and_nothing_is_written(tmp_path):
    top = tmp_path / "top"
    put_zip(top / "ann.zip", [("in/lab.ipynb", NB), ("in\\win.ipynb", NB), ("readme.md", b"")])
    put(top, "bob/lab.ipynb")
    before = sorted(p for p in tmp_path.rglob("*"))
    assert found(top) == {
        "ann.zip!in/lab.ipynb": "ann", "ann.zip!in/win.ipynb": "ann", "bob/lab.ipynb": "bob",
    }  # fmt: skip
    assert collect(top).submissions[0].handed_in().data == NB
    assert sorted(p for p in tmp_path.rglob("*")) == before


@pytest.mark.parametrize("inner", ["", "class/"])
def test_one_archive_is_a_class(tmp_path, inner):
    entries = [(f"{inner}{who}/lab.ipynb", NB) for who in ("ann", "bob")]
    put_zip(tmp_path / "class.zip", entries)
    assert list(found(tmp_path).values()) == ["ann", "bob"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("../../evil.ipynb", "leads out of its archive"),
        ("a/../../evil.ipynb", "leads out of its archive"),
        ("..\\evil.ipynb", "leads out of its archive"),
        ("/etc/evil.ipynb", "begins at the root"),
        ("C:\\evil.ipynb", "begins at the root"),
        ("inner.zip", "is an archive in an archive"),
    ],
)
def test_hostile_names_in_an_archive(tmp_path, name, reason):
    put_zip(tmp_path / "ann.zip", [(name, NB), ("good.ipynb", NB)])
    assert list(found(tmp_path)) == ["ann.zip!good.ipynb"]
    (said,) = refused(tmp_path).values()
    assert reason in said


def test_links_in_an_archive(tmp_path):
    link = zipfile.ZipInfo("lab.ipynb")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    put_zip(tmp_path / "ann.zip", [(link, "/etc/passwd")])
    assert refused(tmp_path) == {"ann.zip!lab.ipynb": "lab.ipynb is a symbolic link"}


def test_an_encrypted_entry(tmp_path):
    data = bytearray(put_zip(tmp_path / "a.zip", [("lab.ipynb", NB)]).read_bytes())
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + flags] |= 1
    (tmp_path / "a.zip").write_bytes(data)
    assert refused(tmp_path) == {"a.zip!lab.ipynb": "lab.ipynb is encrypted"}


def test_a_wrong_checksum_costs_that_entry(tmp_path):
    path = put_zip(tmp_path / "a.zip", [("bad.ipynb", NB), ("good.ipynb", notebook("x = 2"))])
    path.write_bytes(path.read_bytes().replace(struct.pack("<L", zlib.crc32(NB)), b"\1\2\3\4"))
    assert list(found(tmp_path)) == ["a.zip!good.ipynb"]
    assert "must be whole" in refused(tmp_path)["a.zip!bad.ipynb"]


def test_a_bomb_is_not_unpacked(tmp_path, monkeypatch):
    zeros = bytes(files.LARGEST_FILE_BYTES + 1)
    path = put_zip(tmp_path / "a.zip", [("lab.ipynb", zeros)])
    assert path.stat().st_size < 100_000
    assert "larger than 50 MB" in refused(tmp_path)["a.zip!lab.ipynb"]
    monkeypatch.setattr(archives, "LARGEST_TOTAL_BYTES", 1000)
    assert refused(tmp_path) == {"a.zip": "a.zip unpacks to more than 4 GB"}


def test_a_bomb_that_lies_about_its_size(tmp_path):
    zeros = bytes(2**20)
    path = put_zip(tmp_path / "a.zip", [("lab.ipynb", zeros)])
    lie = path.read_bytes().replace(struct.pack("<L", len(zeros)), struct.pack("<L", 10))
    path.write_bytes(lie)
    assert "must be whole" in refused(tmp_path)["a.zip!lab.ipynb"]


def test_many_entries(tmp_path):
    put_zip(tmp_path / "a.zip", [(f"{i}.ipynb", b"") for i in range(archives.MOST_ENTRIES + 1)])
    path = put_zip(tmp_path / "b.zip", [(f"{i}.ipynb", b"") for i in range(1500)])
    data = path.read_bytes()  # the same, and its end says that there are few
    path.write_bytes(data[:-14] + struct.pack("<HH", 3, 3) + data[-10:])
    said = refused(tmp_path)
    assert said == {name: f"{name} holds more than 1000 entries" for name in ("a.zip", "b.zip")}


def test_a_long_table_of_contents_is_refused_before_it_is_read(tmp_path, monkeypatch):
    put_zip(tmp_path / "a.zip", [(f"{i}.ipynb", b"") for i in range(archives.MOST_ENTRIES + 1)])
    data = bytearray(put_zip(tmp_path / "b.zip", [("x.ipynb", NB)]).read_bytes())
    data[-10:-6] = struct.pack("<L", 2**30)  # few entries, and a long table
    (tmp_path / "b.zip").write_bytes(data)
    monkeypatch.setattr(zipfile, "ZipFile", lambda *_: pytest.fail("it was read"))
    assert set(refused(tmp_path)) == {"a.zip", "b.zip"}


@pytest.mark.parametrize("data", [b"", b"PK", b"no zip at all" * 9, b"PK\x05\x06" + bytes(18)[:5]])
def test_what_is_no_archive(tmp_path, data):
    put(tmp_path, "a.zip", data=data)
    assert refused(tmp_path) == {"a.zip": "a.zip is no whole zip archive"}


def test_half_an_archive(tmp_path):
    whole = put_zip(tmp_path / "a.zip", [("lab.ipynb", NB)]).read_bytes()
    put(tmp_path, "a.zip", data=whole[: len(whole) // 2])
    assert refused(tmp_path) == {"a.zip": "a.zip is no whole zip archive"}


def test_two_entries_of_one_name(tmp_path):
    with pytest.warns(UserWarning, match="Duplicate name"):
        put_zip(tmp_path / "a.zip", [("lab.ipynb", NB), ("lab.ipynb", notebook("x = 2"))])
    collected = collect(tmp_path)
    assert [item.place for item in collected.submissions] == ["a.zip!lab.ipynb"]
    assert [item.place for item in collected.refused] == ["a.zip!lab.ipynb (2)"]
    assert collected.submissions[0].handed_in().data == NB
