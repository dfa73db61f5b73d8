"""Area is a sum of parts whose sizes were published."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from efficientdl.systems.hardware import presets
from efficientdl.systems.hardware.arch import Arch, Array, Buffer, Dataflow, Drain
from efficientdl.systems.hardware.area import (
    REGISTERS,
    adder_um2,
    area,
    fits,
    multiplier_um2,
)
from efficientdl.systems.hardware.layer import Bits
from tests.systems.hardware.drawn import arrays
from tests.systems.hardware.memory.drawn import quick


def test_one_multiplier_and_adder_are_horowitzs():
    arch = Arch("one", Array(1, 1), Dataflow.NO_LOCAL_REUSE, Buffer(1))
    found = area(arch).um2
    assert (found["multipliers"], found["adders"], found["registers"]) == (282, 137, 0)
    assert multiplier_um2(32, 32) == 3495
    assert [adder_um2(bits) for bits in (8, 16, 32)] == [36, 67, 137]


def test_registers_are_what_a_dataflow_keeps():
    bits, one = Bits(8, 4, 20), Array(1, 1)
    wait = Array(1, 1, Drain.OVERLAP, weight_registers=2)
    kept = {d: (keeps(one, bits), keeps(wait, bits)) for d, keeps in REGISTERS.items()}
    assert kept[Dataflow.WEIGHT_STATIONARY] == (8 + 4 + 20, 8 + 2 * 4 + 20)
    assert kept[Dataflow.INPUT_STATIONARY] == (8 + 4 + 20, 2 * 8 + 4 + 20)
    assert kept[Dataflow.OUTPUT_STATIONARY] == (8 + 4 + 20, 8 + 4 + 2 * 20)
    assert kept[Dataflow.NO_LOCAL_REUSE] == (0, 0)


@quick
@given(array=arrays(), dataflow=st.sampled_from([*REGISTERS]), n_bytes=st.integers(1, 10**6))
def test_parts_add_up_and_scale_with_units_and_bytes(array, dataflow, n_bytes):
    arch = Arch("drawn", array, dataflow, Buffer(n_bytes))
    found = area(arch)
    assert found.mm2 == pytest.approx(sum(found.um2.values()) / 1e6)
    wider = area(replace(arch, array=replace(array, cols=3 * array.cols))).um2
    larger = area(replace(arch, buffer=Buffer(2 * n_bytes))).um2
    for part in ("multipliers", "adders", "registers"):
        assert wider[part] == pytest.approx(3 * found.um2[part])
        assert larger[part] == found.um2[part]
    assert larger["buffer"] == pytest.approx(2 * found.um2["buffer"])
    assert wider["buffer"] == found.um2["buffer"]


def test_a_budget():
    arch = Arch("small", Array(16, 16), buffer=Buffer(64 * 1024))
    exact = area(arch).mm2
    assert fits(arch, area_mm2=exact)
    assert not fits(arch, area_mm2=exact * 0.999)
    assert fits(arch, area_mm2=exact, bits=Bits(4, 4, 16))


def test_what_has_no_area():
    match = "area: register_bits must be given for a machine that is row stationary, got None"
    with pytest.raises(ValueError, match=match):
        area(presets.eyeriss())
    assert area(presets.eyeriss(), register_bits=8 * 520).um2["registers"] > 0
    with pytest.raises(ValueError, match=r"area: bits\.x must be a whole number in \[1, 64\]"):
        area(Arch("toy", Array(1, 1)), bits=Bits(0, 8, 32))
    with pytest.raises(TypeError, match="area: arch must be a Arch, got 3"):
        area(3)
    with pytest.raises(ValueError, match="fits: area_mm2 must be more than 0, got 0"):
        fits(Arch("toy", Array(1, 1)), area_mm2=0)
