"""Spread a graph over devices, simulate how long it takes, and write it down as a graph."""

from collections.abc import Mapping
from dataclasses import dataclass

from efficientdl import _check
from efficientdl.costs.machine import Machine
from efficientdl.systems.compiler.draft import Draft
from efficientdl.systems.compiler.graph import Graph, Node, Value, check
from efficientdl.systems.compiler.graph_cost import work
from efficientdl.systems.compiler.substitution.cost import (
    EXAMPLE_MACHINE,
    EXAMPLE_OVERHEAD_S,
    at_run_time,
)

# For each node the devices that do it: one, or several that each make some of its output channels.
Strategy = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class Devices:
    """Several equal devices.

    Attributes:
        n_devices: How many.
        machine: Peak and bandwidth of each.
        overhead_s: To start a node, in seconds.
        link_bytes_per_s: Bytes in a second from one device to another.
    """

    n_devices: int = 2
    machine: Machine = EXAMPLE_MACHINE
    overhead_s: float = EXAMPLE_OVERHEAD_S
    link_bytes_per_s: float = 10e9

    def __post_init__(self) -> None:
        _check.whole("Devices", "n_devices", self.n_devices, 1)
        _check.at_least("Devices", "overhead_s", self.overhead_s, 0.0)
        if not _check.number("Devices", "link_bytes_per_s", self.link_bytes_per_s) > 0:
            _check.fail("Devices", "link_bytes_per_s", "must be more than 0", self.link_bytes_per_s)


def choices(graph: Graph, devices: Devices) -> dict[str, list[tuple[int, ...]]]:
    """For each node that runs, the ways to place it: on any device, or in parts on all of them.

    A dense convolution or a linear layer can be done in parts, each with some of the filters.
    """
    alone = [(device,) for device in range(devices.n_devices)]
    everywhere = tuple(range(devices.n_devices))
    return {
        n.name: alone
        + [everywhere] * (len(everywhere) > 1 and _parts(n, len(everywhere)) is not None)
        for n in at_run_time(graph)
    }


def simulate(graph: Graph, strategy: Strategy, devices: Devices) -> float:
    """Seconds until the last node is done, each device doing its parts in the graph's order.

    A part starts when its device is free and its inputs are there. An input comes from wherever
    its parts were made; bytes from another device take a time of their own on the way.

    Args:
        graph: What runs.
        strategy: Where; see `choices`.
        devices: What it runs on.

    Source: Jia, Zaharia and Aiken, "Beyond Data and Model Parallelism for Deep Neural Networks"
    (FlexFlow), 2019, whose simulator also builds on the times of single operations; lab 13.
    """
    _check_strategy("simulate", graph, strategy, devices)
    values = graph.values()
    free = [0.0] * devices.n_devices
    made: dict[str, dict[int, float]] = {v.name: {} for v in graph.inputs}  # everywhere at once
    for n in at_run_time(graph):
        where = strategy[n.name]
        done: dict[int, float] = {}
        for device in where:
            ready = max(
                _arrival(values[name], made[name], device, devices)
                for name in n.inputs
                if name in made
            )
            start = max(free[device], ready)
            free[device] = done[device] = start + _seconds(n, values, len(where), devices)
        made |= {value.name: done for value in n.outputs}
    return max(free)


def _arrival(value: Value, made: Mapping[int, float], device: int, devices: Devices) -> float:
    """When all parts of a value are on a device."""
    part_bytes = value.n_bytes / max(1, len(made))
    sent = part_bytes / devices.link_bytes_per_s
    return max((t if d == device else t + sent for d, t in made.items()), default=0.0)


def _seconds(n: Node, values: Mapping[str, Value], n_parts: int, devices: Devices) -> float:
    """The time of one part of a node: all of its input, a share of its weights and outputs."""
    did = work(n, values)
    assert did.macs is not None
    assert did.traffic_bytes is not None
    if did.traffic_bytes == 0:
        return 0.0
    read = values[n.inputs[0]].n_bytes
    moved = read + (did.traffic_bytes - read) / n_parts
    machine = devices.machine
    arithmetic = did.macs / n_parts / machine.peak_macs_per_s
    return max(arithmetic, moved / machine.bytes_per_s) + devices.overhead_s


def parallelize(graph: Graph, strategy: Strategy, devices: Devices) -> Graph:
    """The graph of a strategy: a node in parts becomes a node for each part, and their joining.

    It computes what the graph computes: each part has some of the filters, and what the parts
    give is concatenated.

    Args:
        graph: What to spread.
        strategy: Where each node runs.
        devices: How many there are.
    """
    _check_strategy("parallelize", graph, strategy, devices)
    draft = Draft(graph)
    for n in at_run_time(graph):
        if len(strategy[n.name]) > 1:
            _in_parts(draft, n, len(strategy[n.name]))
    return draft.graph()


def _in_parts(draft: Draft, n: Node, n_parts: int) -> None:
    sizes = _parts(n, n_parts)
    assert sizes is not None
    held = [draft.values[name] for name in n.inputs]
    cut = [
        draft.add(f"{n.name}.filters", "split", [value], axis=0, sizes=sizes).outputs
        for value in held[1:]
    ]
    made = [
        draft.add(f"{n.name}.part", n.op, [held[0], *weights], **n.attributes).outputs[0]
        for weights in zip(*cut, strict=True)
    ]
    axis = 1 if n.op == "conv2d" else len(n.outputs[0].shape) - 1
    joined = draft.add(f"{n.name}.joined", "concat", made, axis=axis)
    draft.replace(n.outputs[0].name, joined.name)


def _parts(n: Node, n_parts: int) -> tuple[int, ...] | None:
    """Filters for each part of a node, as even as can be; None where it is not done in parts."""
    if n.op not in ("conv2d", "linear") or n.attributes.get("groups", 1) > 1:
        return None
    channels = n.outputs[0].shape[1 if n.op == "conv2d" else -1]
    if channels < n_parts:
        return None
    return tuple((channels + i) // n_parts for i in range(n_parts))


def _check_strategy(caller: str, graph: Graph, strategy: Strategy, devices: Devices) -> None:
    check(graph)
    _check.kind(caller, "devices", devices, Devices)
    for name, ways in choices(graph, devices).items():
        if name not in strategy:
            _check.fail(caller, "strategy", "must name every node that runs", name)
        _check.one_of(caller, f"strategy of {name!r}", strategy[name], ways)
