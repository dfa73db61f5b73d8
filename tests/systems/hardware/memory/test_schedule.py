"""Tiles in time: the whole layer at once is what `analyse` counts, and no schedule beats a roof."""

from dataclasses import replace
from itertools import pairwise
from math import inf

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from efficientdl.systems.hardware.analyse import FORMULAS, analyse
from efficientdl.systems.hardware.arch import Arch, Array, Buffer, Dataflow, Dram, Psums
from efficientdl.systems.hardware.layer import Attention, Bits, Conv, Gemm
from efficientdl.systems.hardware.memory.schedule import Kind, bytes_of, equal_tiles, schedule
from efficientdl.systems.hardware.memory.tiling import SUMS_STAY, WEIGHT_STAYS, Tiling, whole
from tests.systems.hardware.drawn import arrays
from tests.systems.hardware.memory.drawn import LARGE, cut_layers, layers, machines, quick

IDEAL = {"buffer": Buffer(LARGE), "dram": Dram()}


@pytest.mark.parametrize("dataflow", [*FORMULAS])
@quick
@given(layer=layers(), array=arrays(psums=Psums.ON_CHIP))
def test_one_tile_of_an_ideal_memory_is_what_analyse_counts(dataflow, layer, array):
    arch = Arch("ideal", array, dataflow, **IDEAL)
    assert schedule(layer, arch, whole(layer)).run == analyse(layer, arch)


@quick
@given(cut=cut_layers(), arch=machines())
def test_nothing_waits_for_a_memory_that_takes_no_time(cut, arch):
    found = schedule(*cut[:1], replace(arch, **IDEAL), cut[1])
    assert found.stall_cycles == 0
    assert found.bus_cycles == 0


@quick
@given(cut=cut_layers(), arch=machines())
def test_no_schedule_is_faster_than_its_roof_or_slower_than_one_thing_at_a_time(cut, arch):
    layer, tiling = cut
    found = schedule(layer, arch, tiling)
    cycles, bits = found.run.cycles, 8 * found.run.cost().traffic_bytes - 7
    assert cycles >= layer.macs / arch.array.n_units
    assert cycles >= bits / arch.dram.bits_per_cycle
    assert max(found.compute_cycles, found.bus_cycles) <= cycles
    assert cycles <= found.compute_cycles + found.bus_cycles


@quick
@given(cut=cut_layers(), arch=machines())
def test_dram_moves_no_less_than_each_word_once_and_no_more_of_what_is_kept(cut, arch):
    layer, tiling = cut
    moved, least = schedule(layer, arch, tiling).run.accesses["dram"], layer.words._asdict()
    for name, words in least.items():
        assert moved[name] >= words
        if name in tiling.kept:
            assert moved[name] == words
    assert moved["y"] == least["y"]
    if "y" in tiling.kept or tiling.order == SUMS_STAY:
        assert "psum" not in moved


