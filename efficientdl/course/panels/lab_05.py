"""The panels and tables of lab 05: what a teacher says, and what its students take over."""

from collections.abc import Mapping
from functools import cache

import torch
from torch import Tensor, nn

from efficientdl import costs, datasets, models
from efficientdl.course.panels.lab_05_pictures import (
    CLOTHES,
    MOST_PICTURES,
    attention_maps,
    clothing,
    drawn,
    shown,
)
from efficientdl.course.panels.lab_05_tasks import (
    distance,
    overlap,
    perplexity,
    precision,
    with_and_without,
)
from efficientdl.course.students import DATA, TEACHER, student
from efficientdl.datasets import Split
from efficientdl.fit.distillation import soft_targets
from efficientdl.viz import (
    Axis,
    Bars,
    Figure,
    Line,
    Panel,
    Slider,
    Table,
    View,
    VLine,
)

TEMPERATURES = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)


def _three(value: float) -> float:
    return round(value, 3)


def _by_hand(second: float, temperature: float) -> View:
    z = torch.tensor([4.0, second, 0.0], dtype=torch.float64)
    plain, soft = z.softmax(0).tolist(), (z / temperature).softmax(0).tolist()
    text = (
        f"Scores 4, {second:g} and 0 at temperature {temperature:g}: probabilities "
        f"{soft[0]:.3f}, {soft[1]:.3f} and {soft[2]:.3f}; at temperature 1 "
        f"{plain[0]:.3f}, {plain[1]:.3f} and {plain[2]:.3f}."
    )
    names = ("first", "second", "third")
    figure = Figure(
        "Three probabilities",
        Axis("probability", low=0, high=1),
        Axis("class", categories=names),
        (Bars("temperature 1", plain), Bars("softened", soft)),
        alt=text,
    )
    columns = zip(names, z.tolist(), map(_three, plain), map(_three, soft), strict=True)
    head = ("class", "score", "temperature 1", "softened")
    return View(figure, Table("Softmax by hand", head, tuple(columns)), text)


def by_hand() -> Panel:
    """Three scores and a temperature."""
    controls = {
        "second": Slider("Second score", 0, 4, value=2, step=0.5),
        "temperature": Slider("Temperature", 0.5, 20, value=1, step=0.5),
    }
    stops = {"temperature": (0.5, 4, 20)}
    return Panel(_by_hand, controls, title="What does a temperature do?", stops=stops)


@cache
def _scores() -> Tensor:
    """The teacher's scores for the first test pictures."""
    with torch.no_grad():
        return models.trained(TEACHER)(datasets.load(DATA).test.x[:MOST_PICTURES]).double()


def _dark(picture: int, temperature: float) -> View:
    label = clothing(picture)
    scores = _scores()[picture]
    p, plain = (scores / temperature).softmax(0), scores.softmax(0)
    first, second = p.topk(2).indices.tolist()
    text = (
        f"Picture {picture}, labelled {label}, at temperature {temperature:g}: "
        f"{CLOTHES[first]} {float(p[first]):.3f}, then {CLOTHES[second]} {float(p[second]):.3f}, "
        f"which has {float(plain[second]):.3f} at temperature 1."
    )
    figure = Figure(
        f"What the teacher says of this {label}",
        Axis("probability", low=0, high=1),
        Axis("class", categories=CLOTHES),
        (Bars("softened", p.tolist()),),
        alt=text,
    )
    said = zip(CLOTHES, map(_three, plain.tolist()), map(_three, p.tolist()), strict=True)
    head = ("class", "temperature 1", "softened")
    table = Table(f"Picture {picture}", head, tuple(said))
    return View([figure, shown(picture, f"A {label}")], table, text)


def dark_knowledge() -> Panel:
    """The teacher's probabilities for a real picture, at any temperature."""
    controls = {
        "picture": Slider("Picture", 0, MOST_PICTURES - 1, value=7),
        "temperature": Slider("Temperature", 0.5, 20, value=4, step=0.5),
    }
    stops = {"temperature": (1, 20)}
    return Panel(_dark, controls, title="What is in the dark?", stops=stops)


@cache
def _gradients() -> tuple[tuple[float, float], ...]:
    """Norm of the loss's gradient in the logits, without the factor and with it."""
    with torch.no_grad():
        start = student(4, seed=0).eval()(datasets.load(DATA).test.x[:MOST_PICTURES]).double()
    found = []
    for temperature in TEMPERATURES:
        z = start.clone().requires_grad_()
        loss = soft_targets(z, _scores(), temperature=temperature)
        (slope,) = torch.autograd.grad(loss, z)
        norm = float(slope.norm())
        found.append((norm / temperature**2, norm))
    return tuple(found)


def gradient_size() -> View:
    """How the gradient's size goes with the temperature, without the factor and with it."""
    without, scaled = zip(*_gradients(), strict=True)
    ends = TEMPERATURES.index(4.0), len(TEMPERATURES) - 1
    text = (
        f"From temperature 4 to {TEMPERATURES[-1]:g} the gradient without the factor falls to "
        f"1/{without[ends[0]] / without[ends[1]]:.0f}; with the factor it changes "
        f"{scaled[ends[1]] / scaled[ends[0]]:.1f}-fold."
    )
    figure = Figure(
        "Size of the gradient in the student's scores",
        Axis("temperature", log=True),
        Axis("norm of the gradient", log=True),
        (
            Line("without the factor", TEMPERATURES, without, markers=True),
            Line("times temperature squared", TEMPERATURES, scaled, markers=True),
            VLine("4", 4.0),
        ),
        alt=text,
    )
    rows = tuple(
        (t, float(f"{a:.2g}"), float(f"{b:.2g}"))
        for t, (a, b) in zip(TEMPERATURES, _gradients(), strict=True)
    )
    head = ("temperature", "without the factor", "with it")
    return View(figure, Table("A new student under the small CNN", head, rows), text)


def standing(networks: Mapping[str, nn.Module], split: Split) -> View:
    """Networks beside each other: parameters, accuracy, agreement with the first.

    Args:
        networks: By name, the teacher first.
        split: What they are measured on.
    """
    first = next(iter(networks))
    said = {name: _said(model, split.x) for name, model in networks.items()}
    rows = tuple(
        (
            name,
            costs.count(model, split.x[:1]).total.params,
            _three(float((said[name] == split.y).double().mean())),
            _three(float((said[name] == said[first]).double().mean())),
        )
        for name, model in networks.items()
    )
    best = max(rows[1:], key=lambda row: row[2])
    text = f"Of the students '{best[0]}' is the most accurate, {best[2]:.3f}."
    figure = Figure(
        "Students of one teacher",
        Axis("accuracy", low=0, high=1),
        Axis("", categories=tuple(row[0] for row in rows[1:])),
        (Bars("accuracy", [row[2] for row in rows[1:]]),),
        alt=text,
        height=140 + 40 * len(rows),
    )
    head = ("network", "parameters", "accuracy", "agreement")
    return View(figure, Table("The same pictures, the same steps", head, rows), text)


def _said(model: nn.Module, x: Tensor) -> Tensor:
    was = model.training
    model.eval()
    with torch.no_grad():
        said = model(x).argmax(1)
    model.train(was)
    return said


__all__ = [
    "CLOTHES",
    "attention_maps",
    "by_hand",
    "dark_knowledge",
    "distance",
    "drawn",
    "gradient_size",
    "overlap",
    "perplexity",
    "precision",
    "standing",
    "with_and_without",
]
