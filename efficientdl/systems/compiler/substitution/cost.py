"""What a graph is believed to cost, for a search to compare: the roofline, and a price per node."""

from collections.abc import Callable

from efficientdl import _check
from efficientdl.costs.machine import Machine
from efficientdl.costs.roofline import roofline
from efficientdl.report import Report
from efficientdl.systems.compiler.graph import Graph, Node
from efficientdl.systems.compiler.graph_cost import work

GraphCost = Callable[[Graph], float]

# A round example, of the size of one laptop core: 50 GMAC/s, 10 GB/s, 5 us to start a node.
EXAMPLE_MACHINE = Machine(peak_macs_per_s=50e9, bytes_per_s=10e9)
EXAMPLE_OVERHEAD_S = 5e-6


def simulated_latency(
    machine: Machine = EXAMPLE_MACHINE, *, overhead_s: float = EXAMPLE_OVERHEAD_S
) -> GraphCost:
    """A cost: seconds that a graph takes on a machine, the nodes one after the other.

    Each node takes the time under the roofline, max(MACs / peak, bytes / bandwidth), and the time
    to start it. A node that moves nothing is free, and so is one that depends on constants alone,
    for it is computed in advance.

    Args:
        machine: Its peak and its bandwidth; `costs.measure_machine` measures this one.
        overhead_s: To start a node, in seconds.

    >>> from efficientdl.systems.compiler.graph import Value, node
    >>> x = Value("x", (1000,))
    >>> graph = Graph((x,), {}, (node("y", "relu", [x]),), ("y",))
    >>> round(simulated_latency(Machine(1e9, 1e9), overhead_s=2e-6)(graph) * 1e6, 3)  # 8 kB
    10.0

    Source: Williams, Waterman and Patterson, "Roofline", 2009; Jia et al., "MetaFlow", 2019, whose
    costs also are those of the single nodes, added up; lab 13.
    """
    _check.kind("simulated_latency", "machine", machine, Machine)
    _check.at_least("simulated_latency", "overhead_s", overhead_s, 0.0)

    def seconds(graph: Graph) -> float:
        values = graph.values()
        rows = {n.name: work(n, values) for n in at_run_time(graph)}
        placed = roofline(Report(rows), machine)
        return sum(place.least_s for place in placed.values()) + overhead_s * len(placed)

    return seconds


def at_run_time(graph: Graph) -> list[Node]:
    """The nodes that depend on an input."""
    depends = {value.name for value in graph.inputs}
    nodes = []
    for n in graph.nodes:
        if any(name in depends for name in n.inputs):
            nodes.append(n)
            depends |= {value.name for value in n.outputs}
    return nodes
