"""A sweep is one machine after the other, and what it calls best is beaten by none."""

from dataclasses import replace
from math import fsum

import numpy as np
import pytest

from efficientdl.systems.hardware import presets
from efficientdl.systems.hardware.analyse import FORMULAS, analyse
from efficientdl.systems.hardware.arch import Arch, Array, Dataflow
from efficientdl.systems.hardware.area import area
from efficientdl.systems.hardware.explore import Designs, grid, sweep, sweep_tiled
from efficientdl.systems.hardware.layer import Attention, Conv, Gemm
from efficientdl.systems.hardware.memory import network

LAYERS = {
    "stem": Conv(3, 16, 16, 8, 3, padding=1),
    "body": Conv(8, 16, 16, 8, 3, padding=1),
    "again": Conv(8, 16, 16, 8, 3, padding=1),
    "heads": Attention(n_queries=8, n_keys=8, n_heads=2, head_features=4),
    "fc": Gemm(1, 128, 10),
}
ARCHS = grid(
    presets.gemmini(),
    sides=[(4, 4), (8, 2), (8, 8)],
    buffer_bytes=[4096, 2**16],
    dataflows=[*FORMULAS],
)


def test_a_sweep_is_analyse_on_each():
    found = sweep(LAYERS, ARCHS)
    assert len(found) == len(ARCHS) == 3 * 2 * len(FORMULAS)
    for row, arch in enumerate(ARCHS):
        runs = [analyse(layer, arch) for layer in LAYERS.values()]
        cycles = sum(run.cycles for run in runs)
        assert found.cycles[row] == cycles
        np.testing.assert_allclose(found.latency_s[row], cycles / (arch.clock_mhz * 1e6))
        pj = fsum(pj for run in runs for pj in run.energy(arch.energy).values())
        np.testing.assert_allclose(found.energy_pj[row], pj, rtol=1e-12)
        assert found.area_mm2[row] == area(arch).mm2


def test_with_memories_it_is_the_network_on_each():
    archs = ARCHS[::9]
    found = sweep_tiled(LAYERS, archs)
    for row, arch in enumerate(archs):
        assert found.cycles[row] == network(LAYERS, arch).total.cycles
    assert (found.cycles >= sweep(LAYERS, archs).cycles).all()


def test_none_beats_the_best_and_each_other_is_beaten():
    found = sweep(LAYERS, ARCHS)
    best = found.best()

    def figures(designs):
        columns = (designs.latency_s, designs.energy_pj, designs.area_mm2)
        return [tuple(map(float, row)) for row in zip(*columns, strict=True)]

    def beats(a, b):
        return a != b and all(x <= y for x, y in zip(a, b, strict=True))

    everything, chosen = figures(found), figures(best)
    assert chosen == sorted(chosen, key=lambda row: row[0])
    expected = {row for row in everything if not any(beats(other, row) for other in everything)}
    assert set(chosen) == expected
    assert 0 < len(best) < len(found)


def test_a_budget_keeps_what_fits():
    found = sweep(LAYERS, ARCHS)
    budget = float(np.median(found.area_mm2))
    small = found.within(area_mm2=budget)
    assert 0 < len(small) < len(found)
    assert [a.name for a in small.archs] == [a.name for a in ARCHS if area(a).mm2 <= budget]


def test_machines_without_a_table_have_no_energy_and_none_is_no_table():
    assert np.isnan(sweep(LAYERS, [Arch("toy", Array(2, 2))]).energy_pj).all()
    nothing = sweep(LAYERS, [])
    assert isinstance(nothing, Designs)
    assert len(nothing) == len(nothing.best()) == 0


def test_what_cannot_be_swept():
    with pytest.raises(ValueError, match=r"sweep: layers must name a layer, got \{\}"):
        sweep({}, ARCHS)
    with pytest.raises(TypeError, match="sweep_tiled: archs must be a Arch, got 3"):
        sweep_tiled(LAYERS, [3])
    rows = replace(ARCHS[0], dataflow=Dataflow.ROW_STATIONARY)
    with pytest.raises(ValueError, match=r"(analyse|area): "):
        sweep(LAYERS, [rows])
