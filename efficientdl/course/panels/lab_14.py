"""The panels of lab 14: an array by hand, its cycles one by one, and layers on machines."""

from collections.abc import Mapping
from functools import cache, reduce
from operator import add

import numpy as np
import torch
from jaxtyping import Float, Int8
from torch import Tensor

from efficientdl import models
from efficientdl.course.designs import machine
from efficientdl.course.panels.answers import agrees
from efficientdl.course.panels.lab_14_bits import widths
from efficientdl.course.panels.lab_14_crossing import crossing
from efficientdl.course.panels.lab_14_dataflows import energies
from efficientdl.course.panels.lab_14_design import shapes
from efficientdl.course.panels.lab_14_memory import account, roof, tiles, timeline
from efficientdl.course.panels.lab_14_waves import waves
from efficientdl.course.panels.lab_14_zeros import pruned, queues
from efficientdl.systems.hardware import (
    Arch,
    Array,
    Conv,
    Dataflow,
    Drain,
    Gemm,
    Layer,
    Run,
    analyse,
    from_torch,
)
from efficientdl.viz import Axis, Bars, Choice, Figure, Panel, Slider, Table, View

__all__ = [
    "DENSE",
    "account",
    "agrees",
    "by_hand",
    "crossing",
    "eight_bits",
    "energies",
    "layers_of",
    "machine",
    "pruned",
    "queues",
    "roof",
    "shapes",
    "tiles",
    "timeline",
    "waves",
    "whole",
    "widths",
]

# The dataflows of matrix products, by name.
DENSE: Mapping[str, Dataflow] = {
    flow.value: flow for flow in Dataflow if flow is not Dataflow.ROW_STATIONARY
}
# Four kinds of layers, from ResNet-50 and MobileNetV2 at one picture of 224 x 224.
KINDS: Mapping[str, Layer] = {
    "3 x 3, 64 to 64": Conv(64, 56, 56, 64, kernel=3, padding=1),
    "1 x 1, 24 to 144": Conv(24, 56, 56, 144),
    "depthwise, 144": Conv.depthwise(144, 56, 56, 3),
    "linear, 1280 to 1000": Gemm(1, 1280, 1000),
}


@cache
def layers_of(network: str) -> Mapping[str, Layer]:
    """The layers of a network of lab 01, in order, for one picture.

    Args:
        network: Its name there.
    """
    return from_torch(models.skeleton(network), models.example(network).to("meta"))


def whole(network: str, arch: Arch) -> Run:
    """A network of lab 01 on a machine, layer after layer, by formula; memory never holds it up.

    Args:
        network: Its name there.
        arch: The machine.
    """
    return reduce(add, [analyse(layer, arch) for layer in layers_of(network).values()])


def eight_bits(x: Float[Tensor, "*shape"]) -> Int8[np.ndarray, "*shape"]:
    """Whole numbers from -127 to 127, the largest magnitude at an end.

    Args:
        x: Not all zero.

    >>> eight_bits(torch.tensor([-1.0, 0.0, 0.5])).tolist()
    [-127, 0, 64]
    """
    codes = torch.round(x.detach() / x.detach().abs().max() * 127)
    return codes.to(torch.int8).numpy()


def _by_hand(rows: int, cols: int, dataflow: str) -> View:
    arch = Arch("by hand", Array(int(rows), int(cols), Drain.OVERLAP), DENSE[dataflow])
    runs = {name: analyse(layer, arch) for name, layer in KINDS.items()}
    shares = [100 * run.utilisation for run in runs.values()]
    best = max(runs, key=lambda name: runs[name].utilisation)
    worst = min(runs, key=lambda name: runs[name].utilisation)
    text = (
        f"{rows} x {cols} units, {dataflow}: {100 * runs[best].utilisation:.0f} % of them work in "
        f"the layer {best}, {100 * runs[worst].utilisation:.2g} % in {worst}."
    )
    figure = Figure(
        "Units at work",
        Axis("share of multipliers and cycles", "%", low=0, high=100),
        Axis("", categories=tuple(runs)),
        (Bars("at work", shares),),
        alt=text,
        height=260,
    )
    table = tuple(
        (name, run.macs, run.cycles, 100 * run.utilisation, run.words("buffer") / run.macs)
        for name, run in runs.items()
    )
    head = ("layer", "MACs", "cycles", "at work (%)", "buffer words per MAC")
    return View(figure, Table("Four kinds of layers", head, table), text)


def by_hand() -> Panel:
    """An array by hand: its sides and what stays; four kinds of layers on it."""
    controls = {
        "rows": Slider("Rows", 4, 128, value=16, step=4),
        "cols": Slider("Columns", 4, 128, value=16, step=4),
        "dataflow": Choice("What stays", tuple(DENSE), value="weight stationary"),
    }
    title = "How many multipliers have work?"
    return Panel(_by_hand, controls, title=title, stops={"dataflow": tuple(DENSE)[::2]})
