"""What a run says of itself: sums, energy, cost, words."""

import pytest
from hypothesis import given, settings

from efficientdl.systems.hardware.analyse import analyse
from efficientdl.systems.hardware.arch import Arch, Array, EnergyTable
from efficientdl.systems.hardware.layer import Gemm
from efficientdl.systems.hardware.presets import HOROWITZ_45NM
from efficientdl.systems.hardware.run import Run
from tests.systems.hardware.drawn import arrays, gemms

TABLE = EnergyTable("toy", mac_pj=2, word_pj={"buffer": 6, "dram": 200}, word_bits=16)
RUN = Run(
    cycles=10,
    macs=20,
    n_units=4,
    accesses={"buffer": {"x": 3, "psum": 2}, "dram": {"x": 1}},
    bits={"x": 16, "psum": 32},
)


def test_energy_is_words_times_their_width():
    assert RUN.energy(TABLE) == {"mac": 40.0, "buffer": (3 + 2 * 2) * 6.0, "dram": 200.0}


def test_cost_is_what_every_technique_gives():
    cost = RUN.cost(TABLE)
    assert (cost.macs, cost.cycles, cost.traffic_bytes) == (20, 10, 2)
    assert cost.energy_pj == sum(RUN.energy(TABLE).values())
    assert RUN.cost().energy_pj is None
    assert Run(cycles=1, macs=1, n_units=1).cost().traffic_bytes is None
    assert (
        Run(cycles=1, macs=1, n_units=1, accesses={"dram": {"x": 1}}).cost().traffic_bytes is None
    )


@settings(deadline=None, max_examples=30, database=None, derandomize=True)
@given(gemm=gemms(), array=arrays())
def test_two_groups_are_two_runs(gemm, array):
    arch = Arch("drawn", array)
    one = analyse(Gemm(gemm.m, gemm.k, gemm.n), arch)
    both = analyse(Gemm(gemm.m, gemm.k, gemm.n, groups=2), arch)
    assert one + one == both
    assert both.utilisation == pytest.approx(one.utilisation)
    energy = both.energy(HOROWITZ_45NM)
    assert both.cost(HOROWITZ_45NM).energy_pj == pytest.approx(sum(energy.values()))


def test_explain_prints_the_numbers_that_it_has():
    text = analyse(Gemm(4, 8, 4), Arch("small", Array(4, 4))).explain()
    assert "cycles = 28: 2 x 1 folds of r x c = 4 x 4; r + 4 + r + c - 2 a fold" in text
    assert "utilisation = 128 MACs / (28 cycles x 16 units) = 28.6%" in text
    assert Run(cycles=3, macs=3, n_units=1).explain().startswith("cycles = 3\n")


def test_what_does_not_fit():
    with pytest.raises(ValueError, match=r"Run.energy: level must be one of dram, got 'buffer'"):
        RUN.energy(EnergyTable("dram alone", 1, {"dram": 1}))
    with pytest.raises(ValueError, match=r"Run\.__add__: other must be of the same machine, 4 uni"):
        RUN + Run(cycles=1, macs=1, n_units=5)
    with pytest.raises(TypeError):
        RUN + 1
