"""Discs, squares and triangles drawn on photographs: a task of boxes and of labels for pixels.

The shapes are synthetic, the backgrounds real: crops of the photographs that come in scikit-image.
Pictures to test on have other photographs behind them than those to learn from.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from efficientdl import _check

CLASSES = ("background", "disc", "square", "triangle")
MOST = 3  # shapes in a picture
SMALLEST, LARGEST = 10, 20  # their sides, in pixels
_BEHIND_TRAIN, _BEHIND_TEST = ("camera", "chelsea", "coffee"), ("astronaut", "rocket")
_TRIES = 20


class Shapes(NamedTuple):
    """Pictures with what is in them.

    Attributes:
        x: Grey pictures, 0..1.
        objects: Of each shape its class, centre and size: `class x y width height`, in pixels
            from the upper left corner; a row of zeros where a picture has fewer.
        labels: The class of each pixel, 0 for the background.
    """

    x: Float[Tensor, "n 1 side side"]
    objects: Float[Tensor, "n 3 5"]
    labels: Int64[Tensor, "n side side"]


@dataclass(frozen=True)
class ShapesSet:
    """Pictures to learn from, and others to report on."""

    train: Shapes
    test: Shapes


def draw_shapes(*, n_train: int, n_test: int, seed: int, side: int = 48) -> ShapesSet:
    """Draw one to three shapes on each of many crops of photographs.

    Shapes do not overlap; each is a plain grey, 0.25 or more from the mean of what it covers,
    with a little noise.

    Args:
        n_train: Pictures to learn from, on crops of three photographs.
        n_test: Pictures to report on, on crops of two others.
        seed: Decides all of them.
        side: Height and width in pixels, 32 to 256.

    >>> data = draw_shapes(n_train=4, n_test=2, seed=0)
    >>> data.train.x.shape, data.test.objects.shape, int(data.train.labels.max()) <= 3
    (torch.Size([4, 1, 48, 48]), torch.Size([2, 3, 5]), True)

    Raises:
        BadValue: A number is out of its range.

    Source: the photographs are scikit-image's `camera`, `chelsea`, `coffee`, `astronaut` and
    `rocket`.
    """
    for name, n in {"n_train": n_train, "n_test": n_test}.items():
        _check.whole("draw_shapes", name, n, 1)
    _check.whole("draw_shapes", "seed", seed, 0)
    _check.whole("draw_shapes", "side", side, 32, 256)
    rng = np.random.default_rng(seed)
    return ShapesSet(
        _draw(rng, n_train, _BEHIND_TRAIN, side), _draw(rng, n_test, _BEHIND_TEST, side)
    )


def _draw(rng: np.random.Generator, n: int, photographs: tuple[str, ...], side: int) -> Shapes:
    behind = [_grey(name) for name in photographs]
    x = np.empty((n, 1, side, side), dtype=np.float32)
    objects = np.zeros((n, MOST, 5), dtype=np.float32)
    labels = np.zeros((n, side, side), dtype=np.int64)
    for i in range(n):
        x[i, 0] = _crop(rng, behind[rng.integers(len(behind))], side)
        for k, shape in enumerate(_places(rng, side)):
            inside = _inside(shape, side)
            x[i, 0][inside] = _fill(rng, x[i, 0][inside])
            objects[i, k], labels[i][inside] = shape, int(shape[0])
    return Shapes(torch.from_numpy(x), torch.from_numpy(objects), torch.from_numpy(labels))


def _grey(name: str) -> np.ndarray:
    from skimage import data  # only now: it takes a moment

    picture = getattr(data, name)().astype(np.float32) / 255
    return picture.mean(2) if picture.ndim == 3 else picture


def _crop(rng: np.random.Generator, picture: np.ndarray, side: int) -> np.ndarray:
    row, column = (rng.integers(size - side + 1) for size in picture.shape)
    return picture[row : row + side, column : column + side]


def _places(rng: np.random.Generator, side: int) -> list[np.ndarray]:
    """Class, centre and size of shapes that do not overlap; at least one finds its place."""
    found: list[np.ndarray] = []
    wanted = rng.integers(1, MOST + 1)
    for _ in range(_TRIES):
        size = rng.integers(SMALLEST, LARGEST + 1)
        x, y = rng.integers(0, side - size + 1, size=2) + size / 2
        new = np.array([rng.integers(1, len(CLASSES)), x, y, size, size])
        if len(found) < wanted and not any(_overlap(new, other) for other in found):
            found.append(new)
    return found


def _overlap(a: np.ndarray, b: np.ndarray) -> bool:
    return bool((np.abs(a[1:3] - b[1:3]) < (a[3:] + b[3:]) / 2).all())


def _inside(shape: np.ndarray, side: int) -> np.ndarray:
    """The pixels whose centres lie in the shape."""
    kind, x, y, size, _ = shape
    rows, columns = np.mgrid[:side, :side] + 0.5
    right, down = columns - x, rows - y
    half = size / 2
    if CLASSES[int(kind)] == "disc":
        return right**2 + down**2 <= half**2
    box = (np.abs(right) <= half) & (np.abs(down) <= half)
    if CLASSES[int(kind)] == "square":
        return box
    return box & (np.abs(right) <= (down + half) / 2)  # the tip is on top


def _fill(rng: np.random.Generator, covered: np.ndarray) -> np.ndarray:
    """A grey that stands out from what it covers, with noise."""
    mean = covered.mean()
    low, high = max(0.0, mean - 0.25), max(0.0, 0.75 - mean)  # what is left on each side
    at = rng.uniform(0, low + high)
    grey = at if at < low else at - low + mean + 0.25
    return np.clip(grey + rng.normal(0, 0.03, covered.shape), 0, 1)
