"""Before and after, in several units: a small figure for each."""

from collections.abc import Mapping

from efficientdl import _check
from efficientdl.viz.figure import Axis, Figure
from efficientdl.viz.series import Bars
from efficientdl.viz.ticks import number_text


def before_after(
    measures: Mapping[Axis, tuple[float, float]],
    *,
    names: tuple[str, str] = ("before", "after"),
) -> tuple[Figure, ...]:
    """Two bars for each measure, from zero, so that their lengths can be compared.

    Args:
        measures: For each axis, the value before and after.
        names: What the two bars are called.

    >>> figures = before_after({Axis("Size", "KiB"): (40, 10), Axis("MACs", "M"): (8, 8)})
    >>> [figure.alt for figure in figures]
    ['Size: 40 KiB before, 10 KiB after, 4 times smaller.', 'MACs: 8 M before, 8 M after.']
    """
    if not measures:
        _check.fail("before_after", "measures", "must not be empty", measures)
    return tuple(_pair(axis, values, names) for axis, values in measures.items())


def _pair(axis: Axis, values: tuple[float, float], names: tuple[str, str]) -> Figure:
    before, after = values
    _check.at_least("before_after", axis.label, min(before, after), 0)
    said = [f"{number_text(v)} {axis.unit}".rstrip() for v in values]
    change = _change(before, after)
    spoken = f"{axis.label}: {said[0]} {names[0]}, {said[1]} {names[1]}"
    return Figure(
        f"{axis.label}: {change}" if change else axis.label,
        Axis("", categories=names),
        axis,
        (Bars(axis.label, values, [number_text(v) for v in values]),),
        alt=f"{spoken}, {change}." if change else f"{spoken}.",
        width=210,
        height=260,
    )


def _change(before: float, after: float) -> str:
    """How the value changed, as a ratio; nothing where there is none."""
    if before == after or not before or not after:
        return ""
    ratio = max(before, after) / min(before, after)
    return f"{number_text(ratio)} times {'smaller' if after < before else 'larger'}"
