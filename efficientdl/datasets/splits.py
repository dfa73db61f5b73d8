"""Cutting a set into parts, the same way on every machine and every day."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Integer, Shaped
from numpy import ndarray

from efficientdl import _check
from efficientdl.datasets.types import Split, Text

# The one seed of every split: a course whose parts moved would not grade alike twice.
SEED = 0


def carve(
    y: Integer[ndarray, " n"], share: float
) -> tuple[Integer[ndarray, " a"], Integer[ndarray, " b"]]:
    """Row numbers to keep and to carve out: the same share of every class, drawn by `SEED`.

    >>> keep, out = carve(np.array([0, 0, 0, 0, 1, 1, 1, 1]), 0.25)
    >>> len(keep), len(out)
    (6, 2)
    """
    _check.in_range("carve", "share", share, 0, 1)
    rng = np.random.default_rng(SEED)
    out = np.zeros(len(y), dtype=bool)
    for label in np.unique(y):
        rows = np.flatnonzero(y == label)
        out[rng.permutation(rows)[: round(share * len(rows))]] = True
    return np.flatnonzero(~out), np.flatnonzero(out)


def as_split(x: Shaped[ndarray, "n ..."], y: Integer[ndarray, " n"], scale: float = 255) -> Split:
    """Tensors from arrays: `x` divided by `scale` as float32, `y` as int64."""
    values = torch.from_numpy(x.astype(np.float32, order="C"))  # a copy, so it may be written
    return Split(values.div_(scale), torch.from_numpy(y.astype(np.int64)))


def in_order(name: str, text: str) -> Text:
    """A text cut where it stands: nine tenths, a twentieth, a twentieth.

    >>> in_order("abc", "x" * 100)
    Text(abc, characters: train 90, val 5, test 5)
    """
    a, b = round(0.9 * len(text)), round(0.95 * len(text))
    return Text(name, text[:a], text[a:b], text[b:])


def thirds(items: list[Any], share: float) -> tuple[tuple[Any, ...], ...]:
    """Train, validation and test part of unlabelled items; the last two have `share` each.

    >>> [len(part) for part in thirds(list(range(100)), 0.1)]
    [80, 10, 10]
    """
    order = np.random.default_rng(SEED).permutation(len(items))
    n = round(share * len(items))
    parts = order[2 * n :], order[:n], order[n : 2 * n]
    return tuple(tuple(items[i] for i in np.sort(part)) for part in parts)
