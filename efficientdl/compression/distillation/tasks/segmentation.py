"""Segmentation: the class of every pixel."""

from collections import OrderedDict
from functools import partial

from jaxtyping import Float, Int64
from torch import Tensor, nn

from efficientdl import _check
from efficientdl.compression.distillation.matches import Match
from efficientdl.datasets.shapes import CLASSES
from efficientdl.fit.distillation import pairwise, pixelwise
from efficientdl.models.initialise import seeded


def segmenter(width: int, *, seed: int) -> nn.Sequential:
    """Scores for every pixel, from maps of a quarter of the resolution.

    Args:
        width: Channels of its first layer; the others have twice and four times as many.
        seed: Decides its first weights.

    >>> import torch
    >>> segmenter(4, seed=0)(torch.zeros(1, 1, 48, 48)).shape
    torch.Size([1, 4, 48, 48])
    """
    _check.whole("segmenter", "width", width, 1)
    steps = [(1, width, 2, 1), (width, 2 * width, 2, 1)]
    steps += [(2 * width, 4 * width, 1, 2), (4 * width, 4 * width, 1, 2)]

    def make() -> nn.Sequential:
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        for i, (c_in, c_out, stride, step) in enumerate(steps, start=1):
            conv = nn.Conv2d(c_in, c_out, 3, stride, padding=step, dilation=step, bias=False)
            layers |= {f"conv{i}": conv, f"norm{i}": nn.BatchNorm2d(c_out), f"relu{i}": nn.ReLU()}
        layers["head"] = nn.Conv2d(4 * width, len(CLASSES), 1)
        layers["up"] = nn.Upsample(scale_factor=4, mode="bilinear", align_corners=False)
        return nn.Sequential(layers)

    return seeded(make, seed=seed)


def mean_iou(output: Float[Tensor, "n classes h w"], labels: Int64[Tensor, "n h w"]) -> float:
    """Intersection over union of what is said and what is, mean over the classes that occur.

    >>> import torch
    >>> output = torch.tensor([[[[9.0, 0.0, 0.0]], [[0.0, 9.0, 9.0]]]])
    >>> mean_iou(output, torch.tensor([[[0, 0, 1]]]))
    0.5
    """
    n_classes = output.shape[1]
    pairs = labels * n_classes + output.argmax(1)
    table = pairs.flatten().bincount(minlength=n_classes**2).reshape(n_classes, n_classes).double()
    both, either = table.diag(), table.sum(0) + table.sum(1) - table.diag()
    return float((both[either > 0] / either[either > 0]).mean())


def segmentation_matches(
    *, pixel_weight: float = 1.0, pair_weight: float = 1.0, temperature: float = 1.0
) -> list[Match]:
    """What a segmenter takes over from another: each pixel's classes, and how alike pixels are.

    Args:
        pixel_weight: Of the classes.
        pair_weight: Of the pairs.
        temperature: Of the classes.

    Source: Liu et al., CVPR 2019, section 3.1, equations 1 and 2.
    """
    classes = partial(pixelwise, temperature=temperature)
    return [
        Match(loss=classes, weight=pixel_weight),
        Match(loss=pairwise, student="relu4", teacher="relu4", weight=pair_weight),
    ]
