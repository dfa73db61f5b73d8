"""The labelled sets that ship: images, spoken digits, vowels. Each loads in under a second."""

import gzip
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from efficientdl._files import data_file
from efficientdl.datasets.splits import as_split, carve
from efficientdl.datasets.types import Dataset, Split

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
CLOTHES = (
    "T-shirt/top",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
)


def arrays(file: str) -> dict[str, np.ndarray]:
    """The arrays of one shipped npz file, its checksum verified and nothing unpickled."""
    with np.load(data_file("load", file), allow_pickle=False) as stored:
        return dict(stored)


def from_idx(name: str, classes: tuple[str, ...], stored: dict[str, np.ndarray]) -> Dataset:
    """A set of grey images that has a test part; a tenth of the rest becomes validation."""
    x, y = stored["x_train"][:, None], stored["y_train"]
    keep, out = carve(y, 0.1)
    test = as_split(stored["x_test"][:, None], stored["y_test"])
    return Dataset(name, classes, as_split(x[keep], y[keep]), as_split(x[out], y[out]), test)


def fashion_mnist() -> Dataset:
    """12,000 pictures of clothes, 28 x 28, ten classes: the course's default images.

    Source: Xiao, Rasul and Vollgraf, "Fashion-MNIST: a Novel Image Dataset for Benchmarking
    Machine Learning Algorithms", 2017.
    """
    return from_idx("fashion_mnist", CLOTHES, arrays("fashion_mnist_10k.npz"))


def mnist() -> Dataset:
    """8,000 handwritten digits, 28 x 28.

    Source: LeCun, Bottou, Bengio and Haffner, "Gradient-Based Learning Applied to Document
    Recognition", 1998.
    """
    return from_idx("mnist", DIGITS, arrays("mnist_6k.npz"))


def _in_three(name: str, classes: tuple[str, ...], x: np.ndarray, y: np.ndarray) -> Dataset:
    """A set without a test part of its own: a fifth of it, then a tenth of what is left."""
    rest, test = carve(y, 0.2)
    keep, out = carve(y[rest], 0.1)
    parts = (rest[keep], rest[out], test)
    return Dataset(name, classes, *(as_split(x[part], y[part], 1) for part in parts))


def digits() -> Dataset:
    """1,797 handwritten digits, 8 x 8, by other hands than MNIST's; they come in scikit-learn.

    Source: Alpaydin and Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine
    Learning Repository, 1998.
    """
    spec = find_spec("sklearn")
    assert spec is not None  # the project depends on it
    assert spec.origin is not None
    # Read as it lies there: importing `sklearn.datasets` would take more than a second.
    with gzip.open(Path(spec.origin).parent / "datasets/data/digits.csv.gz", "rt") as file:
        table = np.loadtxt(file, delimiter=",")
    x, y = table[:, :-1].reshape(-1, 1, 8, 8), table[:, -1].astype(np.int64)
    return _in_three("digits", DIGITS, x / 16, y)


def lfw_subset() -> Dataset:
    """200 grey pictures, 25 x 25, half of them faces; they come in scikit-image.

    Source: Huang, Ramesh, Berg and Learned-Miller, "Labeled Faces in the Wild", 2007.
    """
    from skimage.data import lfw_subset as pictures

    y = np.repeat([1, 0], 100)  # the package puts the hundred faces first
    return _in_three("lfw_subset", ("no face", "face"), pictures()[:, None], y)


def kws_espeak() -> Dataset:
    """1,800 spoken digits by 36 synthetic voices, as 49 x 40 log-mel pictures.

    The parts share no voice: 24 voices to learn from, 4 to choose by, 8 to report on.
    """
    stored = arrays("kws_espeak_digits.npz")
    x, y, voice = stored["logmel"][:, None], stored["label"], stored["voice"]
    parts = (voice < 24, (voice >= 24) & (voice < 28), voice >= 28)
    return Dataset("kws_espeak", DIGITS, *(as_split(x[part], y[part]) for part in parts))


def kws_real() -> Dataset:
    """50 spoken digits by one real speaker, as 49 x 40 log-mel pictures.

    They are ten recordings, each placed five times in a second of noise. The parts hold other
    placements of the same recordings (two, one and two), which is what adapting to one speaker
    on the device means; to test on a voice never heard, train on `kws_espeak` and take all 50.
    """
    stored = arrays("kws_real_asterisk_digits.npz")
    x, y = stored["logmel"][:, None], stored["label"]
    placement = np.arange(len(y)) % 5
    parts = (placement < 2, placement == 2, placement > 2)
    return Dataset("kws_real", DIGITS, *(as_split(x[part], y[part]) for part in parts))


def japanese_vowels() -> Dataset:
    """640 utterances of two vowels by nine speakers: 12 cepstral series of up to 29 steps.

    The task is to tell the speaker. Shorter utterances are padded with zeros; each of the 12
    series is scaled by its training part's mean and standard deviation.

    Source: Kudo, Toyama and Shimbo, "Multidimensional curve classification using
    passing-through regions", 1999.
    """
    stored = arrays("japanese_vowels.npz")
    x, y, lengths = stored["x_train"], stored["y_train"], stored["len_train"]
    real = np.arange(x.shape[2]) < lengths[:, None]
    values = x.transpose(1, 0, 2)[:, real]  # what was spoken, without the padding
    mean, std = values.mean(1)[:, None], values.std(1)[:, None]

    def split(x: np.ndarray, lengths: np.ndarray, y: np.ndarray) -> Split:
        padding = np.arange(x.shape[2]) >= lengths[:, None]
        scaled = (x - mean) / std
        return as_split(np.where(padding[:, None], 0, scaled), y, 1)

    keep, out = carve(y, 0.1)
    train, val = split(x[keep], lengths[keep], y[keep]), split(x[out], lengths[out], y[out])
    test = split(stored["x_test"], stored["len_test"], stored["y_test"])
    return Dataset("japanese_vowels", tuple(f"speaker {i}" for i in range(1, 10)), train, val, test)
