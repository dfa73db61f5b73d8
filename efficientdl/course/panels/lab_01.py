"""The panels and tables of lab 01: what a network costs."""

from collections.abc import Mapping
from functools import cache

import torch
from torch import Tensor, nn

from efficientdl import costs, models
from efficientdl.course import survey_tables
from efficientdl.models.layers import depthwise_conv, group_conv, pointwise_conv, standard_conv
from efficientdl.models.registry import TABLE_1
from efficientdl.report import Report
from efficientdl.viz import Axis, Bars, Choice, Figure, HLine, Panel, Slider, Table, Toggle, View
from efficientdl.viz.figures import comparison, tradeoff
from efficientdl.viz.figures.tradeoff import Candidate

# The survey's Tables 1 and 3: top-1 accuracy on ImageNet, in percent, as printed.
TOP_1 = {
    "alexnet": 57.2,
    "googlenet": 69.8,
    "vgg16": 71.5,
    "resnet50": 76.1,
    "squeezenet": 57.4,
    "mobilenet_v1": 70.6,
    "mobilenet_v2": 72.0,
    "mobilenet_v2_140": 74.7,
    "mobilenet_v3_large": 75.2,
    "shufflenet_v1_150": 71.5,
    "shufflenet_v2_150": 72.6,
    "shufflenet_v2_200": 74.9,
}
RASPBERRY_PI_MB = 256  # survey, Figure 9: Raspberry Pi 1 Model A
_FREE = costs.Memory("free", 0.0)


@cache
def _report(name: str) -> Report:
    return costs.count(models.skeleton(name), models.example(name, device="meta"))


def _macs(*layers: nn.Conv2d) -> int:
    """MACs of layers in a row for one pixel."""
    total = 0
    for layer in layers:
        x = torch.empty(1, layer.in_channels, 1, 1, device="meta")
        total += costs.count(layer.to("meta"), x).total.macs or 0
    return total


def _convolutions(channels: int, kernel: int, groups: int) -> View:
    values = {
        "dense": _macs(standard_conv(channels, channels, kernel)),
        f"{groups} groups": _macs(group_conv(channels, channels, kernel=kernel, groups=groups)),
        "depthwise + pointwise": _macs(
            depthwise_conv(channels, kernel=kernel), pointwise_conv(channels, channels)
        ),
        "pointwise alone": _macs(pointwise_conv(channels, channels)),
        "depthwise alone": _macs(depthwise_conv(channels, kernel=kernel)),
    }
    title = "MACs for one output pixel"
    figure = comparison(title, values, measure="MACs", log=True, baseline="dense")
    saved = values["dense"] / values["depthwise + pointwise"]
    text = f"Depthwise and pointwise together need {saved:.1f} times fewer MACs than dense."
    return View(figure, None, text)


def convolutions() -> Panel:
    """The three efficient convolutions against the dense one."""
    return Panel(
        _convolutions,
        {
            "channels": Slider("Channels in and out", 16, 256, value=128, step=16),
            "kernel": Choice("Kernel", (3, 5, 7), value=3),
            "groups": Choice("Groups", (2, 4, 8, 16), value=4),
        },
        title="What a cheap convolution saves",
    )


def saving(dense: nn.Module, cheap: nn.Module, x: Tensor) -> View:
    """A layer and what replaces it, counted by the same counter."""
    before, after = (costs.count(layer, x) for layer in (dense, cheap))
    times = after.ratio(before)
    rows = tuple(
        (name, before.total.known()[name], after.total.known()[name], times[name])
        for name in ("params", "macs", "activation_bytes")
    )
    table = Table("One layer, two ways", ("figure", "dense", "cheap", "times less"), rows)
    return View(None, table, f"{times['macs']:.2f} times fewer MACs.")


_COSTS = {
    "MACs": (Axis("MACs", "M", log=True), lambda cost: cost.macs / 1e6),
    "parameters": (Axis("Parameters", "M", log=True), lambda cost: cost.params / 1e6),
    "activations": (
        Axis("Largest layer's activations", "MB", log=True),
        lambda cost: cost.activation_bytes / 1e6,
    ),
}


def _table_1(cost: str) -> View:
    axis, of = _COSTS[cost]
    zoo = [Candidate(name, of(_report(name).total), TOP_1[name]) for name in TABLE_1]
    figure = tradeoff("Accuracy and cost of the survey's networks", zoo, cost=axis)
    rows = tuple((c.name, c.cost, c.accuracy) for c in zoo)
    table = Table("Table 1, counted", ("network", axis.text, "top-1 accuracy (%)"), rows)
    return View(figure, table, figure.alt)


def table_1() -> Panel:
    """Table 1 as a chart: accuracy over the cost that one chooses."""
    choice = Choice("Horizontal axis", tuple(_COSTS), value="MACs")
    return Panel(_table_1, {"cost": choice}, title="Which cost do you look at?")


def table_1_rows() -> View:
    """Every number of Table 1 as printed, ours, and whether it comes out."""
    cells = list(survey_tables.table_1())
    rows = tuple(
        (c.row, c.column, c.printed, survey_tables.rounded(c.ours, "0.1"), c.rule, _word(c))
        for c in cells
    )
    head = ("network", "figure", "printed", "ours", "rule", "comes out")
    n = sum(c.comes_out for c in cells)
    return View(None, Table("Table 1, printed and ours", head, rows), f"{n} of {len(cells)} do.")


def _word(cell: survey_tables.Cell) -> str:
    return "yes" if cell.comes_out else f"no: {cell.why}"


def _device(model: nn.Module) -> torch.device:
    return next(model.parameters()).device


