"""The table of lab 01's challenge: sixteen trained networks and what each costs."""

from dataclasses import asdict, dataclass
from typing import Any

from efficientdl.course.exercise import Challenge
from efficientdl.course.family import FIGURES, Candidate, measure, names
from efficientdl.course.registry import find
from efficientdl.progress import progress
from efficientdl.viz import Axis, Table, View
from efficientdl.viz.figures import tradeoff as draw
from efficientdl.viz.figures.tradeoff import Candidate as Bubble


@dataclass(frozen=True)
class Family:
    """The candidates, measured on the validation part.

    Attributes:
        candidates: The networks.
        limits: The most that each figure may be.
    """

    candidates: tuple[Candidate, ...]
    limits: dict[str, int]

    @property
    def names(self) -> tuple[str, ...]:
        """The networks' names."""
        return tuple(c.name for c in self.candidates)

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The candidates as dictionaries, a new list each time."""
        return [asdict(c) for c in self.candidates]

    def accuracy(self, name: str) -> float:
        """Accuracy of one candidate."""
        return next(c.accuracy for c in self.candidates if c.name == name)

    def view(self) -> View:
        """The candidates as a table, and in a chart of two of the four figures."""
        head = ("network", "accuracy", *FIGURES)
        rows = tuple(
            (c.name, c.accuracy, *(getattr(c, figure) for figure in FIGURES))
            for c in self.candidates
        )
        limit = ("limit", None, *(self.limits[figure] for figure in FIGURES))
        bubbles = [
            Bubble("", c.macs / 1e6, 100 * c.accuracy, group=c.name.partition("_")[0])
            for c in self.candidates
        ]
        figure = draw("The family: accuracy and MACs", bubbles, cost=Axis("MACs", "M", log=True))
        text = ", ".join(f"{name} at most {value:,}" for name, value in self.limits.items())
        return View(figure, Table("The small family", head, (*rows, limit)), f"Limits: {text}.")

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        return self.view()._repr_mimebundle_()


def small_family() -> Family:
    """Measure every network of the family."""
    budget = find("small_family", "costs-budget", Challenge).budget
    limits = {limit.name: int(limit.value) for limit in budget if limit.name in FIGURES}
    candidates = tuple(measure(name, "val") for name in progress(names(), "measuring the family"))
    return Family(candidates, limits)
