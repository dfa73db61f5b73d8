"""Lab 04's panel for very few bits: filters as pictures, in floats and in one or two bits."""

from collections.abc import Callable

import torch
from torch import Tensor

from efficientdl.course.panels import lab_04_subject as subject
from efficientdl.course.panels.lab_04_subject import LAYERS, counted
from efficientdl.tensors import (
    PerChannel,
    PerTensor,
    binarize,
    binary,
    choose_qparams,
    dequantize,
    quantize,
    ternary,
)
from efficientdl.viz import Axis, Choice, Figure, Heatmap, Panel, Table, View

_FILTERS, _CHANNELS = 4, 4


def _ternary(weight: Tensor) -> Tensor:
    q = choose_qparams(weight, bits=2, granularity=PerTensor(), rule=ternary)
    return dequantize(quantize(weight, q, granularity=PerTensor()), q, granularity=PerTensor())


def _scaled(weight: Tensor) -> Tensor:
    q = choose_qparams(weight, bits=1, granularity=PerChannel(), rule=binary)
    return dequantize(quantize(weight, q, granularity=PerChannel()), q, granularity=PerChannel())


FLOAT = "float"
WAYS: dict[str, tuple[int, Callable[[Tensor], Tensor]]] = {
    FLOAT: (32, torch.Tensor.clone),
    "ternary, one size": (2, _ternary),
    "signs alone": (1, binarize),
    "signs, a size per filter": (1, _scaled),
}


def rounded(layer: str, way: str) -> tuple[Tensor, Tensor]:
    """A layer's weight, and the same in few bits.

    Args:
        layer: One of the convolutions.
        way: A name of `WAYS`.
    """
    weight = subject.network().get_parameter(f"{layer}.weight").detach()
    return weight, WAYS[way][1](weight).detach()


def _filters(layer: str, way: str) -> View:
    rows = []
    for name, (bits, _) in WAYS.items():
        weight, near = rounded(layer, name)
        lost = float((near - weight).norm() / weight.norm())
        rows.append((name, bits, near.unique().numel(), 100 * lost))
    _, bits, values, lost = next(row for row in rows if row[0] == way)
    text = (
        f"{layer}, {way}: {counted(bits, 'bit')} a weight, {values:,} different values, "
        f"an error of {lost:.0f} % of the norm. The shades of a picture go from its least value "
        "to its largest."
    )
    head = ("filters", "bits", "different values", "error (% of the norm)")
    table = Table(f"{layer} in few bits", head, tuple(rows))
    return View((_tiles(layer, way, text), _tiles(layer, FLOAT, text)), table, text)


def _tiles(layer: str, way: str, alt: str) -> Figure:
    """A few filters below each other, their kernels side by side."""
    few = rounded(layer, way)[1][:_FILTERS, :_CHANNELS]
    n_out, n_in, high, wide = few.shape
    shades = few.movedim(2, 1).reshape(n_out * high, n_in * wide).tolist()
    return Figure(
        f"{layer}, {n_out} of its filters: {way}",
        Axis("input channel", categories=_middles(n_in, wide)),
        Axis("filter", categories=_middles(n_out, high)),
        (Heatmap("weight", shades, [[""] * len(row) for row in shades]),),
        alt=alt,
        width=440,
        height=380,
    )


def _middles(count: int, size: int) -> tuple[str, ...]:
    """The number of each tile under its middle cell, nothing under the others."""
    return tuple(str(i) if j == size // 2 else "" for i in range(count) for j in range(size))


def filters() -> Panel:
    """Filters of a convolution in three values, in two, and in signs with a size; beside floats."""
    controls = {
        "layer": Choice("Layer", LAYERS[1:4], value=LAYERS[1]),
        "way": Choice("Filters", tuple(WAYS)[1:], value=tuple(WAYS)[1]),
    }
    title = "What is left of a filter?"
    return Panel(_filters, controls, title=title, stops={"way": tuple(WAYS)[2:]})
