"""The panel of lab 00: three sliders on one real network."""

from functools import cache

from efficientdl.course import first_look as looks
from efficientdl.course.first_look import Look
from efficientdl.viz import Axis, Bars, Figure, Panel, Slider, Table, View

_ROWS = (
    ("accuracy", "share of 2,000 digits", lambda look: look.accuracy),
    ("size", "KiB", lambda look: look.size_bytes / 1024),
    ("energy", "uJ for an image, modelled", lambda look: look.energy_pj / 1e6),
    ("latency", "ms for an image, measured", lambda look: look.latency_s * 1e3),
)
Row = tuple[str, str, float, float]


@cache
def _start() -> Look:
    return looks.first_look(channels=0, zeros=0, bits=32)


def _view(channels: int, zeros: int, bits: int) -> View:
    before, now = _start(), looks.first_look(channels=channels, zeros=zeros, bits=bits)
    rows = [(what, unit, of(before), of(now)) for what, unit, of in _ROWS]
    times = {what: was / is_ for what, _, was, is_ in rows[1:]}
    text = (
        f"It reads {now.accuracy:.1%} of the digits ({before.accuracy:.1%} at the start). "
        f"It is {times['size']:.1f} times smaller, needs {times['energy']:.1f} times less energy, "
        f"and is {times['latency']:.1f} times as fast."
    )
    return View(_bars(rows, text), _table(rows), text)


def _table(rows: list[Row]) -> Table:
    cells = tuple((what, unit, was, is_, was / is_) for what, unit, was, is_ in rows)
    return Table("Before and now", ("figure", "unit", "before", "now", "times less"), cells)


def _bars(rows: list[Row], text: str) -> Figure:
    """Each figure as a share of what it was, so that four units stand on one axis."""
    shares = [100 * now / before for _, _, before, now in rows]
    return Figure(
        "What is left of each figure",
        Axis("share of the start", "%", low=0, high=130),
        Axis("", categories=tuple(what for what, *_ in rows)),
        (Bars("now", shares, [f"{share:.0f} %" for share in shares]),),
        alt=text,
        height=240,
    )


def first_look() -> Panel:
    """The first look: channels removed, weights zeroed, bits left; four figures, live."""
    return Panel(
        _view,
        {
            "channels": Slider("Channels removed", 0, 60, value=0, step=5, unit="%"),
            "zeros": Slider("Zeros among the weights", 0, 95, value=0, step=5, unit="%"),
            "bits": Slider("Bits of a weight", 2, 16, value=16),
        },
        title="One network, three ways to make it cheaper",
        stops={"zeros": (50, 80, 95)},
    )
