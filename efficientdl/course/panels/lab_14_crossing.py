"""Lab 14's table of the crossing: from how many zeros on is a sparse machine the faster one?"""

from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from efficientdl.progress import progress
from efficientdl.systems.hardware import Conv, Run
from efficientdl.systems.hardware.sparse import cambricon_x, cnvlutin, scnn
from efficientdl.viz import Axis, Figure, HLine, Line, Table, View

LAYER = Conv(256, 12, 12, 16, kernel=3, padding=1)
SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
Operand = np.ndarray


class Rival(NamedTuple):
    """A machine that skips zeros, and the cycles of one with as many multipliers that does not."""

    run: Callable[[Operand, Operand], Run]
    dense: int
    x_zeros: bool
    weight_zeros: bool


def rivals() -> dict[str, Rival]:
    """Three machines, of 16 units that multiply 16 pairs each."""
    both = scnn.Scnn(4, 4)
    inputs = cnvlutin.Cnvlutin(n_lanes=16, brick=16, n_filters=16)
    weights = cambricon_x.CambriconX(n_pes=16, n_multipliers=16, window=256)
    return {
        "Cnvlutin, inputs": Rival(
            lambda x, weight: cnvlutin.simulate_cnvlutin(LAYER, inputs, x, weight),
            cnvlutin.dense_cycles(LAYER, inputs),
            True,
            False,
        ),
        "Cambricon-X, weights": Rival(
            lambda x, weight: cambricon_x.simulate_cambricon_x(LAYER, weights, x, weight),
            cambricon_x.dense_cycles(LAYER, weights),
            False,
            True,
        ),
        "SCNN, both": Rival(
            lambda x, weight: scnn.simulate_scnn(LAYER, both, x, weight),
            scnn.dense_cycles(LAYER, both),
            True,
            True,
        ),
    }


def crossing(*, seed: int) -> View:
    """Simulate three machines at ten shares of numbers that are not zero, and compare.

    Which numbers are zero is drawn, each by itself; what stays at a lower share stays at a higher.

    Args:
        seed: Of what is drawn.
    """
    rng = np.random.default_rng(seed)
    x, weight = (rng.integers(1, 128, shape) for shape in (LAYER.x_shape, LAYER.weight_shape))
    chance = rng.random(x.shape), rng.random(weight.shape)
    found: dict[str, list[float]] = {name: [] for name in rivals()}
    for share in progress(SHARES, "simulating"):
        for name, rival in rivals().items():
            some_x = x * (chance[0] < share) if rival.x_zeros else x
            some = weight * (chance[1] < share) if rival.weight_zeros else weight
            found[name].append(rival.dense / rival.run(some_x, some).cycles)
    return drawn(found)


def crossed(speeds: list[float]) -> float | None:
    """The share at which a falling speed passes one; None where it does not."""
    pairs = pairwise(zip(SHARES, speeds, strict=True))
    for (low, fast), (high, slow) in pairs:
        if fast > 1 >= slow:
            return low + (high - low) * (fast - 1) / (fast - slow)
    return None


def drawn(found: dict[str, list[float]]) -> View:
    """Speeds at each of `SHARES`, by name, beside a dense machine of as many multipliers."""
    said = []
    for name, speeds in found.items():
        share = crossed(speeds)
        until = "everywhere" if share is None else f"below {100 * share:.0f} %"
        said.append(f"{name} {until}")
    text = f"Faster than dense: {'; '.join(said)}."
    percent = [100 * share for share in SHARES]
    figure = Figure(
        "Speed against the numbers that are not zero",
        Axis("not zero", "%", low=0, high=100),
        Axis("times as fast as dense", log=True),
        (*(Line(name, percent, s, markers=True) for name, s in found.items()), HLine("dense", 1)),
        alt=text,
    )
    rows = tuple((p, *speeds) for p, *speeds in zip(percent, *found.values(), strict=True))
    return View(figure, Table("Times as fast as dense", ("not zero (%)", *found), rows), text)
