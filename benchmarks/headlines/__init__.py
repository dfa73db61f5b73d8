"""Headline results: what a paper claims, and what came out here, beside each other.

A module of this folder holds the claims of one subject. Its `headlines()` runs them one after the
other and gives a `Headline` for each; `benchmarks/compression.py` calls it and writes the page. A
claim that was not met is printed like any other.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import mean, stdev


@dataclass(frozen=True)
class Headline:
    """A paper's claim and what came out.

    Attributes:
        claim: What is claimed, in a sentence.
        paper: What the paper measured, and which paper.
        ours: What came out here, in a sentence or two, with the spread over the seeds.
        holds: Whether the claim held here; None where it asks for no yes or no.
        seeds: How many paired runs the figures come from.
        figures: The numbers behind `ours`, one for each seed (or layer, or point of a curve).
        note: A reason, or what is different from the paper.
    """

    claim: str
    paper: str
    ours: str
    holds: bool | None
    seeds: int
    figures: Mapping[str, Sequence[float]]
    note: str = field(default="")


def spread(values: Sequence[float], unit: str = "", digits: int = 2) -> str:
    """Mean and standard deviation over the seeds: `1.23 ± 0.10 %`."""
    text = f"{mean(values):.{digits}f}"
    if len(values) > 1:
        text += f" ± {stdev(values):.{digits}f}"
    return f"{text} {unit}".rstrip()


def differences(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    """Paired differences, seed by seed."""
    return [a - b for a, b in zip(ours, theirs, strict=True)]


def above_zero(values: Sequence[float]) -> bool:
    """Whether the mean is more than two standard errors above zero; of one value, its sign."""
    if len(values) < 2:
        return values[0] > 0
    return mean(values) > 2 * stdev(values) / len(values) ** 0.5


def lines(headline: Headline) -> list[str]:
    """One headline as a part of the page."""
    says = {True: "holds", False: "does not hold", None: "reported"}[headline.holds]
    runs = f"{headline.seeds} seeds" if headline.seeds > 1 else "one run"
    text = ["", f"### {headline.claim}", "", f"- Paper: {headline.paper}"]
    text += [f"- Here: {headline.ours}", f"- **{says.capitalize()}**, {runs}."]
    if headline.note:
        text += [f"- Note: {headline.note}"]
    rows = [
        f"| {name} | {' '.join(f'{value:.4g}' for value in values)} |"
        for name, values in headline.figures.items()
    ]
    return [*text, "", "| figure | values |", "|---|---|", *rows]
