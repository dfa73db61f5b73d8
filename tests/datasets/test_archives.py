"""Reading the layouts of the larger sets, on archives built here."""

import gzip
import os
import pickle
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from efficientdl.datasets.archives import members, read_cifar, read_idx, read_picture, read_wave
from tests.datasets.archive_files import idx, pickled, picture, sound, tar


def test_idx(tmp_path):
    values = np.arange(24).reshape(2, 3, 4)
    np.testing.assert_array_equal(read_idx(idx(tmp_path / "a.gz", values)), values)


def test_idx_of_another_type_or_too_short(tmp_path):
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(b"\0\0\x0d\x01\0\0\0\x01\0\0\0\0"))
    with pytest.raises(ValueError, match=r"load: a.gz must begin as an idx file of bytes does"):
        read_idx(path)
    path.write_bytes(gzip.compress(b"\0\0\x08\x01\0\0\0\x05abc"))
    with pytest.raises(ValueError, match=r"load: a.gz must hold the 5 values .* got 3"):
        read_idx(path)


def test_cifar_batches_come_in_order(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (6, 3072), dtype=np.uint8)
    path = tar(
        tmp_path / "c.tar.gz",
        {
            "c/batches.meta": pickled({"label_names": ["a"]}),
            "c/data_batch_2": pickled({"data": x[2:4], "labels": [2, 3]}),
            "c/data_batch_1": pickled({"data": x[:2], "labels": [0, 1]}),
            "c/test_batch": pickled({"data": x[4:], "labels": [4, 5]}),
        },
    )
    arrays = read_cifar(path, "labels")
    assert arrays["y_train"].tolist() == [0, 1, 2, 3]
    assert arrays["y_test"].tolist() == [4, 5]
    # Rows are planes: the first 1024 values are the red channel, row by row.
    np.testing.assert_array_equal(arrays["x_train"][2, 1, 3, 5], x[2, 1024 + 3 * 32 + 5])


def test_cifar_as_python_2_wrote_it(tmp_path):
    # Protocol 2 as Python 2 writes it: byte strings are plain strings, latin1 in ours.
    written = pickled({"data": np.arange(3072, dtype=np.uint8)[None], "fine_labels": [7]})
    old = written.replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
    path = tar(tmp_path / "c.tar.gz", {"c/train": old, "c/test": old})
    arrays = read_cifar(path, "fine_labels")
    assert arrays["y_train"].tolist() == [7]
    np.testing.assert_array_equal(arrays["x_test"].ravel(), np.arange(3072).astype(np.uint8))


class Harmful:
    def __reduce__(self):
        return os.mkdir, ("harm",)


def test_a_pickle_that_would_run_code_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tar(tmp_path / "c.tar.gz", {"c/train": pickle.dumps(Harmful(), protocol=2)})
    with pytest.raises(ValueError, match=r"load: pickle may hold arrays.*mkdir"):
        read_cifar(path, "labels")
    assert not (tmp_path / "harm").exists()


def test_an_archive_without_batches(tmp_path):
    path = tar(tmp_path / "c.tar.gz", {"c/readme": b"no"})
    with pytest.raises(ValueError, match=r"load: c.tar.gz must hold training and test batches"):
        read_cifar(path, "labels")


def test_members_are_those_wanted(tmp_path):
    path = tar(tmp_path / "a.tgz", {"./x/a.txt": b"1", "x/b.bin": b"2", "y/c.txt": b"3"})
    found = list(members(path, lambda name: name.endswith(".txt")))
    assert found == [("x/a.txt", b"1"), ("y/c.txt", b"3")]


@pytest.mark.slow  # SciPy's signals take seconds to import
def test_sound_at_16_khz_is_halved():
    t = np.arange(16000) / 16000
    x = read_wave(sound(0.5 * np.sin(2 * np.pi * 440 * t)))
    assert x.shape == (8000,)
    expected = 0.5 * np.sin(2 * np.pi * 440 * np.arange(8000) / 8000)
    np.testing.assert_allclose(x[100:-100], expected[100:-100], atol=2e-3)  # the filter's ripple
    above = read_wave(sound(0.5 * np.sin(2 * np.pi * 6000 * t)))
    assert np.abs(above[100:-100]).max() < 0.01  # 6 kHz would come back as 2 kHz


def test_sound_at_8_khz_stays():
    samples = np.linspace(-0.5, 0.5, 100)
    np.testing.assert_allclose(read_wave(sound(samples, 8000)), samples, atol=1e-4)


def test_picture_is_cut_in_the_middle_and_keeps_its_colours():
    wide = Image.new("RGB", (90, 30), (255, 0, 0))
    wide.paste((0, 0, 255), (30, 0, 60, 30))  # the middle third is blue
    packed = BytesIO()
    wide.save(packed, "PNG")
    small = read_picture(packed.getvalue(), 16)
    assert small.shape == (3, 16, 16)
    np.testing.assert_array_equal(small[2, 2:-2, 2:-2], 255)
    np.testing.assert_array_equal(small[0, 2:-2, 2:-2], 0)
    assert read_picture(picture((0, 128, 0)), 8).shape == (3, 8, 8)
