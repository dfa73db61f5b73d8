"""The search: its bounds are bounds, its best is the best, and more memory slows nothing."""

from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from efficientdl.systems.hardware.arch import Arch, Array, Buffer, Dram
from efficientdl.systems.hardware.layer import Conv, Gemm
from efficientdl.systems.hardware.memory.candidates import KEPT, candidates
from efficientdl.systems.hardware.memory.plan import ORDERS, best_tiling
from efficientdl.systems.hardware.memory.schedule import bytes_of, schedule
from efficientdl.systems.hardware.memory.tiling import (
    SUMS_STAY,
    X_STAYS,
    Tiling,
    units,
)
from tests.systems.hardware.memory.drawn import LARGE, layers, machines, quick

SMALL = st.sampled_from([64, 300, 1000, 4000])


def halved(total, unit):
    return {unit * -(-(total // unit) // 2**i) for i in range(20)}


def all_tilings(layer):
    (gemm,), (pixels, taps) = layer.gemms(), units(layer)
    sides = halved(gemm.m, pixels), halved(gemm.k, taps), halved(gemm.n, 1)
    for m, k, n in product(*sides):
        for order, kept in product(ORDERS, KEPT):
            yield Tiling(m, k, n, order, kept)


def fits(layer, arch):
    pixels, taps = units(layer)
    return bytes_of(layer, Tiling(pixels, taps, 1)) <= arch.buffer.bytes


@settings(quick, max_examples=15)
@given(layer=layers(), arch=machines(), n_bytes=SMALL)
def test_bounds_are_bounds_and_bits_are_exact(layer, arch, n_bytes):
    arch = replace(arch, buffer=replace(arch.buffer, bytes=n_bytes))
    tried = [*candidates(layer, arch, ORDERS)] if fits(layer, arch) else []
    for tiling, bound, bits in tried[::7]:
        run = schedule(layer, arch, tiling).run  # which refuses one that does not fit
        assert run.cycles >= bound
        assert sum(n * run.bits[name] for name, n in run.accesses["dram"].items()) == bits


@settings(quick, max_examples=3)
@given(
    gemm=st.builds(Gemm, *[st.integers(1, 4)] * 3, groups=st.integers(1, 2)),
    arch=machines(max_side=3),
    n_bytes=st.sampled_from([64, 120, 300]),
)
def test_no_halving_is_better_than_the_best(gemm, arch, n_bytes):
    arch = replace(arch, buffer=replace(arch.buffer, bytes=n_bytes))
    possible = [t for t in all_tilings(gemm) if bytes_of(gemm, t) <= n_bytes]
    runs = [schedule(gemm, arch, tiling).run for tiling in possible]
    best = schedule(gemm, arch, best_tiling(gemm, arch)).run
    quality = [(run.cycles, run.cost().traffic_bytes) for run in runs]
    assert (best.cycles, best.cost().traffic_bytes) == min(quality)


def test_the_least_bound_is_not_always_the_best():
    gemm, arch = Gemm(12, 20, 9), Arch("toy", Array(4, 4), buffer=Buffer(150), dram=Dram(48, 10))
    cycles = [schedule(gemm, arch, t).run.cycles for t, _, _ in candidates(gemm, arch, ORDERS)]
    assert cycles[0] > min(cycles)
    assert schedule(gemm, arch, best_tiling(gemm, arch)).run.cycles == min(cycles)


@settings(quick, max_examples=25)
@given(layer=layers(), arch=machines(), n_bytes=SMALL, faster=st.floats(1, 20))
def test_more_bandwidth_and_a_larger_buffer_slow_nothing(layer, arch, n_bytes, faster):
    arch = replace(arch, buffer=replace(arch.buffer, bytes=n_bytes))
    if not fits(layer, arch):
        return
    cycles = schedule(layer, arch, best_tiling(layer, arch)).run.cycles
    wide = replace(arch, dram=replace(arch.dram, bits_per_cycle=faster * arch.dram.bits_per_cycle))
    large = replace(arch, buffer=replace(arch.buffer, bytes=int(faster * n_bytes)))
    for better in (wide, large):
        assert schedule(layer, better, best_tiling(layer, better)).run.cycles <= cycles


@settings(quick, max_examples=25)
@given(layer=layers(), arch=machines(n_bytes=LARGE))
def test_a_buffer_that_holds_all_moves_each_word_once(layer, arch):
    moved = schedule(layer, arch, best_tiling(layer, arch)).run.accesses["dram"]
    assert moved == layer.words._asdict()


def test_an_order_can_be_given():
    gemm, arch = Gemm(64, 64, 64), Arch("toy", Array(8, 8), buffer=Buffer(2048), dram=Dram(64))
    free = schedule(gemm, arch, best_tiling(gemm, arch)).run.cycles
    for order in (SUMS_STAY, X_STAYS):
        tiling = best_tiling(gemm, arch, order=order)
        assert tiling.order == order
        assert schedule(gemm, arch, tiling).run.cycles >= free


def test_a_buffer_without_room_for_one_tile():
    conv = Conv(c_in=2, h=6, w=6, c_out=3, kernel=3)
    match = r"best_tiling: arch.buffer must have at least \d+ bytes for the smallest tiles of Conv"
    with pytest.raises(ValueError, match=match):
        best_tiling(conv, Arch("tiny", Array(2, 2), buffer=Buffer(16)))
