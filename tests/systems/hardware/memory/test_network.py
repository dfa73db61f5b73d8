"""A network is its layers, one after the other."""

import pytest

from efficientdl.systems.hardware import presets
from efficientdl.systems.hardware.layer import Attention, Conv, Gemm
from efficientdl.systems.hardware.memory.network import network
from efficientdl.systems.hardware.memory.plan import best_tiling
from efficientdl.systems.hardware.memory.schedule import schedule

LAYERS = {
    "conv": Conv(c_in=8, h=14, w=14, c_out=16, kernel=3, padding=1),
    "again": Conv(c_in=8, h=14, w=14, c_out=16, kernel=3, padding=1),
    "depthwise": Conv.depthwise(16, 14, 14, 3),
    "heads": Attention(n_queries=12, n_keys=12, n_heads=2, head_features=8),
    "fc": Gemm(1, 256, 10),
}


def alone(layer, arch):
    return [schedule(gemm, arch, best_tiling(gemm, arch)).run for gemm in layer.gemms()]


def test_layers_add_up():
    arch = presets.gemmini()
    net = network(LAYERS, arch)
    conv, fc = (schedule(LAYERS[n], arch, best_tiling(LAYERS[n], arch)).run for n in ("conv", "fc"))
    assert net.runs["conv"] == net.runs["again"] == conv
    assert net.runs["fc"] == fc
    scores, values = alone(LAYERS["heads"], arch)
    assert net.runs["heads"] == scores + values
    assert net.total.cycles == sum(run.cycles for run in net.runs.values())
    assert net.total.macs == sum(layer.macs for layer in LAYERS.values())
    assert net.latency_s == net.total.cycles / (arch.clock_mhz * 1e6)
    total = net.report().total
    assert total.cycles == net.total.cycles
    assert total.energy_pj == pytest.approx(sum(net.total.energy(arch.energy).values()))


def test_what_is_no_network():
    with pytest.raises(ValueError, match=r"network: layers must name a layer, got \{\}"):
        network({}, presets.gemmini())
    with pytest.raises(TypeError, match="network: layers must be a Gemm or Conv or Attention"):
        network({"conv": 3}, presets.gemmini())
