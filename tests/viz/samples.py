"""Figures of every kind, for the tests of both faces."""

import numpy as np

from efficientdl.viz import Axis, Bars, Figure, Heatmap, Histogram, HLine, Line, Points, VLine

NAMES = ("AlexNet", "VGG-16 <wide>", "MobileNet & co")

BARS = Figure(
    "Sizes",
    Axis("Size", "MB"),
    Axis("Network", categories=NAMES),
    (Bars("dense", [240, 528, 14], labels=["17 x", "38 x", "1 x"]), Bars("pruned", [27, 49, 7])),
    alt="Pruning helps the large ones most.",
)
LOG_BARS = Figure(
    "Work",
    Axis("", categories=NAMES),
    Axis("MACs", "M", log=True),
    (Bars("MACs", [720, 15300, 300]),),
    alt="VGG-16 works 51 times as much as MobileNet.",
)
STACK = Figure(
    "Memory",
    Axis("Batch", categories=("1", "2", "4")),
    Axis("Memory", "MB"),
    (Bars("weights", [100, 100, 100]), Bars("activations", [50, 100, 200])),
    alt="Activations grow with the batch.",
    stacked=True,
)
HISTOGRAM = Figure(
    "Weights",
    Axis("Weight"),
    Axis("Count"),
    (
        Histogram("kept", [-2, -1, 0, 1, 2], [3, 0, 1, 4]),
        Histogram("dropped", [-2, -1, 0, 1, 2], [0, 8, 7, 0]),
        VLine("threshold", 1),
    ),
    alt="Small weights go.",
    stacked=True,
)
LINES = Figure(
    "Loss",
    Axis("Epoch"),
    Axis("Loss", log=True),
    (
        Line("train", [0, 1, 2], [1.0, 0.1, 0.01], markers=True),
        Line("test", np.arange(3), np.array([1.0, 0.2, 0.1])),
        HLine("goal", 0.05),
    ),
    alt="Training goes below the goal, testing does not.",
)
BUBBLES = Figure(
    "Trade-off",
    Axis("MACs", "M", log=True),
    Axis("Accuracy", "%"),
    (Points("networks", [720, 300], [57.2, 72.0], NAMES[:2], [61, 3.5], "parameters (M)"),),
    alt="Less work, more accuracy.",
)
HEATMAP = Figure(
    "Confusions",
    Axis("said", categories=("0", "1")),
    Axis("is", categories=("0", "1")),
    (Heatmap("images", [[90, 10], [5, 95]]),),
    alt="Zeros are mistaken for ones twice as often as ones for zeros.",
)
ALL = {
    "bars": BARS,
    "log_bars": LOG_BARS,
    "stack": STACK,
    "histogram": HISTOGRAM,
    "lines": LINES,
    "bubbles": BUBBLES,
    "heatmap": HEATMAP,
}
