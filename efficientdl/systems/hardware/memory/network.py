"""A whole network: one layer after the other, each cut in its fastest way."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from operator import add

from efficientdl import _check
from efficientdl.report import Report
from efficientdl.systems.hardware.arch import Arch
from efficientdl.systems.hardware.layer import Attention, Conv, Gemm, Layer
from efficientdl.systems.hardware.memory.plan import best_tiling
from efficientdl.systems.hardware.memory.schedule import schedule
from efficientdl.systems.hardware.run import Run


@dataclass(frozen=True)
class Network:
    """Runs by layer, on one machine.

    Attributes:
        runs: The run of each layer.
        arch: The machine.
    """

    runs: Mapping[str, Run]
    arch: Arch

    @property
    def total(self) -> Run:
        """All layers, one after the other."""
        return reduce(add, self.runs.values())

    @property
    def latency_s(self) -> float:
        """Seconds that the cycles take at the machine's clock."""
        return self.total.cycles / (self.arch.clock_mhz * 1e6)

    def report(self) -> Report:
        """MACs, cycles, DRAM traffic and, where the machine has a table, energy, by layer."""
        return Report({name: run.cost(self.arch.energy) for name, run in self.runs.items()})


def network(layers: Mapping[str, Layer], arch: Arch) -> Network:
    """Run the layers of a network, each tile by tile, in the fastest way that the buffer allows.

    A layer's output goes to DRAM, and the next one loads it. Layers of the same shape take the
    same.

    Args:
        layers: By name, in the order in which they run; all of the same widths.
        arch: The machine.

    >>> from efficientdl.systems.hardware.arch import Array, Dram
    >>> arch = Arch("toy", Array(4, 4), dram=Dram(bits_per_cycle=64))
    >>> net = network({"wide": Gemm(8, 4, 16), "narrow": Gemm(8, 16, 4)}, arch)
    >>> print(net.report())
    layer    MACs  traffic KiB  cycles
    ------  -----  -----------  ------
    wide      512         0.59      94
    narrow    512         0.31      94
    total   1,024         0.91     188

    Source: survey section 6.2; lab 14.
    """
    _check.kind("network", "layers", layers, Mapping)
    if not layers:
        _check.fail("network", "layers", "must name a layer", dict(layers))
    found: dict[Layer, Run] = {}
    for layer in layers.values():
        _check.kind("network", "layers", layer, (Gemm, Conv, Attention))
        if layer not in found:
            parts = layer.gemms() if isinstance(layer, Attention) else (layer,)
            runs = [schedule(part, arch, best_tiling(part, arch)).run for part in parts]
            found[layer] = reduce(add, runs)
    return Network({name: found[layer] for name, layer in layers.items()}, arch)
