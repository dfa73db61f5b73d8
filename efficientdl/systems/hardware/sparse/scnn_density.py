"""How sparse a layer must be for SCNN to be the faster machine."""

from collections.abc import Sequence

import numpy as np

from efficientdl import _check
from efficientdl.systems.hardware.layer import Conv
from efficientdl.systems.hardware.sparse.scnn import Scnn, dense_cycles, simulate_scnn


def speedups(
    conv: Conv, machine: Scnn, *, densities: Sequence[float], seed: int
) -> dict[float, float]:
    """How many times faster than the dense machine SCNN is, at each density of both operands.

    What is kept is drawn, each word by itself; what a lower density keeps, a higher one keeps too.

    Args:
        conv: The layer.
        machine: SCNN; the dense machine has its multipliers.
        densities: Shares of words that are not zero, 0 to 1.
        seed: Of what is drawn.

    >>> conv = Conv(c_in=16, h=16, w=16, c_out=16, kernel=3, padding=1)
    >>> found = speedups(conv, Scnn(4, 4), densities=[0.2, 1.0], seed=0)
    >>> found[1.0] < 1 < found[0.2]
    True

    Source: Parashar et al., "SCNN", ISCA 2017; survey section 6.2; lab 14.
    """
    for density in densities:
        _check.in_range("speedups", "densities", density, 0, 1)
    rng = np.random.default_rng(seed)
    x, weight = (rng.integers(1, 128, shape) for shape in (conv.x_shape, conv.weight_shape))
    drawn_x, drawn_weight = rng.random(x.shape), rng.random(weight.shape)
    dense = dense_cycles(conv, machine)
    found = {}
    for density in densities:
        kept = x * (drawn_x < density), weight * (drawn_weight < density)
        found[density] = dense / max(1, simulate_scnn(conv, machine, *kept).cycles)
    return found


def crossover(conv: Conv, machine: Scnn, *, seed: int, steps: int = 7) -> float:
    """The density below which SCNN is faster than the dense machine; 1 where it always is.

    Found by halving, to 2^-steps.

    Args:
        conv: The layer.
        machine: SCNN; the dense machine has its multipliers.
        seed: Of what is drawn.
        steps: Halvings, 1 or more.

    >>> conv = Conv(c_in=16, h=16, w=16, c_out=16, kernel=3, padding=1)
    >>> 0.2 < crossover(conv, Scnn(4, 4), seed=0) < 1
    True

    Source: Parashar et al., "SCNN", ISCA 2017; survey section 6.2; lab 14.
    """
    _check.whole("crossover", "steps", steps, 1)
    low, high = 0.0, 1.0
    for _ in range(steps):
        middle = (low + high) / 2
        faster = speedups(conv, machine, densities=[middle], seed=seed)[middle] > 1
        low, high = (middle, high) if faster else (low, middle)
    return high
