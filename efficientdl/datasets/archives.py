"""Reading the layouts in which the larger sets come. Each takes bytes or a path, and no network."""

import gzip
import io
import pickle
import tarfile
import wave
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, UInt8
from numpy import ndarray

from efficientdl import _check
from efficientdl.datasets.audio import RATE_HZ

_MAKE_ARRAY = np.empty(0).__reduce__()[0]  # what a pickled array is made with, by any NumPy


def read_idx(path: Path) -> UInt8[ndarray, "..."]:
    """A gzipped idx file of bytes: zeros, type and number of axes, the sizes, the values.

    Raises:
        BadValue: It is no such file, or shorter than its sizes say.
    """
    content = gzip.decompress(path.read_bytes())
    if content[:3] != b"\0\0\x08":
        _check.fail("load", path.name, "must begin as an idx file of bytes does", content[:4])
    n_axes = content[3]
    shape = np.frombuffer(content, ">u4", n_axes, 4)
    values = np.frombuffer(content, np.uint8, offset=4 + 4 * n_axes)
    if values.size != np.prod(shape):
        rule = f"must hold the {' x '.join(map(str, shape))} values that it announces"
        _check.fail("load", path.name, rule, values.size)
    return values.reshape(shape)


class _OnlyArrays(pickle.Unpickler):
    """Unpickles NumPy arrays in lists and dictionaries; refuses every other object."""

    def find_class(self, module_name: str, global_name: str) -> Any:  # noqa: ANN401
        asked = f"{module_name.replace('numpy._core', 'numpy.core')}.{global_name}"
        if asked == "numpy.core.multiarray._reconstruct":
            return _MAKE_ARRAY
        if asked == "numpy.ndarray":
            return np.ndarray
        if asked == "numpy.dtype":
            return np.dtype
        if asked == "_codecs.encode":  # how Python 3 writes bytes for Python 2
            return _latin1
        return _check.fail("load", "pickle", "may hold arrays, lists and names only", asked)


def _latin1(text: str, _: str) -> bytes:
    return text.encode("latin1")


def read_cifar(path: Path, labels: str) -> dict[str, ndarray]:
    """The batches of a CIFAR archive, in the order of their names, as images and labels.

    Args:
        path: The archive, `cifar-10-python.tar.gz` or its like for 100 classes.
        labels: The name of the labels in a batch: `labels` or `fine_labels`.
    """
    parts: dict[str, list[ndarray]] = {"x_train": [], "y_train": [], "x_test": [], "y_test": []}
    for name, content in sorted(members(path, _is_cifar_batch)):
        batch = _OnlyArrays(io.BytesIO(content), encoding="latin1").load()
        part = "test" if Path(name).name.startswith("test") else "train"
        parts[f"x_{part}"].append(batch["data"].reshape(-1, 3, 32, 32))
        parts[f"y_{part}"].append(np.array(batch[labels]))
    if not all(parts.values()):
        rule = "must hold training and test batches"
        _check.fail("load", path.name, rule, [name for name, found in parts.items() if found])
    return {name: np.concatenate(found) for name, found in parts.items()}


def _is_cifar_batch(name: str) -> bool:
    return Path(name).name.startswith(("data_batch", "test_batch")) or Path(name).name in (
        "train",
        "test",
    )


def members(path: Path, wanted: Callable[[str], bool]) -> Iterator[tuple[str, bytes]]:
    """Name and content of the files of a tar archive that are wanted, as they come."""
    with tarfile.open(path, "r:*") as archive:
        for member in archive:
            name = member.name.removeprefix("./")
            if member.isfile() and wanted(name):
                file = archive.extractfile(member)
                assert file is not None  # it is a plain file
                yield name, file.read()


def read_wave(content: bytes) -> Float32[ndarray, " samples"]:
    """A 16-bit recording as samples at 8 kHz, -1..1; one at 16 kHz is low-passed and halved."""
    with wave.open(io.BytesIO(content)) as file:
        rate = file.getframerate()
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    x = samples.astype(np.float32) / 32768
    if rate == RATE_HZ:
        return x
    from scipy.signal import resample_poly

    return resample_poly(x, RATE_HZ, rate).astype(np.float32)


def read_picture(content: bytes, side: int) -> UInt8[ndarray, "3 side side"]:
    """An encoded photograph, scaled to `side` pixels on its shorter side, its middle cut out."""
    from PIL import Image

    with Image.open(io.BytesIO(content)) as picture:
        w, h = picture.size
        cut = min(w, h)
        left, top = (w - cut) // 2, (h - cut) // 2
        box = (left, top, left + cut, top + cut)
        small = picture.convert("RGB").resize((side, side), Image.Resampling.BICUBIC, box=box)
        return np.asarray(small).transpose(2, 0, 1)
