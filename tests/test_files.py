"""Shipped files: found, verified, and named when something is wrong with them."""

from hashlib import sha256

import pytest

from efficientdl import _files


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A data folder of two files, one of which is there."""
    (tmp_path / "here.npz").write_bytes(b"all of it")
    digest = sha256(b"all of it").hexdigest()
    (tmp_path / "SHA256SUMS").write_text(f"{digest}  here.npz\n{digest}  gone file.npz\n")
    monkeypatch.setenv("EFFICIENTDL_DATA", str(tmp_path))
    return tmp_path


def test_a_whole_file_is_found(folder):
    assert _files.data_folder() == folder
    assert _files.data_file("f", "here.npz").read_bytes() == b"all of it"
    assert _files.names() == ["here.npz", "gone file.npz"]


def test_a_corrupted_file_is_named(folder):
    (folder / "here.npz").write_bytes(b"all of i")
    with pytest.raises(ValueError, match=r"f: file is corrupted: .*checkout.*, got 'here.npz'"):
        _files.data_file("f", "here.npz")


def test_a_missing_file_is_named(folder):
    with pytest.raises(ValueError, match=r"f: file is missing from .*, got 'gone file.npz'"):
        _files.data_file("f", "gone file.npz")


def test_an_unknown_file_is_named_with_the_nearest(folder):
    with pytest.raises(ValueError, match=r"f: file must be one of here.npz, .* mean 'here.npz'\?"):
        _files.data_file("f", "her.npz")
    with pytest.raises(ValueError, match=r"f: file must be one of"):
        _files.data_file("f", "../SHA256SUMS")


def test_a_folder_without_sums_is_no_data_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("EFFICIENTDL_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(
        ValueError, match=r"efficientdl: EFFICIENTDL_DATA must be a folder with SHA"
    ):
        _files.data_folder()


def test_without_the_variable_it_is_the_checkouts(monkeypatch):
    monkeypatch.delenv("EFFICIENTDL_DATA", raising=False)
    assert (_files.data_folder() / "SHA256SUMS").is_file()
    for name in _files.names():
        assert _files.data_file("f", name).is_file()


def test_an_installed_copy_finds_its_own(tmp_path, monkeypatch):
    monkeypatch.delenv("EFFICIENTDL_DATA", raising=False)
    package = tmp_path / "site-packages" / "efficientdl"
    (package / "_data").mkdir(parents=True)
    monkeypatch.setattr(_files, "_PACKAGE", package)
    with pytest.raises(
        ValueError, match="efficientdl: data folder must be a folder with SHA256SUMS"
    ):
        _files.data_folder()
    (package / "_data" / "SHA256SUMS").write_text("")
    assert _files.data_folder() == package / "_data"
