"""A set that does not ship: the way from the network to the reader, and the words without one."""

import numpy as np
import pytest

from efficientdl import _check
from efficientdl.datasets import load, names, remote_names
from efficientdl.datasets.download import NotFetched
from efficientdl.datasets.remote import kept
from efficientdl.datasets.remote_sets import SETS


def test_without_a_network_the_message_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setenv("EFFICIENTDL_CACHE", str(tmp_path))
    monkeypatch.setenv("EFFICIENTDL_UI", "silent")
    for proxy in ("http_proxy", "https_proxy"):  # nobody listens at port 1
        monkeypatch.setenv(proxy, "http://127.0.0.1:1")
        monkeypatch.setenv(proxy.upper(), "http://127.0.0.1:1")
    said = (
        r"load: cifar10 does not ship and must be fetched once \(about 170 MB\); "
        r"www.cs.toronto.edu cannot be reached, perhaps for want of a network. "
        r"load\('fashion_mnist'\) needs no network, got 'cifar10'"
    )
    with pytest.raises(NotFetched, match=said):
        load("cifar10")
    assert issubclass(NotFetched, _check.BadValue)  # so that the command line says it plainly


def test_every_set_names_one_that_ships_and_a_checksum():
    assert list(SETS) == remote_names()
    for name, known in SETS.items():
        assert known.instead in names(), name
        for remote in known.files.values():
            digest = remote.known_hash.removeprefix("md5:")
            assert len(digest) == (32 if remote.known_hash.startswith("md5:") else 64)
            assert set(digest) <= set("0123456789abcdef")
            assert remote.url.startswith("http")
    hashes = [r.known_hash for known in SETS.values() for r in known.files.values()]
    assert len(hashes) == len(set(hashes))


def test_what_takes_long_is_made_once(tmp_path):
    made = []

    def build():
        made.append(1)
        return {"x": np.arange(5), "names": np.array(["a", "bc"])}

    first, again = kept(tmp_path, build), kept(tmp_path, build)
    assert made == [1]
    np.testing.assert_array_equal(first["x"], again["x"])
    np.testing.assert_array_equal(again["names"], ["a", "bc"])


def test_an_interrupted_making_leaves_nothing(tmp_path):
    def build():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        kept(tmp_path, build)
    assert list(tmp_path.iterdir()) == []
