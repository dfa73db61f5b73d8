"""Machines are values: what they refuse, and what the built ones have."""

from math import inf, nan

import pytest

from efficientdl.systems.hardware import presets
from efficientdl.systems.hardware.arch import Arch, Array, Buffer, Dataflow, Dram, EnergyTable


def test_what_is_not_a_machine():
    with pytest.raises(ValueError, match="Array: rows must be a whole number, 1 or more, got 0"):
        Array(0, 4)
    with pytest.raises(ValueError, match=r"Array: weight_registers must be .* in \[1, 2\], got 3"):
        Array(4, 4, weight_registers=3)
    with pytest.raises(TypeError, match="Array: drain must be a Drain, got 'shift'"):
        Array(4, 4, drain="shift")
    with pytest.raises(ValueError, match="Buffer: bits_per_cycle must be more than 0, got 0"):
        Buffer(64, bits_per_cycle=0)
    with pytest.raises(ValueError, match="Dram: bits_per_cycle must be a number, got nan"):
        Dram(nan)
    with pytest.raises(ValueError, match=r"EnergyTable: word_pj\['dram'\] must be at least 0"):
        EnergyTable("bad", 1, {"dram": -1})
    with pytest.raises(ValueError, match="EnergyTable: word_bits must be a whole number, 1 or"):
        EnergyTable("bad", 1, {}, word_bits=0)
    with pytest.raises(TypeError, match="Arch: array must be a Array, got 4"):
        Arch("bad", 4)
    with pytest.raises(ValueError, match="Arch: clock_mhz must be positive and finite, got inf"):
        Arch("bad", Array(1, 1), clock_mhz=inf)


@pytest.mark.parametrize(
    ("arch", "n_units", "dataflow"),
    [
        (presets.eyeriss(), 168, Dataflow.ROW_STATIONARY),
        (presets.tpu_v1(), 65536, Dataflow.WEIGHT_STATIONARY),
        (presets.nvdla(256), 256, Dataflow.WEIGHT_STATIONARY),
        (presets.nvdla(1024), 1024, Dataflow.WEIGHT_STATIONARY),
        (presets.shidiannao(), 64, Dataflow.OUTPUT_STATIONARY),
        (presets.gemmini(), 256, Dataflow.WEIGHT_STATIONARY),
    ],
)
def test_what_was_built(arch, n_units, dataflow):
    assert (arch.array.n_units, arch.dataflow) == (n_units, dataflow)
    assert set(arch.energy.word_pj) == {"register", "link", "buffer", "dram"}


@pytest.mark.parametrize(
    "table", [presets.EYERISS_RELATIVE, presets.EYERISS_65NM, presets.HOROWITZ_45NM]
)
def test_farther_is_dearer(table):
    farther = [table.word_pj[level] for level in ("register", "link", "buffer", "dram")]
    assert farther == sorted(farther)


def test_the_45_nm_table_is_horowitzs():
    table = presets.HOROWITZ_45NM
    assert table.mac_pj == pytest.approx(0.2 + 0.1)
    assert (table.word_pj["buffer"], table.word_pj["dram"]) == (5 / 4, 640 / 4)


def test_nvdla_comes_in_two_sizes():
    with pytest.raises(ValueError, match="nvdla: n_units must be one of 256, 1024, got 64"):
        presets.nvdla(64)