def peaks(networks: Mapping[str, nn.Module]) -> View:
    """Peak memory of inference: by liveness, and tracked while the network runs."""
    rows = []
    for name, model in networks.items():
        x = models.example(name, device=_device(model))
        counted = costs.peak_activation_bytes(model, x)
        rows.append((name, counted / 1e6, costs.measured_peak_bytes(model, x) / 1e6))
    table = Table(
        "Activations alive at once", ("network", "counted MB", "measured MB"), tuple(rows)
    )
    return View(None, table, "One image each; the weights come on top.")


def saved_activations(networks: Mapping[str, nn.Module]) -> View:
    """Activations that training keeps: the survey's rule, torch's rule, torch's hooks."""
    rows = []
    for name, model in networks.items():
        x = models.example(name, batch=2, device=_device(model))  # batch norm wants two
        paper = costs.saved_activation_bytes(model, x, rule=costs.paper_rule)
        torch_ = costs.saved_activation_bytes(model, x, rule=costs.torch_rule)
        measured = costs.measured_saved_bytes(model, x)
        rows.append((name, paper / 2e6, torch_ / 2e6, measured / 2e6))
    head = ("network", "survey's rule", "torch's rule", "measured")
    table = Table("Kept for the backward pass, MB for each image", head, tuple(rows))
    return View(None, table, "Torch's rule is what its hooks measure, byte for byte.")


@cache
def _memory_mb(name: str) -> tuple[float, float, float]:
    """Weights, working memory of inference, memory kept in training: MB for one image."""
    model, x = models.skeleton(name), models.example(name, device="meta")
    running = costs.paper_running_bytes(model, x)
    return (
        costs.weight_bytes(model) / 1e6,
        running / 1e6,
        costs.paper_training_bytes(model, x) / 1e6,
    )


def _training_memory(network: str, batch: int) -> View:
    weights, running, kept = _memory_mb(network)
    activations = (batch * running, batch * kept)
    text = (
        f"{network}, batch {batch}: inference needs {weights + activations[0]:.0f} MB, training "
        f"{weights + activations[1]:.0f} MB; the activations that training keeps are "
        f"{activations[1] / weights:.1f} times the weights."
    )
    figure = Figure(
        "Memory of inference and training",
        Axis("", categories=("inference", "training")),
        Axis("memory", "MB"),
        (
            Bars("weights", (weights, weights)),
            Bars("activations", activations),
            HLine("Raspberry Pi 1", RASPBERRY_PI_MB),
        ),
        alt=text,
        stacked=True,
    )
    return View(figure, None, text)


def training_memory() -> Panel:
    """Figure 9 for any network of Table 1 and any batch, by the survey's rule."""
    controls = {
        "network": Choice("Network", tuple(TABLE_1), value="mobilenet_v2"),
        "batch": Slider("Images in a batch", 1, 32, value=1),
    }
    stops = {"batch": (4, 16)}
    return Panel(_training_memory, controls, title="Does it fit?", stops=stops)


_ARITHMETIC = {32: costs.FP32, 16: costs.FP16, 8: costs.INT8}


def _energy(network: str, bits: int, on_chip: bool) -> View:
    report = costs.narrow(_report(network), weights=bits, activations=bits)
    arithmetic, weights_in = _ARITHMETIC[bits], costs.SRAM if on_chip else costs.DRAM

    def uj(weights_in: costs.Memory, activations_in: costs.Memory) -> float:
        spent = costs.energy(
            report, arithmetic=arithmetic, weights_in=weights_in, activations_in=activations_in
        )
        return (spent.total.energy_pj or 0.0) / 1e6

    computing = uj(_FREE, _FREE)
    parts = {
        "computing": computing,
        "weights": uj(weights_in, _FREE) - computing,
        "activations": uj(_FREE, costs.SRAM) - computing,
    }
    total = sum(parts.values())
    text = (
        f"{network} with {bits} bits: {total:,.0f} uJ, {parts['weights'] / total:.0%} for weights."
    )
    figure = Figure(
        "Energy of one image",
        Axis("energy", "uJ"),
        Axis("", categories=tuple(parts)),
        (Bars("energy", list(parts.values()), [f"{v:,.0f}" for v in parts.values()]),),
        alt=text,
        height=220,
    )
    return View(figure, None, text)


def energy() -> Panel:
    """Where the energy of a network goes, by bits and by where the weights are."""
    controls = {
        "network": Choice("Network", tuple(TABLE_1), value="mobilenet_v2"),
        "bits": Choice("Bits of weights and activations", (32, 16, 8), value=32),
        "on_chip": Toggle("Weights fit on the chip"),
    }
    return Panel(_energy, controls, title="Energy of one image", stops={"bits": (16, 8)})


def search_carbon() -> Panel:
    """Table 3 for any number of devices."""
    slider = Slider("Devices", 1, 1000, value=40)
    return Panel(
        _carbon, {"devices": slider}, title="What a search emits", stops={"devices": (1, 1000)}
    )


def _carbon(devices: int) -> View:
    spent = {
        name: costs.carbon(hours.for_devices(devices)) for name, hours in costs.METHODS.items()
    }
    pounds = {name: emission.co2e_lbs for name, emission in spent.items()}
    title = f"CO2 of designing networks for {devices} devices"
    figure = comparison(title, pounds, measure="CO2e", unit="lbs", log=True)
    rows = tuple((name, e.gpu_hours, e.co2e_lbs, e.usd) for name, e in spent.items())
    head = ("method", "GPU hours", "CO2e (lbs)", "dollars")
    return View(figure, Table("Table 3", head, rows), figure.alt)
