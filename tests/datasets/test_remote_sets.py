"""Each larger set, read from archives of its layout that are built here."""

import io
import zipfile

import numpy as np
import pytest
import torch

from efficientdl.datasets.remote_sets import SETS
from tests.datasets.archive_files import idx, pickled, picture, sound, tar


def read(name, *paths):
    known = SETS[name]
    assert len(known.files) == len(paths)
    return known.read(dict(zip(known.files, paths, strict=True)))


def idx_files(folder):
    y_train, y_test = np.repeat(np.arange(10), 10), np.arange(10)
    return (
        idx(folder / "a.gz", np.broadcast_to(y_train[:, None, None], (100, 28, 28))),
        idx(folder / "b.gz", y_train),
        idx(folder / "c.gz", np.broadcast_to(y_test[:, None, None], (10, 28, 28))),
        idx(folder / "d.gz", y_test),
    )


@pytest.mark.parametrize("name", ["mnist_full", "fashion_mnist_full"])
def test_idx_sets(name, tmp_path):
    data = read(name, *idx_files(tmp_path))
    assert [len(s.y) for s in (data.train, data.val, data.test)] == [90, 10, 10]
    for split in (data.train, data.val, data.test):  # each picture is as bright as its label says
        torch.testing.assert_close(split.x[:, 0, 3, 3] * 255, split.y.float())


@pytest.mark.parametrize(
    ("name", "labels", "train", "test"),
    [
        ("cifar10", "labels", "data_batch_1", "test_batch"),
        ("cifar100", "fine_labels", "train", "test"),
    ],
)
def test_cifar(name, labels, train, test, tmp_path):
    y = np.repeat(np.arange(10), 10)
    x = np.broadcast_to(y[:, None].astype(np.uint8), (100, 3072))
    files = {
        f"cifar/{train}": pickled({"data": x, labels: y.tolist()}),
        f"cifar/{test}": pickled({"data": x[:10], labels: y[:10].tolist()}),
    }
    data = read(name, tar(tmp_path / "a.tar.gz", files))
    assert [len(s.y) for s in (data.train, data.val, data.test)] == [90, 10, 10]
    assert data.train.x.shape[1:] == (3, 32, 32)
    torch.testing.assert_close(data.val.x[:, 2, 0, 0] * 255, data.val.y.float())


def test_imagenette(tmp_path):
    files = {}
    for part, wnid, colour in (
        ("train", "n01440764", (255, 0, 0)),
        ("train", "n03888257", (0, 0, 255)),
        ("val", "n03888257", (0, 0, 255)),
    ):
        for i in range(10):
            files[f"imagenette2-160/{part}/{wnid}/{i}.JPEG"] = picture(colour)
    data = read("imagenette", tar(tmp_path / "a.tgz", files))
    assert [len(s.y) for s in (data.train, data.val, data.test)] == [18, 2, 10]
    assert (data.classes[0], data.classes[9]) == ("tench", "parachute")
    assert set(data.test.y.tolist()) == {9}
    assert data.test.x.shape == (10, 3, 64, 64)
    red, blue = data.train.x[data.train.y == 0], data.train.x[data.train.y == 9]
    assert float(red[:, 0].min()) > 0.95
    assert float(blue[:, 2].min()) > 0.95


@pytest.mark.slow  # SciPy's reader of .mat files takes seconds to import
def test_flowers(tmp_path):
    from scipy.io import savemat

    files = {f"jpg/image_{i:05d}.jpg": picture((20 * i, 0, 0)) for i in (3, 1, 2, 4)}
    savemat(tmp_path / "imagelabels.mat", {"labels": np.array([[7, 102, 1, 1]])})
    savemat(
        tmp_path / "setid.mat",
        {"trnid": [[1]], "valid": [[2]], "tstid": [[3, 4]]},
    )
    images = tar(tmp_path / "a.tgz", files)
    data = read("flowers102", images, tmp_path / "imagelabels.mat", tmp_path / "setid.mat")
    assert [s.y.tolist() for s in (data.train, data.val, data.test)] == [[6], [101], [0, 0]]
    np.testing.assert_allclose(data.test.x[:, 0].mean((1, 2)) * 255, [60, 80], atol=3)


