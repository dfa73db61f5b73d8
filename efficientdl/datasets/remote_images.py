"""The larger sets of pictures, read from the archives in which they are given out."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from efficientdl.datasets.archives import members, read_cifar, read_idx, read_picture
from efficientdl.datasets.remote import Files, kept
from efficientdl.datasets.shipped import from_idx
from efficientdl.datasets.splits import as_split, carve
from efficientdl.datasets.types import Dataset

SIDE = 64  # of the photographs, in pixels: the whole set fits into memory


def read_digits(name: str, classes: tuple[str, ...]) -> Callable[[Files], Dataset]:
    """The reader of MNIST and its likes: four idx files."""

    def read(files: Files) -> Dataset:
        names = ("x_train", "y_train", "x_test", "y_test")
        arrays = (read_idx(path) for path in files.values())
        return from_idx(name, classes, dict(zip(names, arrays, strict=True)))

    return read


def read_cifar10(files: Files) -> Dataset:
    """50,000 and 10,000 colour pictures, 32 x 32, ten classes."""
    (path,) = files.values()
    classes = "airplane automobile bird cat deer dog frog horse ship truck"
    return _coloured("cifar10", classes.split(), read_cifar(path, "labels"))


def read_cifar100(files: Files) -> Dataset:
    """The same size of set and of picture, a hundred classes, which the archive names by number."""
    (path,) = files.values()
    classes = [f"class {i}" for i in range(100)]
    return _coloured("cifar100", classes, read_cifar(path, "fine_labels"))


def _coloured(name: str, classes: Iterable[str], arrays: dict[str, np.ndarray]) -> Dataset:
    x, y = arrays["x_train"], arrays["y_train"]
    keep, out = carve(y, 0.1)
    test = as_split(arrays["x_test"], arrays["y_test"])
    return Dataset(name, tuple(classes), as_split(x[keep], y[keep]), as_split(x[out], y[out]), test)


IMAGENETTE = {
    "n01440764": "tench",
    "n02102040": "English springer",
    "n02979186": "cassette player",
    "n03000684": "chain saw",
    "n03028079": "church",
    "n03394916": "French horn",
    "n03417042": "garbage truck",
    "n03425413": "gas pump",
    "n03445777": "golf ball",
    "n03888257": "parachute",
}


def read_imagenette(files: Files) -> Dataset:
    """13,394 photographs of ten of ImageNet's classes, at 64 x 64; 0.7 GB once it is loaded."""
    (path,) = files.values()
    return _coloured("imagenette", IMAGENETTE.values(), kept(path.parent, lambda: _photos(path)))


def _photos(path: Path) -> dict[str, np.ndarray]:
    parts: dict[str, list[Any]] = {"x_train": [], "y_train": [], "x_test": [], "y_test": []}
    classes = list(IMAGENETTE)
    for name, content in members(path, lambda n: n.endswith(".JPEG")):
        part, label = name.split("/")[-3:-1]
        part = "test" if part == "val" else "train"
        parts[f"x_{part}"].append(read_picture(content, SIDE))
        parts[f"y_{part}"].append(classes.index(label))
    return {name: np.stack(found) for name, found in parts.items()}


def read_flowers(files: Files) -> Dataset:
    """8,189 photographs of 102 kinds of flowers, at 64 x 64; most of them are for testing."""
    from scipy.io import loadmat

    images, labels, parts = files.values()

    def build() -> dict[str, np.ndarray]:
        found = {int(name[-9:-4]): c for name, c in members(images, lambda n: n.endswith(".jpg"))}
        y = loadmat(labels)["labels"].ravel().astype(np.int64) - 1
        part = np.zeros(len(y), np.int64)
        for k, key in enumerate(("trnid", "valid", "tstid")):
            part[loadmat(parts)[key].ravel() - 1] = k
        x = np.stack([read_picture(found[number], SIDE) for number in sorted(found)])
        return {"x": x, "y": y, "part": part}

    classes = tuple(f"flower {i}" for i in range(1, 103))
    return _by_part("flowers102", classes, kept(images.parent, build))


def read_pets(files: Files) -> Dataset:
    """7,349 photographs of 37 breeds of cats and dogs, at 64 x 64.

    A tenth of the part for training becomes validation.
    """
    images, notes = files.values()

    def build() -> dict[str, np.ndarray]:
        lists = {Path(n).stem: c for n, c in members(notes, lambda n: n.endswith(".txt"))}
        rows = [
            (*line.split()[:2], part)
            for part, name in ((0, "trainval"), (2, "test"))
            for line in lists[name].decode("utf-8").splitlines()
        ]
        names = np.array([name for name, _, _ in rows])
        y = np.array([int(label) - 1 for _, label, _ in rows])
        part = np.array([part for _, _, part in rows])
        train = np.flatnonzero(part == 0)
        part[train[carve(y[train], 0.1)[1]]] = 1
        found = {Path(n).stem: c for n, c in members(images, lambda n: n.endswith(".jpg"))}
        x = np.stack([read_picture(found[name], SIDE) for name in names])
        return {"x": x, "y": y, "part": part, "names": names}

    arrays = kept(images.parent, build)
    breed = {
        int(y): str(n).rpartition("_")[0] for y, n in zip(arrays["y"], arrays["names"], strict=True)
    }
    classes = tuple(breed[i].replace("_", " ") for i in sorted(breed))
    return _by_part("oxford_pets", classes, arrays)


def _by_part(name: str, classes: tuple[str, ...], arrays: dict[str, np.ndarray]) -> Dataset:
    rows = (arrays["part"] == k for k in range(3))
    return Dataset(
        name, classes, *(as_split(arrays["x"][part], arrays["y"][part]) for part in rows)
    )
