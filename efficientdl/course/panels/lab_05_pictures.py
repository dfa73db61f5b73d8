"""Pictures of lab 05: what the networks see, and where they look."""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from efficientdl import datasets
from efficientdl.compression.distillation.listening import listening
from efficientdl.course.students import DATA
from efficientdl.datasets.shapes import CLASSES, Shapes
from efficientdl.fit.distillation import attention_map
from efficientdl.viz import Axis, Figure, Heatmap, Panel, Slider, Table, View

CLOTHES = (
    *("T-shirt", "trousers", "pullover", "dress", "coat"),
    *("sandal", "shirt", "sneaker", "bag", "ankle boot"),
)
MOST_PICTURES = 40


class Seen(NamedTuple):
    """Where one network looks at one picture."""

    name: str
    map: Tensor
    off: float


def _looks(networks: Mapping[str, nn.Module], layer: str, picture: int) -> list[Seen]:
    x = datasets.load(DATA).test.x[picture : picture + 1]
    found: list[Seen] = []
    for name, model in networks.items():
        was = model.training
        model.eval()
        with torch.no_grad(), listening(model, [layer]) as heard:
            model(x)
        model.train(was)
        features = heard[layer][0].detach()
        row = attention_map(features)[0]
        off = float((row - found[0].map.flatten()).norm()) if found else 0.0
        found.append(Seen(name, row.reshape(features.shape[2:]), off))
    return found


def attention_maps(teacher: nn.Module, students: Mapping[str, nn.Module]) -> Panel:
    """Attention maps of a teacher and its students for the same picture, side by side.

    Args:
        teacher: The small CNN.
        students: By name, with layers of the same names and resolutions.
    """
    networks = {"teacher": teacher, **students}

    def view(layer: int, picture: int) -> View:
        seen = _looks(networks, f"conv{layer}", picture)
        label = clothing(picture)
        near = min(seen[1:], key=lambda one: one.off)
        text = (
            f"Picture {picture}, a {label}, layer conv{layer}: '{near.name}' looks most like the "
            f"teacher, at a distance of {near.off:.3f}."
        )
        rows = tuple((one.name, round(one.off, 3)) for one in seen)
        table = Table("Distance from the teacher's map", ("network", "distance"), rows)
        maps = [_heat(one.name, one.map, f"{one.name}. {text}") for one in seen]
        return View([*maps, shown(picture, f"A {label}", pooled=2)], table, text)

    controls = {
        "layer": Slider("Layer", 1, 4, value=3),
        "picture": Slider("Picture", 0, MOST_PICTURES - 1, value=7),
    }
    return Panel(view, controls, title="Where do they look?", stops={"layer": (1, 4)})


def drawn(shapes: Shapes, *, picture: int = 0) -> View:
    """A picture with shapes on it, the label of each pixel, and a box for each shape.

    Args:
        shapes: Pictures with what is in them.
        picture: Which one.
    """
    there = [row for row in shapes.objects[picture].tolist() if row[0] > 0]
    names = [CLASSES[int(row[0])] for row in there]
    text = f"Picture {picture} has {len(there)} of the shapes: {', '.join(names)}."
    rows = tuple((name, *row[1:]) for name, row in zip(names, there, strict=True))
    head = ("class", "x", "y", "width", "height")
    figures = [
        _heat("picture", shapes.x[picture, 0], f"The picture. {text}"),
        _heat("labels", shapes.labels[picture].float(), f"The label of each pixel. {text}"),
    ]
    return View(figures, Table("Centres and sizes in pixels", head, rows), text)


def shown(picture: int, title: str, *, pooled: int = 1) -> Figure:
    """A test picture of the teacher's data; `pooled=2` halves its resolution."""
    x = datasets.load(DATA).test.x[picture : picture + 1]
    return _heat(title, avg_pool2d(x, pooled)[0, 0], f"{title}, picture {picture}.")


def clothing(picture: int) -> str:
    """What a test picture is labelled."""
    return CLOTHES[int(datasets.load(DATA).test.y[picture])]


def _heat(title: str, values: Tensor, alt: str) -> Figure:
    """Values of two axes as shades, the largest the lightest."""
    rows, columns = values.shape
    shades = (values / values.max().clamp(min=1e-12)).tolist()
    return Figure(
        title,
        Axis("column", categories=_every_fourth(columns)),
        Axis("row", categories=_every_fourth(rows)),
        (Heatmap("value", shades, [[""] * columns] * rows),),
        alt=alt,
        width=240,
        height=240,
    )


def _every_fourth(count: int) -> tuple[str, ...]:
    """Numbers of rows or columns; of many only every fourth, so that they do not overlap."""
    return tuple("" if count > 8 and i % 4 else str(i) for i in range(count))
