"""The table of lab 03's challenge: what each rank of each large layer costs and saves."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from efficientdl.course import thin_ranks
from efficientdl.course.exercise import Challenge
from efficientdl.course.registry import find
from efficientdl.progress import progress
from efficientdl.viz import Axis, Figure, Line, Table, View

# The two layers that hold nearly all weights and most of the work, and ranks to try.
RANKS = {"conv2": (6, 8, 10, 12, 14, 18), "fc1": (12, 16, 18, 20, 24, 36)}


@dataclass(frozen=True)
class Scan:
    """What each rank of one layer alone does to the network.

    Attributes:
        rows: `layer`, `rank`, `accuracy` on the validation part, `params_saved`, `macs_saved`.
        limits: What has to be saved at least, `params_saved` and `macs_saved`.
    """

    rows: list[dict[str, Any]]
    limits: dict[str, int]

    def view(self) -> View:
        """Accuracy over the rank, a line for each layer, and all rows."""
        lines = []
        for layer in RANKS:
            mine = [row for row in self.rows if row["layer"] == layer]
            ranks, accuracy = [r["rank"] for r in mine], [r["accuracy"] for r in mine]
            lines.append(Line(layer, ranks, accuracy, markers=True))
        worst = min(self.rows, key=lambda row: row["accuracy"])
        text = (
            f"Save at least {self.limits['params_saved']:,} parameters and "
            f"{self.limits['macs_saved']:,} MACs. Least accurate: {worst['layer']} at rank "
            f"{worst['rank']}, {worst['accuracy']:.3f}."
        )
        axes = Axis("rank of this layer alone", low=0), Axis("accuracy", low=0.8, high=1)
        figure = Figure("One layer cut at a time", *axes, tuple(lines), alt=text)
        rows = tuple(tuple(row.values()) for row in self.rows)
        head = ("layer", "rank", "accuracy", "parameters saved", "MACs saved")
        return View(figure, Table("Every rank that was tried", head, rows), text)

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        return self.view()._repr_mimebundle_()


def sensitivity(ranks: Mapping[str, tuple[int, ...]] = RANKS) -> Scan:
    """Cut each layer to each rank, the others left whole, and measure on the validation part."""
    whole = thin_ranks.dense()
    budget = find("sensitivity", "rank-budget", Challenge).budget
    limits = {
        f"{limit.name}_saved": getattr(whole, limit.name) - int(limit.value)
        for limit in budget
        if limit.name != "accuracy"
    }
    pairs = [(layer, rank) for layer, tried in ranks.items() for rank in tried]
    rows = []
    for layer, rank in progress(pairs, "cutting one layer at a time"):
        thin = thin_ranks.measure({layer: rank}, "val")
        saved = (whole.params or 0) - thin.params, (whole.macs or 0) - thin.macs
        names = ("layer", "rank", "accuracy", "params_saved", "macs_saved")
        rows.append(dict(zip(names, (layer, rank, thin.accuracy, *saved), strict=True)))
    return Scan(rows, limits)
