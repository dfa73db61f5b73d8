"""The panels of lab 01 that measure this machine: the roofline with real layers under it."""

from collections.abc import Callable, Iterator
from functools import cache

import torch
from torch import Tensor, nn

from efficientdl import costs, models
from efficientdl.costs import Machine
from efficientdl.viz import Choice, Panel, Table, View
from efficientdl.viz.figures import roofline as draw

NETWORKS = ("mobilenet_v1", "mobilenet_v2", "shufflenet_v1_150", "squeezenet", "resnet50")


def _largest(model: nn.Module, x: Tensor) -> dict[str, str]:
    """For each kind of layer the name of the one with most MACs."""
    rows = costs.count(model, x).rows
    largest: dict[str, str] = {}
    for name, cost in sorted(rows.items(), key=lambda row: row[1].macs or 0):
        kind = costs.kind_of(model.get_submodule(name))
        if kind and cost.macs:
            largest[kind] = name
    return largest


def _inputs(model: nn.Module, x: Tensor, names: set[str]) -> dict[str, Tensor]:
    """What goes into the named layers when the model sees x."""
    seen: dict[str, Tensor] = {}

    def watch(name: str) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        def before(_: nn.Module, given: tuple[Tensor, ...]) -> None:
            seen[name] = given[0].clone()

        return before

    layers = {name: model.get_submodule(name) for name in names}
    handles = [m.register_forward_pre_hook(watch(name)) for name, m in layers.items()]
    try:
        with torch.no_grad():
            model(x)
    finally:
        for handle in handles:
            handle.remove()
    return seen


@cache
def _measured(network: str) -> tuple[tuple[str, float, float], ...]:
    """For the largest layer of each kind: its name, intensity, and measured MACs in a second."""
    return tuple(_measure(network))


def _measure(network: str) -> Iterator[tuple[str, float, float]]:
    model, x = models.build(network, seed=0).eval(), models.example(network)
    largest = _largest(model, x)
    inputs = _inputs(model, x, set(largest.values()))
    for kind, name in largest.items():
        layer, given = model.get_submodule(name), inputs[name]
        cost = costs.count(layer, given).total
        assert cost.macs is not None
        assert cost.traffic_bytes is not None

        def call(layer: nn.Module = layer, given: Tensor = given) -> Tensor:
            with torch.inference_mode():
                return layer(given)

        seconds = costs.latency(call, repeats=15).median_s
        yield kind, cost.macs / cost.traffic_bytes, cost.macs / seconds


def roofline(machine: Machine) -> Panel:
    """The largest layer of each kind, measured, under the roof of this machine."""

    def view(network: str) -> View:
        measured = _measured(network)
        figure = draw(
            {kind: (intensity, speed / 1e9) for kind, intensity, speed in measured},
            peak=machine.peak_macs_per_s / 1e9,
            bandwidth=machine.bytes_per_s / 1e9,
        )
        head = ("layer", "MACs per byte", "GMAC/s", "limit")
        rows = tuple(
            (kind, intensity, speed / 1e9, "memory" if intensity < machine.ridge else "compute")
            for kind, intensity, speed in measured
        )
        return View(figure, Table("Largest layer of each kind", head, rows), figure.alt)

    choice = Choice("Network", NETWORKS, value="mobilenet_v1")
    return Panel(view, {"network": choice}, title="Under the roof of this machine")
