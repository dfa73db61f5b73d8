"""The folder of what is downloaded or compiled: the system's own, or where the user wants it."""

from efficientdl._cache import cache_folder


def test_it_can_be_put_elsewhere(monkeypatch, tmp_path):
    monkeypatch.setenv("EFFICIENTDL_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.delenv("EFFICIENTDL_CACHE")
    assert cache_folder().name == "efficientdl"
