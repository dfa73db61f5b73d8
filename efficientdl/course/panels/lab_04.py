"""The panels of lab 04: numbers as codes, and what they cost.

All show `small_cnn_fashion`, trained on Fashion-MNIST, but for `integer_layer`, a layer of three
inputs that fits on a page.
"""

from functools import cache, partial

import numpy as np
from numpy.typing import NDArray

from efficientdl.compression.quantization import quantize_weights, share_weights
from efficientdl.course.panels import lab_04_subject as subject
from efficientdl.course.panels.lab_04_integers import integer_layer
from efficientdl.course.panels.lab_04_shared import centroids, huffman_tree
from efficientdl.course.panels.lab_04_subject import LAYERS, counted
from efficientdl.course.panels.lab_04_tails import clipping
from efficientdl.course.panels.lab_04_tiles import filters
from efficientdl.models import example
from efficientdl.progress import progress
from efficientdl.tensors import PerChannel, PerTensor
from efficientdl.viz import (
    Axis,
    Choice,
    Figure,
    Histogram,
    HLine,
    Line,
    Panel,
    Points,
    Slider,
    Table,
    View,
    VLine,
)

__all__ = [
    "accuracy_bits",
    "centroids",
    "clipping",
    "filters",
    "huffman_tree",
    "integer_layer",
    "number_line",
]

_BINS, _WIDE, _BELOW = 60, 540, 0.2
_NAMED = 4  # with more bits than that, codes are too many to be written
BITS = (2, 3, 4, 5)
WAYS = {
    "a scale per tensor": partial(quantize_weights, granularity=PerTensor()),
    "a scale per channel": partial(quantize_weights, granularity=PerChannel()),
    "shared values": share_weights,
}


def _number_line(layer: str, bits: int, reach: int) -> View:
    values = subject.weights(layer)
    end = float(np.abs(values).max()) * reach / 100
    step = 2 * end / (2**bits - 1)
    codes = np.round((values.clip(-end, end) + end) / step).astype(int)
    levels = np.arange(2**bits) * step - end
    near = levels[codes]
    error = float(np.linalg.norm(near - values) / np.linalg.norm(values))
    cut, used = float((np.abs(values) > end).mean()), len(np.unique(codes))
    text = (
        f"{layer} in {counted(bits, 'bit')} between {-end:.2f} and {end:.2f}: steps of {step:.3f}, "
        f"{used} of {2**bits} levels are used, {100 * cut:.1f} % of the weights are cut off. "
        f"The error is {100 * error:.1f} % of the norm."
    )
    figures = (_line(values, levels, text), _counted(codes, bits, text))
    rows = (
        ("step", step),
        ("levels", 2**bits),
        ("levels used", used),
        ("cut off (%)", 100 * cut),
        ("error (% of the norm)", 100 * error),
        ("bytes of codes", len(values) * bits / 8),
    )
    return View(figures, Table(f"{layer} in {bits} bits", ("figure", "value"), rows), text)


def _line(values: subject.Values, levels: subject.Values, alt: str) -> Figure:
    """The weights, and under them the levels between the two ends, with few of them their codes."""
    counts, edges = np.histogram(values, _BINS)
    codes = [str(code) for code in range(len(levels))] if len(levels) <= 2**_NAMED else ()
    name = "levels, with their codes" if codes else "levels"
    return Figure(
        "The weights, and the levels that they may take",
        Axis("weight"),
        Axis("weights", low=-_BELOW * counts.max()),
        (
            Histogram("weights", edges, counts),
            Points(name, levels, np.full(len(levels), -_BELOW / 2 * counts.max()), codes),
            VLine("", levels[0]),
            VLine("range", levels[-1]),
        ),
        alt=alt,
        width=_WIDE,
    )


def _counted(codes: NDArray[np.int_], bits: int, alt: str) -> Figure:
    """How many weights take each code."""
    return Figure(
        "How many weights take each code",
        Axis("code"),
        Axis("weights", low=0),
        (
            Histogram(
                "weights", np.arange(2**bits + 1) - 0.5, np.bincount(codes, minlength=2**bits)
            ),
        ),
        alt=alt,
        width=_WIDE,
    )


def number_line() -> Panel:
    """The weights of a layer on the number line, and equation 2's levels under them."""
    controls = {
        "layer": Choice("Layer", LAYERS, value=LAYERS[2]),
        "bits": Slider("Bits of a code", 1, 8, value=3),
        "reach": Slider("Range, of the largest weight", 10, 100, value=100, step=5, unit="%"),
    }
    title = "How many levels, and how far apart?"
    return Panel(_number_line, controls, title=title, stops={"reach": (60, 20)})


@cache
def curves() -> dict[str, tuple[float, ...]]:
    """Validation accuracy of each of `WAYS` at each of `BITS`, nothing trained."""
    found: dict[str, tuple[float, ...]] = {}
    for name, way in progress(WAYS.items(), "quantizing in three ways"):
        models = [way(subject.network(), example("small_cnn"), bits=b).model for b in BITS]
        found[name] = tuple(map(subject.accuracy, models))
    return found


def _accuracy_bits(lost: float) -> View:
    dense = subject.accuracy(subject.network())
    floor = dense - lost / 100
    fewest = {
        name: min((b for b, a in zip(BITS, curve, strict=True) if a >= floor), default=None)
        for name, curve in curves().items()
    }
    said = ", ".join(f"{name} {'none' if b is None else b}" for name, b in fewest.items())
    text = (
        f"In float {100 * dense:.1f} % are right. Fewest bits of those tried that stay within "
        f"{lost:g} points: {said}."
    )
    lines = [
        Line(name, BITS, [100 * a for a in curve], markers=True) for name, curve in curves().items()
    ]
    figure = Figure(
        "Accuracy against bits, nothing trained",
        Axis("Bits of a weight", low=1.8, high=6.1),  # room for the name of the dashed line
        Axis("Accuracy", "%", low=0, high=100),
        (*lines, HLine(f"{lost:g} points lost", 100 * floor)),
        alt=text,
    )
    head = ("way", *(f"{b} bits (%)" for b in BITS), "fewest bits")
    rows = tuple(
        (name, *(100 * a for a in curve), fewest[name]) for name, curve in curves().items()
    )
    return View(figure, Table("Accuracy at each width", head, rows), text)


def accuracy_bits() -> Panel:
    """Accuracy against bits: a scale per tensor, one per channel, and shared values."""
    controls = {"lost": Slider("Accuracy one may lose", 0.5, 20, value=2, step=0.5, unit="points")}
    title = "What is a bit worth?"
    return Panel(_accuracy_bits, controls, title=title, stops={"lost": (0.5, 10)})
