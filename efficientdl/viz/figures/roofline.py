"""The roofline: is a layer held up by arithmetic or by memory?"""

from collections.abc import Mapping

from efficientdl import _check
from efficientdl.viz.figure import Axis, Figure
from efficientdl.viz.series import Line, Points

_MARGIN = 4.0  # how far the roof reaches beyond the outermost layer, and the ridge


def roofline(
    layers: Mapping[str, tuple[float, float]],
    *,
    peak: float,
    bandwidth: float,
    title: str = "Roofline of this machine",
    unit: str = "GMAC/s",
) -> Figure:
    """Layers under the roof of a machine.

    A machine cannot be faster than its peak, nor than bytes come: attainable speed is
    min(peak, bandwidth x intensity). Left of the ridge memory is the limit, right of it
    arithmetic.

    Args:
        layers: For each name, its intensity in MACs per byte and its speed in `unit`.
        peak: The machine's speed, in `unit`.
        bandwidth: In 10^9 bytes per second where `unit` is GMAC/s.
        title: Of the figure.
        unit: Of speed.

    >>> figure = roofline({"conv": (50.0, 30.0)}, peak=40.0, bandwidth=10.0)
    >>> figure.series[0].x[1], figure.series[0].y[1]
    (4.0, 40.0)

    Source: Williams, Waterman and Patterson, "Roofline: an insightful visual performance model
    for multicore architectures", CACM 2009; lab 01.
    """
    for name, value in (("peak", peak), ("bandwidth", bandwidth)):
        if _check.number("roofline", name, value) <= 0:
            _check.fail("roofline", name, "must be above 0", value)
    ridge = peak / bandwidth
    intensities = [intensity for intensity, _ in layers.values()]
    left = min([ridge, *intensities]) / _MARGIN
    right = max([ridge, *intensities]) * _MARGIN
    bound = [name for name, (intensity, _) in layers.items() if intensity < ridge]
    roof = Line("attainable", [left, ridge, right], [bandwidth * left, peak, peak])
    points = Points("measured", intensities, [s for _, s in layers.values()], labels=list(layers))
    return Figure(
        title,
        Axis("Intensity", "MACs per byte", log=True),
        Axis("Speed", unit, log=True),
        (roof, points) if layers else (roof,),
        alt=f"The roof rises until {ridge:.3g} MACs per byte, then is flat at {peak:.3g} {unit}. "
        + (f"Memory holds up {', '.join(bound)}." if bound else "Memory holds up no layer."),
    )
