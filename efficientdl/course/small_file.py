"""The challenge of lab 04: a compressed network handed in as its file, opened and measured."""

import base64
import binascii
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from torch import nn

from efficientdl import _check, datasets, fit, models
from efficientdl.automl import recipes
from efficientdl.course.exercise import Limit, Verdict

NETWORK, DATA = "lenet_300_100_mnist", "mnist"
_MOST_LETTERS = 4 * 2**20  # of a text; that of the network as it is, in floats, has a third of them


def packed(model: nn.Module) -> str:
    """The file of a network as text that `submit` takes: the bytes of `recipes.save` in base64.

    Raises:
        BadValue: A layer is masked or quantized, and not shared.

    >>> text = packed(nn.Linear(2, 3))
    >>> len(base64.b64decode(text)), text[:6]
    (96, 'RURMQw')
    """
    with TemporaryDirectory() as folder:
        path = Path(folder) / "network.edlc"
        recipes.save(model, path)
        return base64.b64encode(path.read_bytes()).decode()


def unpacked(text: object) -> bytes:
    """The bytes of a file that `packed` packed.

    Args:
        text: From somebody who is not trusted.

    Raises:
        BadValue: It is no text in base64, or longer than any file of the lab's network.

    >>> unpacked("RURMQw==")
    b'EDLC'
    """
    if isinstance(text, str) and len(text) > _MOST_LETTERS:
        rule = f"must be at most {_MOST_LETTERS:,} letters in base64"
        _check.fail("submit", "file", rule, f"{len(text):,} letters")
    try:
        raw = base64.b64decode(text, validate=True) if isinstance(text, str) else b""
    except (binascii.Error, ValueError):
        raw = b""
    if not raw:
        _check.fail("submit", "file", "must be the text that `packed` gives", text)
    return raw


def measure(file: bytes, part: str) -> dict[str, float]:
    """What a file is worth: its size, and how often the network in it is right.

    Args:
        file: In the form of `efficientdl.automl.recipes.file_format`, for the lab's network.
        part: Of the data: `val` to choose by, `test` to be judged by.

    Returns:
        `file_bytes`, and `accuracy`, 0..1.

    Raises:
        BadValue: The file is cut off or damaged, or is for another network.
    """
    _check.one_of("measure", "part", part, ("train", "val", "test"))
    with TemporaryDirectory() as folder:
        path = Path(folder) / "network.edlc"
        path.write_bytes(file)
        model = recipes.load(path, models.trained(NETWORK))
    accuracy = fit.evaluate(model, getattr(datasets.load(DATA), part))
    return {"file_bytes": len(file), "accuracy": accuracy}


def judge(artefact: Mapping[str, Any], budget: tuple[Limit, ...]) -> Verdict:
    """Open the file and hold each figure against its limit, on the test part.

    Args:
        artefact: `{"file": packed(model)}`.
        budget: Limits named by the figures of `measure`.

    Raises:
        BadValue: The artefact holds no file, or one that cannot be opened.
    """
    if artefact.keys() != {"file"}:
        rule = "must be {'file': packed(model)}"
        _check.fail("submit", "artefact", rule, sorted(artefact))
    found = measure(unpacked(artefact["file"]), "test")
    return Verdict(tuple(limit.measure(found[limit.name]) for limit in budget))
