"""The panels and tables of lab 03: layers as products of thinner ones."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from efficientdl import costs, datasets, fit, models
from efficientdl.compression.lowrank import (
    Share,
    factorize_channel,
    factorize_cp,
    factorize_spatial,
    factorize_svd,
    factorize_tucker,
)
from efficientdl.datasets import Split
from efficientdl.protocols import Result
from efficientdl.viz import Axis, Choice, Figure, HLine, Line, Panel, Slider, Table, View, VLine


class Place(NamedTuple):
    """A layer of a trained network, and the data that the network was trained on."""

    network: str
    layer: str
    data: Literal["mnist", "fashion_mnist"]


LAYERS = {
    "LeNet-300-100, fc1": Place("lenet_300_100_mnist", "fc1", "mnist"),
    "LeNet-300-100, fc2": Place("lenet_300_100_mnist", "fc2", "mnist"),
    "LeNet-5, conv2": Place("lenet_5_mnist", "conv2", "mnist"),
    "small CNN, conv3": Place("small_cnn_fashion", "conv3.conv", "fashion_mnist"),
}
CONVOLUTIONS = {
    "LeNet-5, conv2": LAYERS["LeNet-5, conv2"],
    "small CNN, conv2": Place("small_cnn_fashion", "conv2.conv", "fashion_mnist"),
    "small CNN, conv3": LAYERS["small CNN, conv3"],
}
SHARES = (0.08, 0.15, 0.25)


@cache
def _weight(place: Place) -> Tensor:
    """The layer's weight as a matrix."""
    layer = models.trained(place.network).get_submodule(place.layer)
    return layer.get_parameter("weight").detach().double().flatten(1)


@cache
def _spectra(place: Place) -> tuple[Tensor, Tensor]:
    """Singular values of the layer, and of random numbers of its shape and size."""
    weight = _weight(place)
    noise = torch.randn(weight.shape, generator=torch.Generator().manual_seed(0)).double()
    noise *= weight.norm() / noise.norm()
    return torch.linalg.svdvals(weight), torch.linalg.svdvals(noise)


@cache
def _accuracy(place: Place, rank: int) -> float:
    """Validation accuracy of the network with this layer at a rank; 0 for the layer as it is."""
    model, data = models.trained(place.network), datasets.load(place.data)
    cut = {place.layer: rank} if rank else {}
    thin = factorize_svd(model, data.val.x[:1], rank=cut).model
    return fit.evaluate(thin, data.val)


def _spectrum(layer: str, rank: int) -> View:
    place = LAYERS[layer]
    ours, noise = _spectra(place)
    m, k = _weight(place).shape
    t = min(rank, len(ours))
    kept = float(ours[:t].square().sum() / ours.square().sum())
    before, after = _accuracy(place, 0), _accuracy(place, t)
    steps = list(range(1, len(ours) + 1))
    text = (
        f"{layer}, {m} x {k}, at rank {t} of {len(ours)}: {kept:.0%} of the energy, "
        f"{t * (m + k):,} weights for {m * k:,}; accuracy {after:.3f}, whole {before:.3f}."
    )
    figure = Figure(
        "Singular values, largest first",
        Axis("place", low=0),
        Axis("singular value", low=0),
        (
            Line("trained", steps, ours.tolist()),
            Line("random", steps, noise.tolist()),
            VLine("rank", t),
        ),
        alt=text,
    )
    rows = (
        ("energy kept", 1.0, kept),
        ("weights", m * k, t * (m + k)),
        ("accuracy", before, after),
    )
    return View(figure, Table(f"{layer} at rank {t}", ("figure", "whole", "cut"), rows), text)


def spectrum() -> Panel:
    """The singular values of a trained layer, and what the network is worth at each rank."""
    controls = {
        "layer": Choice("Layer", tuple(LAYERS), value="LeNet-300-100, fc1"),
        "rank": Slider("Rank", 1, 100, value=30),
    }
    title, stops = "How much of a layer is there?", {"rank": (5, 100)}
    return Panel(_spectrum, controls, title=title, stops=stops)


def _pair(rows: int, columns: int) -> View:
    most = min(rows, columns)
    even = (rows * columns - 1) // (rows + columns)
    text = (
        f"A {rows} x {columns} layer does {rows * columns:,} MACs. Two layers of rank t do "
        f"{rows + columns:,} for each t, so they are cheaper up to rank {even} of {most}."
    )
    figure = Figure(
        "MACs of a layer and of its two factors",
        Axis("rank"),
        Axis("MACs", low=0),
        (
            Line("two factors", [1, most], [rows + columns, most * (rows + columns)]),
            HLine("one layer", rows * columns),
            VLine("break-even", even),
        ),
        alt=text,
    )
    table = Table(
        "Where the pair stops being cheaper",
        ("figure", "value"),
        (
            ("MACs of the layer", rows * columns),
            ("MACs for each rank", rows + columns),
            ("last rank that saves", even),
            ("full rank", most),
        ),
    )
    return View(figure, table, text)


