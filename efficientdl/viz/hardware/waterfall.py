"""What a total is made of, part after part: cycles by layer, picojoules by level."""

from collections.abc import Mapping, Sequence

from efficientdl import _check
from efficientdl.viz.figure import Axis, Figure
from efficientdl.viz.figures.stack import stack
from efficientdl.viz.series import Bars
from efficientdl.viz.ticks import number_text

_MOST = 40  # bars whose names can still be read
_ROW_PX = 18


def waterfall(
    title: str, parts: Mapping[str, float], *, measure: Axis, total: str = "total"
) -> Figure:
    """Bars of which each begins where the one before ended; the last is the sum of all.

    Args:
        title: Of the figure.
        parts: What each part adds, 0 or more, in order.
        measure: The axis of the values.
        total: The name of the last bar.

    >>> energy = waterfall("One layer", {"MAC": 10, "buffer": 30, "dram": 60},
    ...                    measure=Axis("Energy", "pJ"))
    >>> energy.series[0].values, energy.series[1].values
    ((0, 10, 40, 0), (10, 30, 60, 100))
    >>> energy.alt
    'dram takes 60 of 100, 60 %; MAC takes least.'
    """
    _check_parts("waterfall", parts)
    names, values = list(parts), list(parts.values())
    before = [sum(values[:i]) for i in range(len(values))]
    whole = sum(values)
    most, least = max(names, key=parts.__getitem__), min(names, key=parts.__getitem__)
    labels = [*map(number_text, values), number_text(whole)]
    alt = f"{most} takes {number_text(parts[most])} of {number_text(whole)}, "
    alt += f"{100 * parts[most] / whole:.0f} %"
    return Figure(
        title,
        measure,
        Axis("", categories=(*names, total)),
        (
            Bars("so far", [*before, 0], style=6),
            Bars("this part", [*values, whole], labels, style=0),
        ),
        alt=f"{alt}; {least} takes least." if len(names) > 1 else f"{alt}.",
        stacked=True,
        height=max(240, 120 + _ROW_PX * (len(names) + 1)),
    )


def by_level(
    title: str, parts: Mapping[str, Mapping[str, float]], *, measure: Axis, settings: str = "Layer"
) -> Figure:
    """A bar for each layer, or machine, of what each level takes; where one lacks a level it is 0.

    Args:
        title: Of the figure.
        parts: For each layer, what each level takes: `Run.energy(table)`, for one.
        measure: The axis of the values.
        settings: What the bars are.

    >>> runs = {"conv1": {"mac": 1.0, "dram": 3.0}, "conv2": {"mac": 2.0, "buffer": 2.0}}
    >>> figure = by_level("Energy", runs, measure=Axis("Energy", "pJ"))
    >>> [(bars.name, bars.values) for bars in figure.series]
    [('mac', (1.0, 2.0)), ('dram', (3.0, 0.0)), ('buffer', (0.0, 2.0))]
    """
    if not parts:
        _check.fail("by_level", "parts", "must not be empty", parts)
    levels = dict.fromkeys(level for taken in parts.values() for level in taken)
    for name, taken in parts.items():
        _check_parts("by_level", taken, where=f"parts[{name!r}]")
    columns: dict[str, Sequence[float]] = {
        level: [taken.get(level, 0.0) for taken in parts.values()] for level in levels
    }
    return stack(title, columns, settings=Axis(settings, categories=tuple(parts)), measure=measure)


def _check_parts(caller: str, parts: Mapping[str, float], where: str = "parts") -> None:
    if not 1 <= len(parts) <= _MOST:
        _check.fail(caller, where, f"must be 1 to {_MOST}: more cannot be read", len(parts))
    for name, value in parts.items():
        _check.at_least(caller, f"{where}[{name!r}]", value, 0)
    if not sum(parts.values()):
        _check.fail(caller, where, "must sum to more than 0", 0)
