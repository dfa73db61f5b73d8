"""Machines that were built, as far as their numbers are known.

Each number has its source beside it; where no source was at hand it says *assumed*, and only the
order of magnitude is meant.
"""

from math import inf

from efficientdl import _check
from efficientdl.costs.energy import DRAM, INT8, SRAM
from efficientdl.systems.hardware.arch import (
    Arch,
    Array,
    Buffer,
    Dataflow,
    Drain,
    Dram,
    EnergyTable,
)

KIB = 1024

# Table IV of "Eyeriss", ISCA 2016, as costs beside one MAC: register 1, neighbour 2, buffer 6,
# DRAM 200. One "picojoule" of this table is the energy of one 16-bit MAC.
EYERISS_RELATIVE = EnergyTable(
    "Eyeriss, beside one MAC",
    mac_pj=1,
    word_pj={"register": 1, "link": 2, "buffer": 6, "dram": 200},
    word_bits=16,
    source="Chen, Emer, Sze, Eyeriss, ISCA 2016, Table IV",
)
# The picojoules that nn_dataflow uses for the chip.
EYERISS_65NM = EnergyTable(
    "Eyeriss, 65 nm",
    mac_pj=2,
    word_pj={"register": 1, "link": 4, "buffer": 15, "dram": 460},
    word_bits=16,
    source="nn_dataflow, the costs of its validation against Eyeriss",
)
# MAC, SRAM and DRAM are Horowitz's, for 8-bit words. He gives neither register nor link: assumed
# one and two MACs, as in Eyeriss.
HOROWITZ_45NM = EnergyTable(
    "45 nm, 8 bits",
    mac_pj=INT8.mac_pj,
    word_pj={
        "register": INT8.mac_pj,  # assumed
        "link": 2 * INT8.mac_pj,  # assumed
        "buffer": SRAM.energy_pj(8),
        "dram": DRAM.energy_pj(8),
    },
    word_bits=8,
    source="Horowitz, Computing's Energy Problem, ISSCC 2014; register and link assumed",
)


def eyeriss() -> Arch:
    """Eyeriss: rows of filters stay in 12 x 14 units, each with registers of its own.

    >>> eyeriss().array.n_units
    168
    """
    return Arch(
        "Eyeriss",
        Array(12, 14),  # JSSC 2017: 168 units
        Dataflow.ROW_STATIONARY,
        Buffer(108 * KIB),  # JSSC 2017: 108 kB
        Dram(64),  # assumed: the chip's 64-bit port, once a cycle
        EYERISS_65NM,
        clock_mhz=200,  # JSSC 2017, Table V
    )


def tpu_v1() -> Arch:
    """The first TPU: 256 x 256 weights that stay, loaded behind the ones in use.

    >>> tpu_v1().array.n_units
    65536
    """
    return Arch(
        "TPU v1",
        # ISCA 2017, section 2: 65,536 MACs; a second set of weights hides the shift of 256 cycles.
        Array(256, 256, Drain.OVERLAP, weight_registers=2),
        Dataflow.WEIGHT_STATIONARY,
        Buffer(24 * KIB * KIB),  # ISCA 2017: unified buffer; 4 MiB of accumulators come to it
        Dram(34e9 * 8 / 700e6, latency_cycles=100),  # ISCA 2017: 34 GB/s; the latency is assumed
        HOROWITZ_45NM,
        clock_mhz=700,  # ISCA 2017
    )


def nvdla(n_units: int) -> Arch:
    """NVDLA with so many multipliers: trees over input channels, one for each filter.

    Args:
        n_units: 256 or 1024.

    >>> nvdla(1024).array.cols
    32
    """
    _check.one_of("nvdla", "n_units", n_units, (256, 1024))
    rows, buffer = {256: (16, 128), 1024: (32, 512)}[n_units]
    return Arch(
        f"NVDLA-{n_units}",
        Array(rows, n_units // rows, Drain.OVERLAP, weight_registers=2),  # the sides are assumed
        Dataflow.WEIGHT_STATIONARY,
        Buffer(buffer * KIB),  # 512 KiB for 1024; for 256 assumed, that of the small one
        Dram(64),  # assumed
        HOROWITZ_45NM,
        clock_mhz=1000,  # assumed
    )


def shidiannao() -> Arch:
    """ShiDianNao: 8 x 8 units, each with a pixel of the output.

    >>> shidiannao().dataflow.value
    'output stationary'
    """
    return Arch(
        "ShiDianNao",
        Array(8, 8),  # assumed: 64 units
        Dataflow.OUTPUT_STATIONARY,
        Buffer(288 * KIB),  # assumed
        Dram(inf),  # assumed: beside the sensor, all data on the chip
        HOROWITZ_45NM,
        clock_mhz=1000,  # assumed
    )


def edge_tpu() -> Arch:
    """An edge TPU. No source gives its sizes: every number here is assumed.

    >>> edge_tpu().array.n_units
    4096
    """
    return Arch(
        "Edge TPU (assumed)",
        Array(64, 64, Drain.OVERLAP, weight_registers=2),  # assumed
        Dataflow.WEIGHT_STATIONARY,
        Buffer(8 * KIB * KIB),  # assumed
        Dram(128),  # assumed
        HOROWITZ_45NM,
        clock_mhz=500,  # assumed
    )


def gemmini() -> Arch:
    """Gemmini, as its measured cycles were taken: 16 x 16, weights stay.

    >>> gemmini().array.n_units
    256
    """
    return Arch(
        "Gemmini",
        Array(16, 16, Drain.OVERLAP, weight_registers=2),  # the default of its generator
        Dataflow.WEIGHT_STATIONARY,
        Buffer(256 * KIB),  # assumed: the scratchpad
        Dram(128),  # assumed
        HOROWITZ_45NM,
        clock_mhz=1000,  # assumed
    )
