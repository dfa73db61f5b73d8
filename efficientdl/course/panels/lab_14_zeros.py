"""Lab 14's pictures of machines that skip zeros: queues, and where a sparse one wins."""

from functools import cache

import numpy as np
from jaxtyping import Int64, Num

from efficientdl import datasets, models
from efficientdl.systems.hardware.sparse.eie import Eie, run_columns
from efficientdl.viz import Axis, Choice, Figure, Line, Panel, Table, View, VLine

DEPTHS = (1, 2, 4, 8, 16, 32)
UNITS = (4, 16, 64)
N_IMAGES = 4


def pruned(
    weight: Num[np.ndarray, "*shape"], kept: float, *, levels: int
) -> Int64[np.ndarray, "*shape"]:
    """The largest weights, as whole numbers of at most so many sizes; the others are zero.

    Args:
        weight: The layer.
        kept: Share of them that stays, 0 to 1.
        levels: The largest whole number.
    """
    size = np.abs(weight)
    near = np.round(weight / size.max() * levels).astype(np.int64)
    sign = np.where(weight < 0, -1, 1)
    far = np.where(near == 0, sign, near)  # what stays is not zero
    return np.where(size >= np.quantile(size, 1 - kept), far, 0)


@cache
def _layer() -> tuple[np.ndarray, np.ndarray]:
    """The first layer of LeNet-300-100, a tenth of its weights kept, and some digits."""
    network, digits = models.trained("lenet_300_100_mnist"), datasets.load("mnist")
    weight = pruned(network.get_parameter("fc1.weight").detach().numpy().T, 0.1, levels=7)
    x = np.round(digits.val.x[:N_IMAGES].flatten(1).numpy() * 255).astype(np.int64)
    return weight, x


@cache
def _balances(n_units: int) -> tuple[tuple[float, ...], int]:
    """Share of unit cycles with work at each depth, and cycles at the last."""
    weight, images = _layer()
    columns = Eie(n_units=n_units).compress(weight)
    runs = [[run_columns(columns, x, depth=depth) for x in images] for depth in DEPTHS]
    shares = [
        sum(run.macs for run in each) / (n_units * sum(run.cycles for run in each)) for each in runs
    ]
    return tuple(shares), sum(run.cycles for run in runs[-1]) // N_IMAGES


def _queues(n_units: int, depth: int) -> View:
    shares, cycles = _balances(n_units)
    here, best = 100 * shares[DEPTHS.index(depth)], 100 * shares[-1]
    text = (
        f"{n_units} units with queues of {depth}: {here:.0f} % of their cycles have work; with the "
        f"deepest queues {best:.0f} %, and an image takes {cycles} cycles."
    )
    lines = [
        Line(f"{n} units", DEPTHS, [100 * share for share in _balances(n)[0]], markers=True)
        for n in UNITS
    ]
    figure = Figure(
        "Load balance against the depth of the queues",
        Axis("activations in a queue", log=True),
        Axis("cycles with work", "%", low=0, high=100),
        (*lines, VLine(f"depth {depth}", depth)),
        alt=text,
    )
    rows = tuple((at, *(100 * _balances(n)[0][i] for n in UNITS)) for i, at in enumerate(DEPTHS))
    head = ("depth", *(f"{n} units (%)" for n in UNITS))
    return View(figure, Table("Cycles with work", head, rows), text)


def queues() -> Panel:
    """EIE's queues: units and depth, on a pruned layer and real digits."""
    controls = {
        "n_units": Choice("Units", UNITS, value=UNITS[1]),
        "depth": Choice("Depth of a queue", DEPTHS, value=8),
    }
    title = "How long a queue?"
    return Panel(_queues, controls, title=title, stops={"depth": (1, 32)})
