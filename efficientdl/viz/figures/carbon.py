"""What a search emits, beside things that one can imagine."""

from collections.abc import Mapping

from efficientdl import _check
from efficientdl.viz.figure import Figure
from efficientdl.viz.figures.comparison import comparison


def carbon(
    emissions_kg: Mapping[str, float],
    *,
    references_kg: Mapping[str, float] | None = None,
    title: str = "Carbon dioxide",
) -> Figure:
    """Emissions as bars on a log axis, the known things below them.

    Args:
        emissions_kg: For each method, in kilograms of carbon dioxide equivalent.
        references_kg: For each known thing, the same: a flight, a year of driving.
        title: Of the figure.

    >>> figure = carbon({"search": 200.0}, references_kg={"a flight": 900.0})
    >>> figure.alt
    'a flight has the largest carbon dioxide, 900 kg: 4.5 times that of search.'
    """
    clash = sorted(set(emissions_kg) & set(references_kg or {}))
    if clash:
        _check.fail("carbon", "references_kg", "must have names of their own", clash)
    values = {**emissions_kg, **(references_kg or {})}
    return comparison(title, values, measure="Carbon dioxide", unit="kg", log=True)
