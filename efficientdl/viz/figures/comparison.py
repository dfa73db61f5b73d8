"""One figure for several things, and how many times larger each is than the smallest."""

from collections.abc import Mapping

from efficientdl import _check
from efficientdl.viz.figure import Axis, Figure
from efficientdl.viz.series import Bars
from efficientdl.viz.ticks import TIMES, number_text

_ROW_PX = 26


def comparison(
    title: str,
    values: Mapping[str, float],
    *,
    measure: str,
    unit: str = "",
    log: bool = False,
    baseline: str | None = None,
) -> Figure:
    """Bars beside each other, each with its ratio to one of them.

    Args:
        title: Of the figure.
        values: By name, in the order to draw.
        measure: What the values are.
        unit: Of the values.
        log: Equal lengths are equal ratios; for values that span more than one power of ten.
        baseline: Whose ratio is 1; the smallest value where it is None.

    >>> comparison("Weights", {"32 bits": 40, "8 bits": 10}, measure="Size", unit="KiB").alt
    '32 bits has the largest size, 40 KiB: 4 times that of 8 bits.'
    """
    if not values:
        _check.fail("comparison", "values", "must not be empty", values)
    one = min(values, key=lambda name: values[name]) if baseline is None else baseline
    _check.one_of("comparison", "baseline", one, values)
    if values[one] <= 0:
        _check.fail("comparison", f"the value of {one!r}", "must be above 0", values[one])
    ratios = {name: value / values[one] for name, value in values.items()}
    largest = max(values, key=lambda name: values[name])
    said = f"{number_text(values[largest])} {unit}".rstrip()
    return Figure(
        title,
        Axis(measure, unit, log=log),
        Axis("", categories=tuple(values)),
        (
            Bars(
                measure,
                list(values.values()),
                [f"{number_text(r)} {TIMES}" for r in ratios.values()],
            ),
        ),
        alt=f"{largest} has the largest {_within(measure)}, {said}: "
        f"{number_text(ratios[largest])} times that of {one}.",
        height=max(160, 100 + _ROW_PX * len(values)),
    )


def _within(measure: str) -> str:
    """A label as it stands within a sentence: `Size` becomes `size`, `MACs` stays."""
    word = measure[1:2].islower()
    return measure[:1].lower() + measure[1:] if word else measure
