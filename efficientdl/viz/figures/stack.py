"""Parts of a whole, for several settings: parameters and activations by batch size."""

from collections.abc import Mapping, Sequence

from efficientdl import _check
from efficientdl.viz.figure import Axis, Figure
from efficientdl.viz.series import Bars
from efficientdl.viz.ticks import number_text


def stack(
    title: str,
    parts: Mapping[str, Sequence[float]],
    *,
    settings: Axis,
    measure: Axis,
) -> Figure:
    """Bars of which each is the sum of its parts, the sum written above.

    Args:
        title: Of the figure.
        parts: For each part its value at every setting, lowest part first.
        settings: The axis of the settings, with their names as its categories.
        measure: The axis of the values.

    >>> batches = Axis("Batch size", categories=("1", "8"))
    >>> parts = {"parameters": (100, 100), "activations": (50, 400)}
    >>> stack("Training memory", parts, settings=batches, measure=Axis("Memory", "MB")).alt
    'At 1 activations are 33 % of the whole; at 8 they are 80 %.'

    Source: the survey's Figures 9 and 10 are drawn so.
    """
    if not parts:
        _check.fail("stack", "parts", "must not be empty", parts)
    _check.same_length("stack", settings=settings.categories, **dict(parts))
    totals = [sum(values) for values in zip(*parts.values(), strict=True)]
    if any(total <= 0 for total in totals):
        _check.fail("stack", "parts", "must sum to more than 0 at every setting", totals)
    last = list(parts)[-1]
    shares = [100 * v / total for v, total in zip(parts[last], totals, strict=True)]
    labels = {last: [number_text(total) for total in totals]}
    first, end = settings.categories[0], settings.categories[-1]
    return Figure(
        title,
        settings,
        measure,
        tuple(Bars(name, values, labels.get(name, ())) for name, values in parts.items()),
        alt=f"At {first} {last} are {shares[0]:.0f} % of the whole; "
        f"at {end} they are {shares[-1]:.0f} %.",
        stacked=True,
    )
