"""How good boxes are: overlap, and average precision."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from efficientdl import _check


class Found(NamedTuple):
    """What a detector found in one picture.

    Attributes:
        boxes: Centre and size, `x y width height`.
        classes: The class of each, 1 or more.
        scores: How sure it is; any numbers, the larger the surer.
    """

    boxes: Float[Tensor, "k 4"]
    classes: Int64[Tensor, " k"]
    scores: Float[Tensor, " k"]


def overlap(a: Float[Tensor, "i 4"], b: Float[Tensor, "j 4"]) -> Float[Tensor, "i j"]:
    """Intersection over union of every box with every other; zero for boxes without an area.

    Args:
        a: Boxes as `x y width height`, the centre first.
        b: Likewise.

    >>> overlap(torch.tensor([[0.0, 0, 2, 2]]), torch.tensor([[1.0, 0, 2, 2]]))
    tensor([[0.3333]])
    """
    low = torch.maximum((a[:, :2] - a[:, 2:] / 2)[:, None], (b[:, :2] - b[:, 2:] / 2)[None])
    high = torch.minimum((a[:, :2] + a[:, 2:] / 2)[:, None], (b[:, :2] + b[:, 2:] / 2)[None])
    both = (high - low).clamp(min=0).prod(-1)
    either = a[:, 2:].prod(-1)[:, None] + b[:, 2:].prod(-1)[None] - both
    return torch.where(either > 0, both / either, torch.zeros_like(both))


def suppress(found: Found, *, limit: float = 0.5) -> Found:
    """Leave out what overlaps a surer box of the same class by more than the limit."""
    order = found.scores.argsort(descending=True, stable=True)
    boxes, classes, scores = (part[order] for part in found)
    alike = (overlap(boxes, boxes) > limit) & (classes[:, None] == classes[None])
    kept: list[int] = []
    for i in range(len(scores)):
        if not bool(alike[i, kept].any()):
            kept.append(i)
    return Found(boxes[kept], classes[kept], scores[kept])


def average_precision(
    found: Sequence[Found],
    objects: Float[Tensor, "n k 5"],
    *,
    n_classes: int,
    least_overlap: float = 0.5,
) -> float:
    """Mean over the classes of the area under precision over recall, 0..1.

    Surest first, a box is right when it overlaps an object of its class that no surer one has.
    The curve is made to fall before its area is taken, as VOC does since 2010. Classes without
    an object do not count.

    Args:
        found: What was found, picture by picture.
        objects: What there is: `class x y width height`, class 0 for none.
        n_classes: Classes, the background left out.
        least_overlap: From which on a box has found an object.

    Raises:
        BadValue: The pictures are not as many, or there is no object.

    >>> box = torch.tensor([[5.0, 5.0, 4.0, 4.0]])
    >>> one = Found(box, torch.tensor([1]), torch.tensor([0.9]))
    >>> average_precision([one], torch.tensor([[[1.0, 5, 5, 4, 4]]]), n_classes=1)
    1.0

    Source: Everingham et al., "The Pascal Visual Object Classes Challenge: A Retrospective", 2015,
    section 2.2.
    """
    _check.same_length("average_precision", found=found, objects=objects)  # pyright: ignore[reportArgumentType]
    areas = []
    for label in range(1, n_classes + 1):
        total = int((objects[..., 0] == label).sum())
        if total:
            hits = [_hits(f, o, label, least_overlap) for f, o in zip(found, objects, strict=True)]
            scores = torch.cat([f.scores[f.classes == label] for f in found])
            right = torch.cat(hits)[scores.argsort(descending=True, stable=True)]
            areas.append(_area(right, total))
    if not areas:
        _check.fail("average_precision", "objects", "must have one at least", len(objects))
    return sum(areas) / len(areas)


def _hits(found: Found, objects: Tensor, label: int, least: float) -> Tensor:
    """Whether each box of a class, in its own order, has found an object that is still free."""
    mine = found.classes == label
    boxes, scores = found.boxes[mine], found.scores[mine]
    there = objects[objects[:, 0] == label][:, 1:]
    right = torch.zeros(len(boxes), dtype=torch.bool)
    common = overlap(boxes, there)
    for i in scores.argsort(descending=True, stable=True).tolist():
        best = int(common[i].argmax()) if len(there) else 0
        if len(there) and common[i, best] >= least:
            right[i] = True
            common[:, best] = -1.0  # it is taken
    return right


def _area(right: Tensor, total: int) -> float:
    """The area under precision over recall, made to fall."""
    n_right = right.double().cumsum(0)
    precision = n_right / torch.arange(1, len(right) + 1)
    falling = precision.flip(0).cummax(0).values.flip(0) if len(right) else precision
    return float((falling * right).sum()) / total
