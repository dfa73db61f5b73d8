"""The fastest way to cut a layer: all cuts in halves, all orders, all operands to keep."""

from itertools import permutations
from math import inf

from efficientdl import _check
from efficientdl.systems.hardware.arch import Arch
from efficientdl.systems.hardware.conv import Conv
from efficientdl.systems.hardware.gemm import Gemm
from efficientdl.systems.hardware.memory.candidates import candidates
from efficientdl.systems.hardware.memory.schedule import bytes_of, check_machine, schedule
from efficientdl.systems.hardware.memory.tiling import Loop, Order, Tiling, units

ORDERS: tuple[Order, ...] = tuple(permutations(Loop))  # pyright: ignore[reportAssignmentType]


def best_tiling(layer: Gemm | Conv, arch: Arch, *, order: Order | None = None) -> Tiling:
    """Find the tiling with the fewest cycles; of those, one that moves the fewest bits.

    Candidates are the layer's sides, halved again and again; every order of the loops, or one; and
    every choice of operands to keep, as far as the buffer holds them. A candidate needs at least
    its tiles' cycles, the first load and the last store, and at least its bits over the bandwidth.
    They are tried in the order of that bound, until the bound is no better than the best found: so
    no candidate is better. A larger buffer only adds candidates, and more bandwidth makes none
    slower: cycles never grow with either.

    Args:
        layer: What to compute.
        arch: The machine.
        order: The only order to try.

    Raises:
        BadValue: The buffer does not hold the smallest tile.

    >>> from efficientdl.systems.hardware.arch import Array, Buffer, Dram
    >>> arch = Arch("toy", Array(4, 4), buffer=Buffer(2048), dram=Dram(bits_per_cycle=64))
    >>> tiling = best_tiling(Gemm(64, 64, 16), arch)
    >>> tiling.m, tiling.k, tiling.n
    (32, 8, 4)

    Source: Yang et al., "Interstellar: Using Halide's Scheduling Language to Analyze DNN
        Accelerators", ASPLOS 2020 (loop order and blocking); survey section 6.2; lab 14.
    """
    _check.kind("best_tiling", "layer", layer, (Gemm, Conv))
    check_machine("best_tiling", arch)
    _check_smallest(layer, arch)
    best, least = None, (inf, inf)
    for tiling, bound, bits in candidates(layer, arch, ORDERS if order is None else (order,)):
        if (bound, bits) >= least:
            break
        cycles = schedule(layer, arch, tiling).run.cycles
        if (cycles, bits) < least:
            best, least = tiling, (cycles, bits)
    assert best is not None, "the smallest tile is a candidate"
    return best


def _check_smallest(layer: Gemm | Conv, arch: Arch) -> None:
    """Demand a buffer for one row of pixels, one channel and one filter."""
    pixels, taps = units(layer)
    smallest = Tiling(pixels, taps, 1)
    needed = bytes_of(layer, smallest)
    if needed > arch.buffer.bytes:
        rule = f"must have at least {needed:,} bytes for the smallest tiles of {layer}"
        _check.fail("best_tiling", "arch.buffer", rule, arch.buffer)