@quick
@given(cut=cut_layers(), arch=machines(), faster=st.floats(1, 100))
def test_more_bandwidth_or_less_latency_slows_nothing(cut, arch, faster):
    layer, tiling = cut
    cycles = schedule(layer, arch, tiling).run.cycles
    wide = replace(arch, dram=replace(arch.dram, bits_per_cycle=faster * arch.dram.bits_per_cycle))
    soon = replace(arch, dram=replace(arch.dram, latency_cycles=arch.dram.latency_cycles // 2))
    port = Buffer(LARGE, bits_per_cycle=faster * arch.buffer.bits_per_cycle)
    for better in (wide, soon, replace(arch, buffer=port)):
        assert schedule(layer, better, tiling).run.cycles <= cycles


def spans(events, *kinds):
    return sorted((e.start, e.end) for e in events if e.kind in kinds and e.end > e.start)


@quick
@given(cut=cut_layers(), arch=machines())
def test_events_obey_the_machine(cut, arch):
    found = schedule(*cut[:1], arch, cut[1])
    events = list(found.events())
    for busy in (spans(events, Kind.COMPUTE), spans(events, Kind.LOAD, Kind.STORE)):
        assert all(end <= start for (_, end), (start, _) in pairwise(busy))
    at = {(e.kind, e.tile): e for e in events}
    for tile in range(found.traffic.n_tiles):
        begin = at[Kind.COMPUTE, tile]
        if (Kind.LOAD, tile) in at:
            assert at[Kind.LOAD, tile].end <= begin.start  # all is there
            if tile:
                assert at[Kind.LOAD, tile].start >= at[Kind.COMPUTE, tile - 1].start  # a free place
        if (Kind.STORE, tile) in at:
            assert at[Kind.STORE, tile].start >= begin.end
            if tile + 2 < found.traffic.n_tiles:  # its place is written again
                assert at[Kind.STORE, tile].end <= at[Kind.COMPUTE, tile + 2].start
    assert max(e.end for e in events) == found.run.cycles
    moved = {name: sum(e.words.get(name, 0) for e in events) for name in found.run.accesses["dram"]}
    assert moved == dict(found.run.accesses["dram"])


@quick
@given(
    n_tiles=st.integers(1, 9),
    rows=st.integers(1, 5),
    rate=st.sampled_from([3, 17, 64, inf]),
    latency=st.integers(0, 30),
)
def test_equal_tiles_have_a_closed_form(n_tiles, rows, rate, latency):
    """Rows of x pass weights that stay: every tile loads and stores the same."""
    gemm = Gemm(n_tiles * rows, 6, 5)
    arch = Arch("equal", Array(3, 4), dram=Dram(rate, latency), buffer=Buffer(LARGE))
    tiling = Tiling(rows, 6, 5, order=WEIGHT_STAYS)
    load = latency + int(np.ceil(8 * rows * 6 / rate))
    both = latency + int(np.ceil(8 * (rows * 6 + 30) / rate))
    compute = analyse(Gemm(rows, 6, 5), arch).cycles
    store = int(np.ceil(32 * rows * 5 / rate))
    expected = equal_tiles(n_tiles, load, compute, store, once=both - load)
    assert schedule(gemm, arch, tiling).run.cycles == expected


def test_sums_that_wait_between_tiles_are_those_that_wait_between_folds():
    """Weights stay, and each tile is one fold deep: the port moves what it moves without tiles."""
    gemm, arch = Gemm(6, 12, 5), Arch("toy", Array(4, 8))
    for kept in (set(), {"y"}):
        run = schedule(gemm, arch, Tiling(6, 4, 5, kept=kept)).run
        assert run.accesses["buffer"] == analyse(gemm, arch).accesses["buffer"]


def test_a_schedule_by_hand():
    """Two tiles of 14 cycles; loads of 4 and 2; each stores in 8."""
    arch = Arch("toy", Array(4, 4), dram=Dram(bits_per_cycle=64))
    found = schedule(Gemm(8, 4, 4), arch, Tiling(4, 4, 4))
    assert found.start.tolist() == [4, 18]
    assert found.run.cycles == 4 + 14 + 14 + 8
    assert "40: 28 of 2 tiles, 0 of waiting between them, 4 to load" in found.run.explain()


def test_wider_words_take_more_of_the_buffer_and_the_bus():
    arch = Arch("toy", Array(4, 4), dram=Dram(bits_per_cycle=16))
    narrow, wide = Gemm(8, 8, 8), Gemm(8, 8, 8, bits=Bits(16, 16, 32))
    tiling = Tiling(4, 8, 4)
    assert bytes_of(wide, tiling) - bytes_of(narrow, tiling) == 2 * (4 * 8 + 8 * 4)
    runs = [schedule(layer, arch, tiling) for layer in (narrow, wide)]
    assert runs[1].bus_cycles > runs[0].bus_cycles


def test_what_cannot_be_scheduled():
    arch = Arch("toy", Array(4, 4), buffer=Buffer(100))
    gemm, conv = Gemm(8, 4, 4), Conv(c_in=2, h=6, w=6, c_out=3, kernel=3)
    match = r"schedule: tiling must need at most the buffer's 100 bytes, needs 176, got Tiling"
    with pytest.raises(ValueError, match=match):
        schedule(gemm, replace(arch, buffer=Buffer(100)), whole(gemm))
    with pytest.raises(ValueError, match=r"schedule: tiling.m must be .* in \[1, 8\], got 9"):
        schedule(gemm, arch, Tiling(9, 4, 4))
    with pytest.raises(ValueError, match=r"schedule: tiling.m must be a multiple of 4, a row of"):
        schedule(conv, arch, Tiling(6, 18, 3))
    with pytest.raises(ValueError, match=r"schedule: tiling.k must be a multiple of 9, a ch"):
        schedule(conv, arch, Tiling(4, 12, 3))
    with pytest.raises(ValueError, match=r"schedule: arch.dataflow must be one of"):
        schedule(gemm, replace(arch, dataflow=Dataflow.ROW_STATIONARY), whole(gemm))
    off = replace(arch, array=Array(4, 4, psums=Psums.OFF_CHIP))
    with pytest.raises(ValueError, match=r"schedule: arch.array.psums must be Psums.ON_CHIP"):
        schedule(gemm, off, whole(gemm))
    with pytest.raises(TypeError, match=r"schedule: layer must be a Gemm or Conv"):
        schedule(Attention(1, 1, 1, 1), arch, Tiling(1, 1, 1))
    with pytest.raises(TypeError, match=r"schedule: tiling must be a Tiling, got 3"):
        schedule(gemm, arch, 3)
    with pytest.raises(ValueError, match="equal_tiles: n_tiles must be a whole number, 1 or more"):
        equal_tiles(0, 1, 1, 1)
