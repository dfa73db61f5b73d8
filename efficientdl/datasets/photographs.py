"""Real photographs without labels: twelve that come in scikit-image and scikit-learn, in crops.

A network that was trained on photographs can be calibrated by these, and what quantization does to
it can be seen on them: not how often it is right, but how often it still says the same.
"""

from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from itertools import product
from math import ceil
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from efficientdl import _check

# Name and licence, as the packages state it (scikit-image in the docstrings of `skimage.data`,
# scikit-learn in `datasets/images/README.txt`). The files stay in those packages.
PHOTOGRAPHS = {
    "astronaut": "public domain, NASA",
    "brick": "CC0, CC0Textures",
    "camera": "CC0, Lav Varshney",
    "chelsea": "CC0, Stefan van der Walt",
    "china": "CC BY 2.0, flickr.com/photos/danielbuechele",
    "coffee": "CC0, Rachel Michetti",
    "coins": "no known copyright restrictions, Brooklyn Museum",
    "flower": "CC BY 2.0, flickr.com/photos/vultilion",
    "grass": "CC0, linolafett on DeviantArt",
    "gravel": "CC0, CC0Textures",
    "motorcycle": "no licence stated, Middlebury 2014 stereo benchmark",
    "rocket": "public domain, SpaceX",
}
# Two parts that share no picture: to calibrate by, and to report on.
CALIBRATION = ("brick", "coffee", "coins", "grass", "gravel", "rocket")
EVALUATION = ("astronaut", "camera", "chelsea", "china", "flower", "motorcycle")
SHARES = (1.0, 0.85, 0.7, 0.5, 0.35)  # of the shorter side that a crop has


class Crops(NamedTuple):
    """Square pictures, and where they come from.

    Attributes:
        x: The pictures, 0..1.
        names: Of each the photograph that it was cut from.
    """

    x: Float[Tensor, "n 3 side side"]
    names: tuple[str, ...]


def photograph_crops(names: Sequence[str] = EVALUATION, *, side: int = 224) -> Crops:
    """Fixed crops of real photographs, of several sizes, on a grid that overlaps by half.

    From each picture squares are cut whose sides are 100, 85, 70, 50 and 35 % of its shorter
    side, and are resized, bicubic, to one side. Grey pictures get three equal channels. The crops
    are the same on every machine that has the same release of Pillow.

    Args:
        names: Of `PHOTOGRAPHS`: `EVALUATION`, the default, or `CALIBRATION`, which shares none.
        side: Height and width of what comes out, in pixels, 8 or more.

    >>> crops = photograph_crops(["chelsea"], side=32)
    >>> crops.x.shape, set(crops.names)
    (torch.Size([75, 3, 32, 32]), {'chelsea'})

    Raises:
        BadValue: There is no such photograph, or none is named.

    Source: scikit-image's `skimage.data`, scikit-learn's `load_sample_images`.
    """
    _check.whole("photograph_crops", "side", side, 8)
    if not names:
        _check.fail("photograph_crops", "names", "must name photographs", names)
    for name in names:
        _check.one_of("photograph_crops", "name", name, PHOTOGRAPHS)
    cut, origin = [], []
    for name in names:
        picture = _picture(name)
        for box in squares(picture.size):
            small = picture.resize((side, side), Image.Resampling.BICUBIC, box=box)
            cut.append(np.asarray(small))
            origin.append(name)
    pixels = np.ascontiguousarray(np.stack(cut).transpose(0, 3, 1, 2))
    return Crops(torch.from_numpy(pixels).float().div_(255), tuple(origin))


def squares(size: tuple[int, int]) -> Iterator[tuple[int, int, int, int]]:
    """The squares that are cut from a picture: left, upper, right and lower edge, in pixels.

    Neighbours overlap by half of their side or more, and the outer ones touch the border.

    Args:
        size: Width and height of the picture.

    >>> list(squares((30, 20)))[:2]
    [(0, 0, 20, 20), (10, 0, 30, 20)]
    """
    for share in SHARES:
        side = round(share * min(size))
        for top, left in product(_starts(size[1], side), _starts(size[0], side)):
            yield left, top, left + side, top + side


def _starts(length: int, side: int) -> list[int]:
    steps = ceil((length - side) / (side / 2))
    return [round(i * (length - side) / max(steps, 1)) for i in range(steps + 1)]


def _picture(name: str) -> Image.Image:
    if name in ("china", "flower"):
        spec = find_spec("sklearn")
        assert spec is not None  # the project depends on it
        assert spec.origin is not None
        # Opened as it lies there: importing `sklearn.datasets` would take more than a second.
        return Image.open(Path(spec.origin).parent / f"datasets/images/{name}.jpg").convert("RGB")
    from skimage import data  # only now: it takes a moment

    pixels = data.stereo_motorcycle()[0] if name == "motorcycle" else getattr(data, name)()
    return Image.fromarray(pixels).convert("RGB")
