"""Read the four idx files in which MNIST and its likes come, and take the first of each class."""

import gzip
from pathlib import Path

import numpy as np


def read(path: Path) -> np.ndarray:
    """One idx file of bytes, gzipped or not: a magic number, the sizes, the values."""
    packed = path.read_bytes()
    content = gzip.decompress(packed) if packed[:2] == b"\x1f\x8b" else packed
    n_axes = content[3]
    shape = np.frombuffer(content, ">u4", n_axes, 4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * n_axes).reshape(shape)


def first_of_each(x: np.ndarray, y: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The first `count` examples of every class, in the order in which they came."""
    rows = np.sort(np.concatenate([np.flatnonzero(y == c)[:count] for c in range(10)]))
    return x[rows], y[rows]


def subset(folder: Path, suffix: str, n_train: int, n_test: int) -> dict[str, np.ndarray]:
    """The first examples of each class of a folder that holds the four files."""
    parts = {}
    for part, prefix, count in (("train", "train", n_train), ("test", "t10k", n_test)):
        x = read(folder / f"{prefix}-images-idx3-ubyte{suffix}")
        y = read(folder / f"{prefix}-labels-idx1-ubyte{suffix}")
        parts[f"x_{part}"], parts[f"y_{part}"] = first_of_each(x, y, count)
    return parts
