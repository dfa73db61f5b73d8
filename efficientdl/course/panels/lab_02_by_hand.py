"""Lab 02's panel for pruning by hand: a sparsity for each layer against a budget."""

from collections.abc import Mapping
from typing import Any

from efficientdl.compression.pruning import magnitude
from efficientdl.course.panels import lab_02_subject as subject
from efficientdl.course.panels.lab_02_subject import ALONE, LAYERS, percent
from efficientdl.tensors import PerGroup
from efficientdl.viz import Axis, Bars, Choice, Figure, Panel, Slider, Table, View

_START = 80  # percent of zeros in every layer
_BUDGET = 20  # percent of the weights that may stay
Ratios = tuple[tuple[str, int], ...]


class ByHand(Panel):
    """A panel that remembers a sparsity for every layer, though it shows one at a time.

    Choosing another layer brings its own sparsity back to the slider. From code, choose the layer
    first and then its sparsity: `panel.set(layer="conv3.conv")`, `panel.set(sparsity=90)`.
    """

    def __init__(self) -> None:
        self._percents = dict.fromkeys(LAYERS, _START)
        super().__init__(
            _by_hand,
            {
                "layer": Choice("Layer", LAYERS, value=LAYERS[0]),
                "sparsity": Slider("Zeros in this layer", 0, 95, value=_START, step=5, unit="%"),
                "budget": Slider(
                    "Budget: weights that may stay", 5, 50, value=_BUDGET, step=5, unit="%"
                ),
            },
            title="Prune by hand: a sparsity for each layer",
            stops={"sparsity": (0, 50)},
        )

    @property
    def sparsity(self) -> dict[str, float]:
        """The share of zeros of each layer, 0..1: what `prune(sparsity=...)` takes."""
        return {name: percents / 100 for name, percents in self._percents.items()}

    def set(self, **values: Any) -> View:  # noqa: ANN401  # a control's own kind
        """Move controls, by name; a layer that is chosen anew comes with its own sparsity.

        Raises:
            BadValue: No such control, or a value that it cannot take.
        """
        state = self._with(values)
        if state["layer"] != self.state["layer"] and state["sparsity"] == self.state["sparsity"]:
            state["sparsity"] = self._percents[state["layer"]]
        self._percents[state["layer"]] = state["sparsity"]
        return super().set(**state)

    def _view_at(self, state: Mapping[str, Any]) -> View:
        chosen = {**self._percents, state["layer"]: state["sparsity"]}
        return super()._view_at({**state, "ratios": tuple(chosen.items())})


def _by_hand(layer: str, sparsity: int, budget: int, ratios: Ratios) -> View:  # noqa: ARG001
    """The network under these ratios; layer and sparsity are among them."""
    weights = subject.weights()
    masks = {}
    for name, zeros in ratios:
        worth = {name: magnitude(weights[name])}
        masks |= subject.masks(worth, zeros / 100, granularity=PerGroup(1), scope=ALONE)
    kept = {name: int(mask.sum()) for name, mask in masks.items()}
    total, whole = sum(kept.values()), sum(weight.numel() for weight in weights.values())
    may_stay = whole * budget // 100
    accuracy = subject.accuracy(masks)
    over = total - may_stay
    verdict = f"{over:,} weights over the budget" if over > 0 else "within the budget"
    text = (
        f"{total:,} of {whole:,} weights stay, {percent(total / whole)}: {verdict} of {budget} %. "
        f"Accuracy {percent(accuracy)}, dense {percent(subject.dense())}."
    )
    rows = [(name, weights[name].numel(), zeros, kept[name]) for name, zeros in ratios]
    head = ("layer", "weights", "zeros (%)", "weights that stay")
    sums = (
        ("all", whole, 100 * (1 - total / whole), total),
        ("budget", whole, 100 - budget, may_stay),
    )
    return View(_bars(rows, text), Table("A sparsity for each layer", head, (*rows, *sums)), text)


def _bars(rows: list[tuple[str, int, int, int]], text: str) -> Figure:
    return Figure(
        "Where the weights are, and which stay",
        Axis("Weights"),
        Axis("", categories=tuple(name for name, *_ in rows)),
        (
            Bars("stay", [kept for *_, kept in rows]),
            Bars(
                "cut", [n - k for _, n, _, k in rows], [f"{zeros} % cut" for _, _, zeros, _ in rows]
            ),
        ),
        alt=text,
        stacked=True,
        height=260,
    )


def by_hand() -> ByHand:
    """A sparsity for each layer, by hand, against a budget of weights.

    It takes no argument. `by_hand().sparsity` is what was chosen, by layer, ready for `prune`.
    """
    return ByHand()
