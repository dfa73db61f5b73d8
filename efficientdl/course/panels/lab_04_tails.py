"""Lab 04's panel for the range: a histogram, a cut, and what it costs by two measures."""

from functools import cache
from math import isfinite

import numpy as np
import torch

from efficientdl.course.panels import lab_04_subject as subject
from efficientdl.course.panels.lab_04_subject import Values
from efficientdl.tensors import LeastDivergence, LeastError
from efficientdl.tensors.ranges import divergence_after
from efficientdl.viz import (
    Axis,
    Choice,
    Figure,
    Histogram,
    Line,
    Panel,
    Points,
    Slider,
    Table,
    View,
    VLine,
)

WEIGHTS, INPUTS = "weights of conv3", "what comes into conv3"
_LAYER, _SHOWN, N_BINS, _STEPS = "conv3.conv", 50, 400, tuple(range(5, 101, 5))
_WIDE, _HIGH, _LEAST = 540, 330, 0.01  # errors below so many percent are not drawn
_FLAT = 1e-4  # nor are divergences below this


def values_of(what: str) -> Values:
    """The magnitudes that are cut: of weights, or of activations that are not zero."""
    found = subject.weights(_LAYER) if what == WEIGHTS else subject.activations(_LAYER)
    return np.abs(found[found != 0])


@cache
def errors(what: str, bits: int, percent: int) -> tuple[float, float, float | None]:
    """Squared error by rounding and by clipping, and the divergence, of a cut.

    Args:
        what: `WEIGHTS` or `INPUTS`.
        bits: Bits of a code with a sign.
        percent: The cut, of the largest magnitude.

    Returns:
        Both errors as shares of the mean square; the divergence is None where it is infinite.
    """
    sizes = values_of(what)
    end, top = sizes.max() * percent / 100, 2 ** (bits - 1) - 1
    near = np.round(sizes.clip(max=end) / end * top) * end / top
    square = (near - sizes) ** 2 / (sizes**2).mean()
    clipped = np.where(sizes > end, square, 0).mean()
    kl = _divergence(what, bits, max(N_BINS * percent // 100, top + 1))
    return float(square.mean() - clipped), float(clipped), kl if isfinite(kl) else None


def _divergence(what: str, bits: int, kept: int) -> float:
    """What the KL rule computes for a cut after so many bins; zero is a level, too."""
    sizes = values_of(what)
    counts = np.histogram(sizes, N_BINS, (0, sizes.max()))[0].astype(float)
    return divergence_after(counts, kept, 2 ** (bits - 1))


@cache
def divergences(what: str, bits: int) -> tuple[tuple[float, float], ...]:
    """Every cut, in percent of the largest, and its divergence where that is finite."""
    found = [(k, _divergence(what, bits, k)) for k in range(2 ** (bits - 1), N_BINS + 1)]
    return tuple((100 * kept / N_BINS, kl) for kept, kl in found if isfinite(kl))


@cache
def chosen(what: str, bits: int) -> dict[str, float]:
    """Where the library's rules cut, in percent of the largest magnitude."""
    sizes = torch.from_numpy(values_of(what))
    groups, top = torch.cat([-sizes, sizes])[None], 2 ** (bits - 1) - 1
    rules = {"least error": LeastError(50), "KL": LeastDivergence(N_BINS)}
    ends = {name: float(rule(groups, bits=bits).scale) * top for name, rule in rules.items()}
    return {name: 100 * end / float(sizes.max()) for name, end in ends.items()}


def _clipping(what: str, bits: int, cut: int) -> View:
    rounding, clipped, kl = errors(what, bits, cut)
    places = chosen(what, bits)
    text = (
        f"{what.capitalize()} in {bits} bits, cut at {cut} % of the largest: rounding costs "
        f"{100 * rounding:.2f} %, clipping {100 * clipped:.2f} % of the mean square; divergence "
        f"{'infinite' if kl is None else f'{kl:.3f}'}. Least error cuts at "
        f"{places['least error']:.0f} %, KL at {places['KL']:.0f} %."
    )
    sizes = values_of(what)
    counts, edges = np.histogram(sizes, _SHOWN)
    share = 100 / sizes.max()
    histogram = Figure(
        "Magnitudes, and where they are cut",
        Axis("share of the largest", "%"),
        Axis("values", low=0),
        (Histogram("values", edges * share, counts), VLine("cut", cut)),
        alt=text,
        width=_WIDE,
        height=_HIGH,
    )
    table = Table(
        "What the cut costs",
        ("figure", "value"),
        (
            ("rounding (% of the mean square)", 100 * rounding),
            ("clipping (% of the mean square)", 100 * clipped),
            ("both", 100 * (rounding + clipped)),
            ("divergence", kl),
            ("least error cuts at (%)", places["least error"]),
            ("KL cuts at (%)", places["KL"]),
        ),
    )
    figures = (histogram, _costs(what, bits, cut, text), _divergences(what, bits, cut, text))
    return View(figures, table, text)


def _costs(what: str, bits: int, cut: int, alt: str) -> Figure:
    """Rounding falls and clipping grows with a narrower cut; both together are least somewhere."""
    pairs = [errors(what, bits, percent)[:2] for percent in _STEPS]
    both = [100 * (r + c) for r, c in pairs]
    best = int(np.argmin(both))
    return Figure(
        "What each cut costs",
        Axis("cut, share of the largest", "%", low=0, high=100),
        Axis("error, of the mean square", "%", log=True, low=_LEAST, high=100),
        (
            _drawn("rounding", [100 * r for r, _ in pairs]),
            _drawn("clipping", [100 * c for _, c in pairs]),
            _drawn("both", both),
            Points("least", [_STEPS[best]], [both[best]]),
            VLine("cut", cut),
        ),
        alt=alt,
        width=_WIDE,
        height=_HIGH,
    )


def _drawn(name: str, costs: list[float]) -> Line:
    seen = [(step, cost) for step, cost in zip(_STEPS, costs, strict=True) if cost >= _LEAST]
    return Line(name, [step for step, _ in seen], [cost for _, cost in seen])


def _divergences(what: str, bits: int, cut: int, alt: str) -> Figure:
    """The divergence of every cut where it is finite, and the least of them."""
    found = [(percent, kl) for percent, kl in divergences(what, bits) if kl >= _FLAT]
    percent, least = min(found, key=lambda pair: pair[1])
    return Figure(
        "How far the distribution is then",
        Axis("cut, share of the largest", "%", low=0, high=100),
        Axis("divergence", log=True),
        (
            Line("KL", [percent for percent, _ in found], [kl for _, kl in found]),
            Points("least", [percent], [least], style=3),
            VLine("cut", cut),
        ),
        alt=alt,
        width=_WIDE,
        height=_HIGH,
    )


def clipping() -> Panel:
    """Magnitudes under a live cut: rounding, clipping, divergence, and where two rules cut."""
    controls = {
        "what": Choice("Values", (WEIGHTS, INPUTS), value=WEIGHTS),
        "bits": Slider("Bits of a code", 2, 8, value=4),
        "cut": Slider("Cut, of the largest", 5, 100, value=100, step=5, unit="%"),
    }
    return Panel(_clipping, controls, title="Where would you cut?", stops={"cut": (50, 20)})