def pair() -> Panel:
    """MACs of a layer and of the pair that replaces it, by rank."""
    controls = {
        "rows": Slider("Outputs", 20, 400, value=300, step=20),
        "columns": Slider("Inputs", 20, 800, value=780, step=20),
    }
    return Panel(_pair, controls, title="When do two layers cost less?", stops={"rows": (20, 100)})


def standing(networks: Mapping[str, nn.Module], split: Split) -> View:
    """Networks beside each other: parameters, MACs, accuracy.

    Args:
        networks: By name, the original first.
        split: What accuracy is measured on.
    """
    rows = []
    for name, model in networks.items():
        total = costs.count(model, split.x[:1]).total
        rows.append((name, total.params, total.macs, round(fit.evaluate(model, split), 3)))
    head = ("network", "parameters", "MACs", "accuracy")
    best = max(rows[1:], key=lambda row: row[3])
    text = f"Of the factorized ones {best[0]} is the most accurate, {best[3]:.3f}."
    return View(None, Table("Before any training", head, tuple(rows)), text)


@cache
def _inputs(place: Place, part: str, n_images: int) -> Tensor:
    """What goes into a layer when the network sees the first images of a part."""
    model = models.trained(place.network)
    seen: list[Tensor] = []
    layer = model.get_submodule(place.layer)
    handle = layer.register_forward_pre_hook(lambda _, given: seen.append(given[0].detach()))
    try:
        with torch.no_grad():
            model(getattr(datasets.load(place.data), part).x[:n_images])
    finally:
        handle.remove()
    return seen[0]


def _lost(thin: nn.Module, layer: nn.Module, x: Tensor) -> float:
    """Share of the responses' variance that a stand-in for the layer loses."""
    with torch.no_grad():
        y, near = layer(x), thin(x)
    spread = y - y.mean(dim=(0, 2, 3), keepdim=True)
    return float((near - y).square().sum() / spread.square().sum())


METHODS: dict[str, Callable[..., Result]] = {
    "SVD": factorize_svd,
    "spatial": factorize_spatial,
    "Tucker-2": factorize_tucker,
    "CP": factorize_cp,
    "channel": factorize_channel,
}


@cache
def _curve(place: Place, method: str, n_images: int) -> tuple[tuple[float, float], ...]:
    """Share of MACs, share of variance lost on new images, at each share of the weights."""
    layer = models.trained(place.network).get_submodule(place.layer)
    test = _inputs(place, "test", 200)
    dense = costs.count(layer, test[:1]).total.macs or 1
    extra = {"inputs": _inputs(place, "train", n_images)} if n_images else {}
    found = []
    for share in SHARES:
        thin, report = METHODS[method](layer, test[:1], rank=Share(share), **extra)
        found.append(((report.total.macs or 0) / dense, _lost(thin, layer, test)))
    return tuple(found)


def _errors(layer: str, images: int) -> View:
    place = CONVOLUTIONS[layer]
    curves = {m: _curve(place, m, images if m == "channel" else 0) for m in METHODS}
    lines = [Line(m, *zip(*curve, strict=True), markers=True) for m, curve in curves.items()]
    quarter = SHARES.index(0.25)
    ranked = sorted(METHODS, key=lambda m: curves[m][quarter][1])
    text = (
        f"{layer}, a quarter of the weights: {ranked[0]} loses least of the responses, "
        f"{curves[ranked[0]][quarter][1]:.0%}, {ranked[-1]} most, "
        f"{curves[ranked[-1]][quarter][1]:.0%}; channel, fitted to {_images(images)}, "
        f"{curves['channel'][quarter][1]:.0%}."
    )
    figure = Figure(
        "What new images lose",
        Axis("MACs, share of the layer's", low=0),
        Axis("variance of the responses lost", low=0),
        tuple(lines),
        alt=text,
    )
    rows = tuple(
        (method, share, *map(_three, point))
        for method, curve in curves.items()
        for share, point in zip(SHARES, curve, strict=True)
    )
    head = ("method", "share of weights", "share of MACs", "variance lost")
    return View(figure, Table("Error against MACs", head, rows), text)


def _images(n: int) -> str:
    return "1 image" if n == 1 else f"{n} images"


def _three(value: float) -> float:
    return round(value, 3)


def errors() -> Panel:
    """Error against MACs for all five ways to factorize one convolution."""
    controls = {
        "layer": Choice("Layer", tuple(CONVOLUTIONS), value="small CNN, conv3"),
        "images": Choice("Images that the channel method sees", (1, 10, 300), value=300),
    }
    return Panel(_errors, controls, title="Which error, for which MACs?", stops={"images": (1,)})
