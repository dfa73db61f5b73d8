"""What all dense dataflows count alike: what DRAM moves, where sums wait, the widths of words."""

from collections.abc import Mapping

from efficientdl.systems.hardware.arch import Array, Psums
from efficientdl.systems.hardware.conv import Conv
from efficientdl.systems.hardware.dataflow.folds import Cut
from efficientdl.systems.hardware.gemm import Gemm, Words
from efficientdl.systems.hardware.run import Accesses, Run


def counted(
    layer: Gemm | Conv,
    array: Array,
    cycles: int,
    accesses: Accesses,
    *,
    rule: str,
    words: Words | None = None,
) -> Run:
    """A run of a layer, from what its dataflow counts on the chip.

    DRAM moves each word once, as a buffer lets it that holds the layer, and the sums that wait off
    the chip each time that they are written or read.

    Args:
        layer: The product, or what became one.
        array: The machine.
        cycles: Clock cycles.
        accesses: Words at the levels register, link and buffer; in the buffer, `psum` are sums
            written to be read again, and those reads.
        rule: How the cycles came about.
        words: What DRAM moves; the layer's own words where nothing is said.
    """
    buffer, moved = dict(accesses["buffer"]), dict((words or layer.words)._asdict())
    if array.psums is Psums.OFF_CHIP and "psum" in buffer:
        moved["psum"] = buffer.pop("psum")
    bits = layer.bits
    return Run(
        cycles=cycles,
        macs=layer.macs,
        n_units=array.n_units,
        accesses={**accesses, "buffer": buffer, "dram": moved},
        bits={"x": bits.x, "weight": bits.weight, "y": bits.y, "psum": bits.y},
        formula=(f"cycles = {cycles:,}: {rule}",),
    )


def waiting(gemm: Gemm, n_folds: int) -> int:
    """Writes and reads of unfinished sums, when k is cut into so many folds."""
    return 2 * gemm.groups * gemm.m * gemm.n * (n_folds - 1)


def per_mac(gemm: Gemm, *, psum: int) -> Mapping[str, int]:
    """Register words of all MACs: both operands read once each, and the sum so many times."""
    return {"x": gemm.macs, "weight": gemm.macs, "psum": psum * gemm.macs}


def describe(gemm: Gemm, rows: Cut, cols: Cut) -> str:
    """How many folds, and of what size, in words."""
    groups = f"{gemm.groups} groups of " if gemm.groups > 1 else ""
    return f"{groups}{rows.n} x {cols.n} folds of r x c = {rows.first} x {cols.first}"
