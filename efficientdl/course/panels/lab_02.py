"""The panels of lab 02: which weights can go, and what comes of it.

All show `small_cnn_fashion`, trained on Fashion-MNIST, and its accuracy on the 1,000 images of the
validation part, but for those that are given a network or what a notebook measured: `groups`,
`speed`, `lottery`, `barrier`.
"""

from dataclasses import replace

from efficientdl.course.panels import lab_02_subject as subject
from efficientdl.course.panels.lab_02_by_hand import ByHand, by_hand
from efficientdl.course.panels.lab_02_curves import criteria, curve
from efficientdl.course.panels.lab_02_curves import scan_panel as sensitivity
from efficientdl.course.panels.lab_02_pictures import groups, masks
from efficientdl.course.panels.lab_02_results import barrier, lottery, speed
from efficientdl.course.panels.lab_02_subject import LAYERS, percent
from efficientdl.viz import Choice, Panel, Slider, Table, View, VLine
from efficientdl.viz.figures import kept_weights

__all__ = [
    "ByHand",
    "barrier",
    "by_hand",
    "criteria",
    "curve",
    "groups",
    "histogram",
    "lottery",
    "masks",
    "sensitivity",
    "speed",
]


def _histogram(layer: str, threshold: int) -> View:
    weight = subject.weights()[layer]
    largest = float(weight.abs().max())
    limit = largest * threshold / 100
    mask = weight.abs() >= limit
    cut, whole = int((~mask).sum()), mask.numel()
    accuracy, before = subject.accuracy({layer: mask}), subject.dense()
    text = (
        f"A threshold of {limit:.3f} cuts {cut:,} of the {whole:,} weights of {layer}, "
        f"{percent(cut / whole)}. Accuracy {percent(accuracy)}, dense {percent(before)}."
    )
    drawn = kept_weights(f"The weights of {layer}", weight.numpy(), mask.numpy())
    lines = (VLine("", -limit), VLine("threshold", limit)) if threshold else ()
    figure = replace(drawn, series=(*drawn.series, *lines), alt=text)
    head = ("layer", "threshold", "weights", "cut", "share cut (%)", "accuracy (%)")
    row = (layer, limit, whole, cut, 100 * cut / whole, 100 * accuracy)
    return View(figure, Table("What the threshold cuts", head, (row,)), text)


def histogram() -> Panel:
    """The weights of one layer under a live threshold, all other layers dense.

    The threshold is a share of the layer's largest weight: what is smaller becomes zero.
    """
    controls = {
        "layer": Choice("Layer", LAYERS, value=LAYERS[2]),
        "threshold": Slider("Threshold, of the largest weight", 0, 100, value=10, unit="%"),
    }
    title = "Where would you draw the line?"
    return Panel(_histogram, controls, title=title, stops={"threshold": (5, 20, 40)})
