"""The roofline: what limits a layer, the arithmetic or the memory?"""

from dataclasses import dataclass
from typing import Literal

from efficientdl import _check
from efficientdl.catalogue import Measure, technique
from efficientdl.costs.machine import Machine
from efficientdl.report import Report


@dataclass(frozen=True)
class Placement:
    """Where a layer lies under the roof.

    Attributes:
        intensity: MACs for each byte moved.
        attainable_macs_per_s: The height of the roof there.
        bound: What limits the layer.
        least_s: The shortest time in which the machine could do it.
    """

    intensity: float
    attainable_macs_per_s: float
    bound: Literal["memory", "compute"]
    least_s: float


@technique(
    "cost-roofline",
    paper="Williams, Waterman, Patterson, Roofline: An Insightful Visual Performance Model for "
    "Multicore Architectures, 2009",
    survey="2.6, 6",
    lab="01_costs",
    kind=Measure(),
)
def roofline(report: Report, machine: Machine) -> dict[str, Placement]:
    """Place each layer under the roofline of a machine.

    attainable = min(peak, intensity * bandwidth), where intensity is MACs per byte of traffic.
    Left of the ridge the memory is the limit, and fewer MACs make nothing faster: a depthwise
    convolution, with nine MACs for the eight bytes of an input and an output, lies there on every
    machine of today. The traffic is the least there is, each tensor moved once, so the roof is one
    that a layer can only stay below.

    Args:
        report: Rows that know MACs and traffic. One that moves nothing has no place.
        machine: Its peak and its bandwidth.

    >>> from efficientdl.report import Cost
    >>> layers = Report({"dense": Cost(macs=900, traffic_bytes=10)})
    >>> roofline(layers, Machine(peak_macs_per_s=200, bytes_per_s=10))["dense"]
    Placement(intensity=90.0, attainable_macs_per_s=200, bound='compute', least_s=4.5)

    Source: Williams, Waterman, Patterson, "Roofline", 2009; survey sections 2.6 and 6; lab 01.
    """
    _check.kind("roofline", "report", report, Report)
    _check.kind("roofline", "machine", machine, Machine)
    placed: dict[str, Placement] = {}
    for name, cost in report.rows.items():
        if cost.macs is None or cost.traffic_bytes is None:
            _check.fail("roofline", f"row {name!r}", "must know MACs and traffic", cost)
        if cost.traffic_bytes == 0:
            continue
        intensity = cost.macs / cost.traffic_bytes
        compute_s = cost.macs / machine.peak_macs_per_s
        memory_s = cost.traffic_bytes / machine.bytes_per_s
        placed[name] = Placement(
            intensity=intensity,
            attainable_macs_per_s=min(machine.peak_macs_per_s, intensity * machine.bytes_per_s),
            bound="compute" if compute_s > memory_s else "memory",
            least_s=max(compute_s, memory_s),
        )
    return placed
