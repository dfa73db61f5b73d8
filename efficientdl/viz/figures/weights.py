"""The weights of a layer, those that are kept and those that are dropped."""

import numpy as np

from efficientdl import _check
from efficientdl.viz.figure import Axis, Figure
from efficientdl.viz.series import Histogram, Numbers

_BINS = 41  # odd, so that zero lies in the middle of a bin


def kept_weights(
    title: str,
    weights: Numbers,
    kept: Numbers,
    *,
    bins: int = _BINS,
    count_high: float | None = None,
) -> Figure:
    """A histogram of weights, the kept ones below, the dropped ones on top of them.

    Args:
        title: Of the figure.
        weights: All weights, before any was dropped; of any shape.
        kept: As many marks, true where the weight stays.
        bins: Into how many bins the range of the weights is cut, evenly about zero.
        count_high: The upper end of the axis of counts, for a figure that a slider moves.

    >>> figure = kept_weights("Layer 1", [-0.4, 0.1, 0.3, 0.4], [True, False, True, True])
    >>> [sum(part.counts) for part in figure.series]
    [3, 1]
    """
    flat = np.asarray(weights, dtype=float).ravel()
    mask = np.asarray(kept, dtype=bool).ravel()
    _check.whole("kept_weights", "bins", bins, 1)
    if mask.size != flat.size:
        _check.fail("kept_weights", "kept", f"must be {flat.size} marks, one a weight", mask.size)
    if not flat.size:
        _check.fail("kept_weights", "weights", "must not be empty", weights)
    reach = float(np.abs(flat).max()) or 1.0
    edges = np.linspace(-reach, reach, bins + 1)
    counts = [np.histogram(flat[chosen], edges)[0] for chosen in (mask, ~mask)]
    share = 100 * int(mask.sum()) / flat.size
    return Figure(
        title,
        Axis("Weight", low=-reach, high=reach),
        Axis("Weights in the bin", high=count_high),
        (Histogram("kept", edges, counts[0]), Histogram("dropped", edges, counts[1])),
        alt=f"{int(mask.sum()):,} of {flat.size:,} weights are kept, {share:.3g} %.",
        stacked=True,
    )
