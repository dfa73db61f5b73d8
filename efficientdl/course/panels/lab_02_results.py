"""The figures of lab 02 that show what its notebook measured: speed, tickets, barriers."""

from collections.abc import Mapping, Sequence
from statistics import mean, stdev

from torch import Tensor, nn

from efficientdl import _check, costs
from efficientdl.viz import Axis, Bars, Figure, Line, Points, Table, View
from efficientdl.viz.ticks import number_text

_WIDE, _ROW_PX = 430, 30
Ticket = tuple[int, float, float]


def speed(models: Mapping[str, nn.Module], x: Tensor, *, repeats: int = 30) -> View:
    """Measured latency beside stored bytes: fewer weights are not always less time.

    The networks take turns on one thread; stored bytes include the bits that say where sparse
    weights stand.

    Args:
        models: By name, the first one the network to compare with: `{"dense": ..., ...}`.
        x: What all of them are run on.
        repeats: Samples of each.

    Raises:
        BadValue: There is no network.
    """
    rows = costs.side_by_side(models, x, repeats=repeats).rows
    ms = {name: 1e3 * row.latency.median_s for name, row in rows.items()}
    kib = {name: row.stored_bits / 8192 for name, row in rows.items()}
    first, *others = rows
    said = [
        f"{name} takes {ms[name] / ms[first]:.2f} times the time of {first} and "
        f"{kib[name] / kib[first]:.2f} times its bytes"
        for name in others
    ]
    text = f"{'; '.join(said) or f'{first} takes {ms[first]:.3g} ms'}. Measured on this machine."
    figures = (
        _bars("Measured latency", ms, "ms", text),
        _bars("Stored weights", kib, "KiB", text),
    )
    head = ("network", "weights kept", "MACs", "stored KiB", "ms", "quarter below", "quarter above")
    cells = tuple(
        (name, row.kept_params, row.macs, kib[name], ms[name], *_quartiles_ms(row))
        for name, row in rows.items()
    )
    return View(figures, Table("Time and bytes", head, cells), text)


def _quartiles_ms(row: costs.Measured) -> tuple[float, float]:
    return 1e3 * row.latency.low_s, 1e3 * row.latency.high_s


def _bars(title: str, values: Mapping[str, float], unit: str, alt: str) -> Figure:
    labels = [f"{number_text(value)} {unit}" for value in values.values()]
    return Figure(
        title,
        Axis(title.rpartition(" ")[2], unit, low=0, high=1.3 * max(values.values())),
        Axis("", categories=tuple(values)),
        (Bars(unit, list(values.values()), labels),),
        alt=alt,
        width=_WIDE,
        height=100 + _ROW_PX * len(values),
    )


def lottery(rows: Sequence[Ticket]) -> View:
    """Winning tickets against the same masks at other starts, seed by seed.

    Args:
        rows: For each seed: the seed, the accuracy, 0..1, of the ticket, and the accuracy of the
            same mask re-initialised at random.

    Raises:
        BadValue: There is no row.

    >>> print(lottery([(0, 0.96, 0.94), (1, 0.95, 0.94)]).text)
    The ticket wins with 2 of 2 seeds, by 1.50 points on average, standard deviation 0.71.
    """
    if not rows:
        _check.fail("lottery", "rows", "must not be empty", rows)
    seeds = tuple(str(seed) for seed, _, _ in rows)
    ahead = [100 * (ticket - other) for _, ticket, other in rows]
    spread = f", standard deviation {stdev(ahead):.2f}" if len(ahead) > 1 else ""
    text = (
        f"The ticket wins with {sum(a > 0 for a in ahead)} of {len(ahead)} seeds, by "
        f"{mean(ahead):.2f} points on average{spread}."
    )
    places = range(len(rows))
    figure = Figure(
        "Winning tickets and random re-initialisation",
        Axis("seed", categories=seeds),
        Axis("Accuracy", "%"),
        (
            Points("winning ticket", places, [100 * t for _, t, _ in rows]),
            Points("re-initialised", places, [100 * o for _, _, o in rows]),
        ),
        alt=text,
        height=300,
    )
    head = ("seed", "ticket (%)", "re-initialised (%)", "ahead (points)")
    cells = tuple(
        (seed, 100 * ticket, 100 * other, won)
        for seed, (_, ticket, other), won in zip(seeds, rows, ahead, strict=True)
    )
    return View(figure, Table("Accuracy by seed", head, cells), text)


def barrier(errors: Sequence[float] | Mapping[str, Sequence[float]]) -> View:
    """The error along the straight line between two trained networks.

    Args:
        errors: What `errors_between` gives, the error, 0..1, at evenly spaced points from one
            network to the other; or several such lists by name, as `{"from epoch 0": ...}`.

    Raises:
        BadValue: A list has fewer than two points.

    >>> print(barrier([0.1, 0.4, 0.1]).text)
    The barrier is 30.0 points high.
    """
    lines = dict(errors) if isinstance(errors, Mapping) else {"": errors}
    if not lines or min(map(len, lines.values())) < 2:
        _check.fail("barrier", "errors", "must have two points or more", errors)
    high = {name: _barrier(line) for name, line in lines.items()}
    said = [
        f"{f'{name}: ' if name else ''}{points:.1f} points high" for name, points in high.items()
    ]
    text = f"The barrier is {', '.join(said)}."
    figure = Figure(
        "Error on the line between two networks",
        Axis("Way from one to the other", "%", low=0, high=100),
        Axis("Error", "%", low=0),
        tuple(
            Line(
                name or "error",
                [100 * i / (len(line) - 1) for i in range(len(line))],
                [100 * error for error in line],
                markers=True,
            )
            for name, line in lines.items()
        ),
        alt=text,
        height=300,
    )
    return View(figure, _errors_table(lines), text)


def _errors_table(lines: Mapping[str, Sequence[float]]) -> Table | None:
    """A row for each point and a column for each line; none where their points differ."""
    counts = {len(line) for line in lines.values()}
    if len(counts) > 1:
        return None
    n_points = counts.pop()
    head = ("way (%)", *(f"{name or 'error'} (%)" for name in lines))
    rows = tuple(
        (100 * i / (n_points - 1), *(100 * line[i] for line in lines.values()))
        for i in range(n_points)
    )
    return Table("Error on the line between two networks", head, rows)


def _barrier(line: Sequence[float]) -> float:
    """How much worse the worst point is than the mean of the ends, in points of accuracy."""
    return 100 * (max(line) - (line[0] + line[-1]) / 2)