def test_pets(tmp_path):
    names = [f"Great_Dane_{i}" for i in range(10)] + [f"Bengal_{i}" for i in range(10)]
    labels = [1] * 10 + [2] * 10
    lines = [f"{n} {y} 1 1" for n, y in zip(names, labels, strict=True)]
    notes = {
        "annotations/trainval.txt": "\n".join(lines).encode(),
        "annotations/test.txt": b"Bengal_99 2 1 1\n",
    }
    photos = {f"images/{n}.jpg": picture((200, 0, 0)) for n in [*names[::-1], "Bengal_99"]}
    images = tar(tmp_path / "images.tar.gz", photos)
    data = read("oxford_pets", images, tar(tmp_path / "annotations.tar.gz", notes))
    assert data.classes == ("Great Dane", "Bengal")
    assert [len(s.y) for s in (data.train, data.val, data.test)] == [18, 2, 1]
    assert data.test.y.tolist() == [1]
    assert sorted(data.val.y.tolist()) == [0, 1]


def test_speech_commands(tmp_path):
    t = np.arange(16000) / 16000
    pitch = {"zero": 500, "nine": 2000}
    files = {
        f"./{word}/{i}_nohash_0.wav": sound(0.5 * np.sin(2 * np.pi * hertz * t))
        for word, hertz in pitch.items()
        for i in range(4)
    }
    files["./house/1_nohash_0.wav"] = b"not a digit, never opened"
    files["./testing_list.txt"] = b"zero/0_nohash_0.wav\nnine/1_nohash_0.wav\n"
    files["./validation_list.txt"] = b"nine/2_nohash_0.wav\nhouse/1_nohash_0.wav\n"
    data = read("speech_commands", tar(tmp_path / "a.tar.gz", files))
    assert [len(s.y) for s in (data.train, data.val, data.test)] == [5, 1, 2]
    assert (data.val.y.tolist(), sorted(data.test.y.tolist())) == ([9], [0, 9])
    bands = data.train.x[:, 0].mean(1).argmax(1)  # the higher tone lights a higher band
    assert int(bands[data.train.y == 9].min()) > int(bands[data.train.y == 0].max())


def test_multi30k(tmp_path):
    def part(name, n):
        german = "".join(f"Satz {i}\n" for i in range(n)).encode()
        english = "".join(f"Sentence {i}\n" for i in range(n)).encode()
        return tar(tmp_path / name, {"./x.de": german, "./x.en": english})

    pairs = read("multi30k", part("a", 3), part("b", 2), part("c", 1))
    assert pairs.train == tuple((f"Satz {i}", f"Sentence {i}") for i in range(3))
    assert (len(pairs.val), len(pairs.test)) == (2, 1)


def test_sst2(tmp_path):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        rows = "".join(f"film {i} \t{i % 2}\n" for i in range(200))
        archive.writestr("SST-2/train.tsv", "sentence\tlabel\n" + rows)
        archive.writestr("SST-2/dev.tsv", "sentence\tlabel\na fine film\t1\n")
    path = tmp_path / "a.zip"
    path.write_bytes(packed.getvalue())
    glosses = read("sst2", path)
    assert [len(s.y) for s in (glosses.train, glosses.val, glosses.test)] == [196, 4, 1]
    assert glosses.test.texts == ("a fine film",)
    for text, y in zip(*glosses.val, strict=True):
        assert int(text.split()[1]) % 2 == int(y)


def test_shakespeare(tmp_path):
    path = tmp_path / "input.txt"
    path.write_text("To be, or not to be. " * 100)
    text = read("tiny_shakespeare", path)
    assert text.train + text.val + text.test == path.read_text()
