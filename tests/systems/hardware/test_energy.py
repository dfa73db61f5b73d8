"""Energy by part adds up to the whole, and dataflows come in an order that was published."""

from math import fsum

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from efficientdl.costs.energy import DRAM, INT8, SRAM
from efficientdl.systems.hardware import presets
from efficientdl.systems.hardware.analyse import FORMULAS, analyse
from efficientdl.systems.hardware.arch import Arch, Array, Buffer, Dataflow, Drain, EnergyTable
from efficientdl.systems.hardware.energy import compare, edp, energy
from efficientdl.systems.hardware.layer import Bits, Conv, Gemm
from efficientdl.systems.hardware.run import Run
from tests.systems.hardware.drawn import arrays, gemms
from tests.systems.hardware.memory.drawn import quick

WORDS = Bits(16, 16, 16)
ALEXNET = [  # the five convolutions, as one chip measured them: four images, words of 16 bits
    Conv(3, 227, 227, 96, 11, 4, batch=4, bits=WORDS),
    Conv(96, 27, 27, 256, 5, padding=2, groups=2, batch=4, bits=WORDS),
    Conv(256, 13, 13, 384, 3, padding=1, batch=4, bits=WORDS),
    Conv(384, 13, 13, 384, 3, padding=1, groups=2, batch=4, bits=WORDS),
    Conv(384, 13, 13, 256, 3, padding=1, groups=2, batch=4, bits=WORDS),
]
TABLES = [presets.EYERISS_RELATIVE, presets.EYERISS_65NM, presets.HOROWITZ_45NM]


@quick
@given(
    gemm=gemms(),
    array=arrays(),
    dataflow=st.sampled_from([*FORMULAS]),
    table=st.sampled_from(TABLES),
)
def test_each_breakdown_adds_up_to_the_whole(gemm, array, dataflow, table):
    run = analyse(gemm, Arch("drawn", array, dataflow))
    found = energy(run, table)
    whole = fsum(run.energy(table).values())
    # Sums of a dozen floats, in another order.
    for parts in (found.by_level, found.by_operand):
        np.testing.assert_allclose(fsum(parts.values()), whole, rtol=1e-12)
    np.testing.assert_allclose(found.total_pj, whole, rtol=1e-12)
    for level, pj in run.energy(table).items():
        np.testing.assert_allclose(found.by_level[level], pj, rtol=1e-12)


def test_a_processor_without_reuse_fetches_both_operands_for_every_mac():
    """One unit that keeps nothing, by hand from Horowitz's numbers for 8-bit words."""
    array = Array(1, 1, Drain.OVERLAP)
    run = analyse(Gemm(4, 3, 2), Arch("one", array, Dataflow.NO_LOCAL_REUSE))
    found = energy(run, presets.HOROWITZ_45NM)
    sums = 4 * 2 + 2 * 4 * 2 * 2  # written once finished; two of three products read and write
    assert found.by_level["mac"] == pytest.approx(24 * INT8.mac_pj)
    buffer = 2 * 24 * SRAM.energy_pj(8) + sums * SRAM.energy_pj(32)
    assert found.by_level["buffer"] == pytest.approx(buffer)
    dram = (12 + 6) * DRAM.energy_pj(8) + 8 * DRAM.energy_pj(32)
    assert found.by_level["dram"] == pytest.approx(dram)


def test_farther_words_cost_more_and_wider_words_in_proportion():
    table = presets.EYERISS_RELATIVE
    moved = {level: {"x": 10} for level in table.word_pj}
    narrow = Run(cycles=1, macs=1, n_units=1, accesses=moved, bits={"x": 8})
    wide = Run(cycles=1, macs=1, n_units=1, accesses=moved, bits={"x": 16})
    assert energy(wide, table).by_level == {
        "mac": 1, "register": 10, "link": 20, "buffer": 60, "dram": 2000
    }  # fmt: skip
    assert energy(wide, table).by_operand["x"] == 2 * energy(narrow, table).by_operand["x"]


def test_no_local_reuse_spends_most_on_convolutions():
    """ISCA 2016 has OS < WS < NLR. Here WS is below OS: a sum hops on for 2, and is not fetched."""
    runs = {
        dataflow.value: [
            analyse(conv, Arch("12 x 14", Array(12, 14), dataflow)) for conv in ALEXNET
        ]
        for dataflow in FORMULAS
    }
    found = compare(runs, presets.EYERISS_RELATIVE)
    assert list(found)[-1] == "no local reuse"
    assert found["no local reuse"].by_level["buffer"] > 4 * max(
        found[d.value].by_level["buffer"] for d in FORMULAS if d is not Dataflow.NO_LOCAL_REUSE
    )


def test_rows_that_stay_spend_least_as_published():
    """ISCA 2016, abstract: 1.4 to 2.5 times less than the others, on AlexNet's convolutions."""
    rows = pytest.importorskip("efficientdl.systems.hardware.row_stationary")
    arch = presets.eyeriss()
    runs = {"row stationary": [rows.row_stationary(conv, arch) for conv in ALEXNET]}
    for dataflow in FORMULAS:
        if dataflow is not Dataflow.ROW_STATIONARY:
            other = Arch("12 x 14", arch.array, dataflow)
            runs[dataflow.value] = [analyse(conv, other) for conv in ALEXNET]
    found = compare(runs, presets.EYERISS_RELATIVE)
    least, *others = (e.pj_per_mac for e in found.values())
    assert next(iter(found)) == "row stationary"
    assert all(1.4 <= other / least <= 2.5 for other in others)


def test_energy_delay_product():
    table = EnergyTable("toy", 2, {"buffer": 3}, word_bits=8)
    arch = Arch("toy", Array(2, 2), energy=table, clock_mhz=100)
    run = Run(cycles=50, macs=10, n_units=4, accesses={"buffer": {"x": 4}})
    assert edp(run, arch) == pytest.approx(32e-12 * 50e-8)
    twice = run + run  # twice the energy in twice the time
    assert edp(twice, arch) == pytest.approx(4 * edp(run, arch))


def test_what_has_no_energy():
    run = Run(cycles=1, macs=1, n_units=1, accesses={"crossbar": {"x": 1}})
    with pytest.raises(ValueError, match=r"energy: level must be one of .*, got 'crossbar'"):
        energy(run, presets.HOROWITZ_45NM)
    with pytest.raises(TypeError, match="energy: table must be a EnergyTable, got 3"):
        energy(run, 3)
    with pytest.raises(ValueError, match=r"edp: arch\.energy must be a table, got None"):
        edp(run, Arch("toy", Array(1, 1), buffer=Buffer(1)))
    with pytest.raises(ValueError, match=r"compare: runs\['none'\] must have a run"):
        compare({"none": []}, presets.HOROWITZ_45NM)
    one, two = (Run(cycles=1, macs=macs, n_units=1) for macs in (1, 2))
    with pytest.raises(ValueError, match="compare: runs must do the same MACs"):
        compare({"one": [one], "two": [two]}, presets.HOROWITZ_45NM)
