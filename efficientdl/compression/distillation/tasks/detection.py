"""Detection: which shapes are in a picture, and where."""

from collections import OrderedDict
from functools import partial
from math import log

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, smooth_l1_loss

from efficientdl import _check
from efficientdl.compression.distillation.adapters import regressor
from efficientdl.compression.distillation.matches import Match
from efficientdl.compression.distillation.tasks.boxes import Found, suppress
from efficientdl.datasets.shapes import CLASSES
from efficientdl.fit.distillation import bounded_regression, hint, weighted_soft_targets
from efficientdl.models.initialise import seeded

STRIDE = 8  # pixels from one cell to the next
USUAL_SIZE = 15.0  # of a shape, in pixels
BACKGROUND_WEIGHT = 0.5  # in the task's own loss: nearly all cells are background
N_SCORES = len(CLASSES)


def detector(width: int, *, seed: int) -> nn.Sequential:
    """A detector of one stage: each cell of 8 x 8 pixels gives four scores and four offsets.

    Args:
        width: Channels of its first layer; the last has four times as many.
        seed: Decides its first weights.

    >>> detector(4, seed=0)(torch.zeros(1, 1, 48, 48)).shape
    torch.Size([1, 8, 6, 6])
    """
    _check.whole("detector", "width", width, 1)
    steps = [(1, width, 2), (width, 2 * width, 2), (2 * width, 4 * width, 2)]
    steps.append((4 * width, 4 * width, 1))

    def make() -> nn.Sequential:
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        for i, (c_in, c_out, stride) in enumerate(steps, start=1):
            layers[f"conv{i}"] = nn.Conv2d(c_in, c_out, 3, stride, padding=1, bias=False)
            layers[f"norm{i}"] = nn.BatchNorm2d(c_out)
            layers[f"relu{i}"] = nn.ReLU()
        layers["head"] = nn.Conv2d(4 * width, N_SCORES + 4, 1)
        return nn.Sequential(layers)

    return seeded(make, seed=seed)


def cells(objects: Float[Tensor, "n k 5"], *, side: int) -> Float[Tensor, "n 5 rows columns"]:
    """Objects as the detector's target: in the cell of a centre its class and four offsets.

    The offsets are the centre's place in the cell, -0.5..0.5, and the logarithms of width and
    height over 15 pixels.

    Args:
        objects: `class x y width height` in pixels, class 0 for none.
        side: Of the pictures, in pixels.
    """
    _check.divides("cells", "stride", STRIDE, "side", side)
    target = torch.zeros(len(objects), 5, side // STRIDE, side // STRIDE)
    rows, place = objects[..., 0].nonzero(as_tuple=True)
    label, x, y, width, height = objects[rows, place].unbind(1)
    column, row = (x / STRIDE).long(), (y / STRIDE).long()
    offsets = [x / STRIDE - column - 0.5, y / STRIDE - row - 0.5]
    offsets += [(size / USUAL_SIZE).log() for size in (width, height)]
    target[rows, :, row, column] = torch.stack([label, *offsets], dim=1)
    return target


def detection_loss(
    output: Float[Tensor, "n 8 rows columns"], target: Float[Tensor, "n 5 rows columns"]
) -> Float[Tensor, ""]:
    """Cross entropy of the classes in every cell, and smooth L1 of the offsets where a shape is."""
    weight = output.new_ones(N_SCORES)
    weight[0] = BACKGROUND_WEIGHT
    classes = cross_entropy(output[:, :N_SCORES], target[:, 0].long(), weight=weight)
    mine, true = _at_objects(output[:, N_SCORES:], target), _at_objects(target[:, 1:], target)
    return classes + smooth_l1_loss(mine, true, reduction="sum") / max(1, len(true))


def _at_objects(offsets: Tensor, target: Tensor) -> Tensor:
    """The offsets of the cells in which a shape has its centre, one row each."""
    return offsets.movedim(1, -1)[target[:, 0] > 0]


def _sampled(teacher: Tensor, target: Tensor) -> Tensor:
    """The cells with a shape, and three times as many in which the teacher suspects one.

    A detector of two stages samples its boxes likewise, a quarter of them objects. Over all cells
    the background would drown the rest.
    """
    there = target[:, 0] > 0
    suspicion = teacher[:, :N_SCORES].softmax(1)[:, 1:].sum(1).masked_fill(there, -1.0)
    n_more = min(3 * int(there.sum()), int((~there).sum()))
    rows = there.flatten().clone()
    rows[suspicion.flatten().topk(n_more).indices] = True
    return rows.reshape(there.shape)


@torch.no_grad()
def detect(
    model: nn.Module, x: Float[Tensor, "n 1 side side"], *, least_score: float = 0.05
) -> list[Found]:
    """Boxes with class and score, picture by picture.

    Args:
        model: A trained detector, in evaluation mode.
        x: Pictures.
        least_score: Below this a box is not reported.
    """
    output = model(x)
    scores, classes = output[:, :N_SCORES].softmax(1)[:, 1:].max(1)
    grid = torch.arange(output.shape[-1]) + 0.5
    centre = torch.stack(torch.meshgrid(grid, grid, indexing="xy"))
    places = (output[:, N_SCORES : N_SCORES + 2] + centre) * STRIDE
    # A size beyond the picture's is none: the exponential must not overflow.
    sizes = output[:, N_SCORES + 2 :].clamp(max=log(x.shape[-1] / USUAL_SIZE)).exp() * USUAL_SIZE
    boxes = torch.cat([places, sizes], dim=1).movedim(1, -1)
    return [
        suppress(Found(b[s >= least_score], c[s >= least_score] + 1, s[s >= least_score]))
        for b, c, s in zip(boxes, classes, scores, strict=True)
    ]


def detection_matches(
    *, weight: float = 1.0, background_weight: float = 1.5, margin: float = 0.1, seed: int
) -> list[Match]:
    """What a detector takes over from another: classes, a bar for its boxes, and a hint.

    Classes are compared in the cells with a shape and in three times as many others, those in
    which the teacher suspects one.

    Args:
        weight: Of the classes and of the hint; the boxes have half of it, as in the paper.
        background_weight: Of the background among the classes.
        margin: By which the student has to be better than its teacher to be left alone.
        seed: Decides the first weights of the hint's regressor.

    Source: Chen et al., NeurIPS 2017, sections 3.1 to 3.4, equations 1 to 5.
    """

    def classes(student: Tensor, teacher: Tensor, *, target: Tensor) -> Tensor:
        rows = _sampled(teacher, target)
        mine, theirs = (t[:, :N_SCORES].movedim(1, -1)[rows] for t in (student, teacher))
        if not len(mine):
            return student.new_zeros(())
        return weighted_soft_targets(mine, theirs, background_weight=background_weight)

    def boxes(student: Tensor, teacher: Tensor, *, target: Tensor) -> Tensor:
        mine, theirs = (_at_objects(t[:, N_SCORES:], target) for t in (student, teacher))
        if not len(mine):
            return student.new_zeros(())
        true = _at_objects(target[:, 1:], target)
        return bounded_regression(mine, theirs, target=true, margin=margin)

    adapter = partial(regressor, seed=seed)
    return [
        Match(loss=classes, weight=weight),
        Match(loss=boxes, weight=weight / 2),
        Match(loss=hint, student="relu4", teacher="relu4", weight=weight, adapter=adapter),
    ]
