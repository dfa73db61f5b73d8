"""Every set that ships: what is in it, that its parts are disjoint, and how damage is said."""

import inspect
import shutil

import numpy as np
import pytest
import torch

from efficientdl import _files
from efficientdl.datasets import Dataset, load, names, remote_names

# Examples, classes and shape, from what the sets' authors say.
LABELLED = {
    "fashion_mnist": ((9000, 1000, 2000), 10, (1, 28, 28)),
    "mnist": ((5400, 600, 2000), 10, (1, 28, 28)),
    "digits": ((1295, 143, 359), 10, (1, 8, 8)),
    "lfw_subset": ((144, 16, 40), 2, (1, 25, 25)),
    "kws_espeak": ((1200, 200, 400), 10, (1, 49, 40)),
    "kws_real": ((20, 10, 20), 10, (1, 49, 40)),
    "japanese_vowels": ((243, 27, 370), 9, (12, 29)),
}
PARTS = ("train", "val", "test")


@pytest.mark.parametrize("name", LABELLED)
def test_labelled_set(name):
    data = load(name)
    sizes, n_classes, shape = LABELLED[name]
    assert isinstance(data, Dataset)
    assert len(data.classes) == n_classes
    for part, size in zip(PARTS, sizes, strict=True):
        x, y = getattr(data, part)
        assert (x.dtype, y.dtype) == (torch.float32, torch.int64)
        assert (tuple(x.shape), len(y)) == ((size, *shape), size)
        assert set(y.tolist()) == set(range(n_classes)), "a class is missing"
        assert bool(x.isfinite().all())
        if name != "japanese_vowels":
            assert 0.0 <= float(x.min()) < float(x.max()) <= 1.0


@pytest.mark.parametrize("name", sorted(set(LABELLED) - {"kws_real"}))
def test_parts_share_no_example(name):
    data = load(name)
    rows = [{row.numpy().tobytes() for row in getattr(data, part).x} for part in PARTS]
    # Fashion-MNIST's authors left a few pictures in twice; nothing else comes in two parts.
    shared = len(rows[0] & rows[1]) + len(rows[0] & rows[2]) + len(rows[1] & rows[2])
    assert shared <= (1 if name == "fashion_mnist" else 0)


@pytest.mark.parametrize("name", ["mnist", "japanese_vowels", "kws_espeak"])
def test_loading_twice_gives_the_same(name):
    first, again = load(name), load(name)
    for part in PARTS:
        for one, other in zip(getattr(first, part), getattr(again, part), strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.slow  # scikit-learn's data sets take seconds to import
def test_digits_are_scikit_learns():
    from sklearn.datasets import load_digits

    theirs = load_digits()
    data = load("digits")
    rows = {
        tuple(image.ravel() / 16): label
        for image, label in zip(theirs.images, theirs.target, strict=True)
    }
    for part in PARTS:
        x, y = getattr(data, part)
        assert [rows[tuple(image.flatten().double().tolist())] for image in x] == y.tolist()


def test_a_nearest_class_mean_knows_clothes_and_faces():
    # Labels and pictures belong together: a rule of one line is far better than chance.
    for name, least in (("fashion_mnist", 0.6), ("mnist", 0.7), ("lfw_subset", 0.7)):
        data = load(name)
        x, y = data.train.x.flatten(1), data.train.y
        means = torch.stack([x[y == c].mean(0) for c in range(len(data.classes))])
        nearest = torch.cdist(data.test.x.flatten(1), means).argmin(1)
        assert float((nearest == data.test.y).float().mean()) > least, name


def test_vowels_are_scaled_and_padded_with_zeros():
    train = load("japanese_vowels").train.x
    spoken = train[:, :, :7]  # the shortest utterance has seven steps
    assert 0.5 < float(spoken.std()) < 1.5
    tail = train[:, :, -1]
    assert float((tail == 0).float().mean()) > 0.9  # few reach the 29th


def test_glosses():
    data = load("wordnet_gloss")
    sizes = [len(getattr(data, part).texts) for part in PARTS]
    assert sizes == [8640, 960, 2400]
    for part in PARTS:
        texts, y = getattr(data, part)
        assert len(texts) == len(y)
        counts = np.bincount(y.numpy(), minlength=10)
        assert counts.min() == counts.max()
        assert all(len(text.split()) >= 4 for text in texts)
    assert not set(data.train.texts) & set(data.test.texts)
    food = [t for t, y in zip(*data.train, strict=True) if data.classes[y] == "food"]
    assert sum("sauce" in t or "cooked" in t or "drink" in t for t in food) > 50


def test_moby_dick():
    text = load("moby_dick")
    assert "Call me Ishmael." in text.train
    assert text.test.rstrip().endswith("as it rolled five thousand years ago.")
    share = len(text.train) / len(text.train + text.val + text.test)
    np.testing.assert_allclose(share, 0.9, atol=1e-5)
    assert len(text.test) - len(text.val) in (0, 1)


def test_verses():
    pairs = load("en_es")
    assert [len(getattr(pairs, part)) for part in PARTS] == [5915, 739, 739]
    assert all(
        max(len(en.split()), len(es.split())) <= 16
        for part in PARTS
        for en, es in getattr(pairs, part)
    )
    everything = dict(pairs.train + pairs.val + pairs.test)
    assert everything["Jesus wept."] == "Y lloró Jesús."


def test_scan_has_the_rings_of_sixteen_lasers():
    scan = load("vlp16")
    elevation = torch.rad2deg(torch.atan2(scan.xyz[:, 2], scan.xyz[:, :2].norm(dim=1)))
    # The sensor's manual: 16 beams, two degrees apart, from -15 to 15; stored in millimetres.
    torch.testing.assert_close(
        elevation.round().unique(), torch.arange(-15.0, 16.0, 2.0), rtol=0, atol=0
    )
    assert len(scan.xyz) == len(scan.intensity) == 22591
    assert 0 <= float(scan.intensity.min()) < float(scan.intensity.max()) <= 1


def test_every_set_says_what_it_is():
    assert [name for name in names() if name not in repr(load(name))] == []
    assert not set(names()) & set(remote_names())


def test_unknown_set_and_the_nearest_one():
    with pytest.raises(ValueError, match=r"load: dataset must be one of .* did you mean 'mnist'"):
        load("mnits")


@pytest.fixture
def own_data(tmp_path, monkeypatch):
    for file in ("SHA256SUMS", "mnist_6k.npz"):
        shutil.copy(_files.data_folder() / file, tmp_path / file)
    monkeypatch.setenv("EFFICIENTDL_DATA", str(tmp_path))
    return tmp_path


def test_damaged_file(own_data):
    path = own_data / "mnist_6k.npz"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(ValueError, match=r"load: file is corrupted.*git checkout.*mnist_6k.npz"):
        load("mnist")


def test_missing_file(own_data):
    with pytest.raises(ValueError, match=r"load: file is missing.*fashion_mnist_10k.npz"):
        load("fashion_mnist")


def test_every_name_has_a_type_for_the_reader():
    source = inspect.getsource(inspect.getmodule(load))
    assert [name for name in [*names(), *remote_names()] if f'"{name}"' not in source] == []
