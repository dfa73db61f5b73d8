"""What the machines of this folder count alike: words that DRAM moves once, widths, energy."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from jaxtyping import Num

from efficientdl.costs.energy import INT8
from efficientdl.systems.hardware.arch import EnergyTable
from efficientdl.systems.hardware.gemm import Bits
from efficientdl.systems.hardware.layer import Conv, Gemm
from efficientdl.systems.hardware.presets import HOROWITZ_45NM
from efficientdl.systems.hardware.run import Run


def narrow_run(
    layer: Gemm | Conv,
    cycles: int,
    *,
    macs: int,
    n_units: int,
    buffer: Mapping[str, int],
    rule: str,
    y: Num[np.ndarray, "..."] | None = None,
) -> Run:
    """A run of a layer of narrow words; DRAM moves each word once.

    Args:
        layer: What was computed.
        cycles: Clock cycles.
        macs: Multiply-accumulates that were done.
        n_units: The most MACs that the machine does in a cycle.
        buffer: Words that the buffer moved, by operand.
        rule: How the cycles came about.
        y: The output.
    """
    return Run(
        cycles=cycles,
        macs=macs,
        n_units=n_units,
        accesses={"buffer": dict(buffer), "dram": layer.words._asdict()},
        bits=layer.bits._asdict(),
        y=y,
        formula=(f"cycles = {cycles:,}: {rule}",),
    )


def narrow_45nm(bits: Bits) -> EnergyTable:
    """Energy of a MAC of narrow words, from that of bytes.

    A multiplier adds up as many products of bits as the product of the two widths, so that is what
    its energy is taken to be proportional to. Horowitz's own figures bear it out: 32 bits take
    3.1 / 0.2 = 15.5 times the energy of 8, and 16 times the bits. The sum is kept in 32 bits.
    What lies between and below the two published widths is assumed.

    >>> from efficientdl.costs.energy import INT32
    >>> narrow_45nm(Bits(8, 8)).mac_pj, round(narrow_45nm(Bits(32, 32)).mac_pj, 2), INT32.mac_pj
    (0.30000000000000004, 3.3, 3.2)
    """
    multiply = INT8.multiply_pj * bits.x * bits.weight / INT8.bits**2
    name = f"45 nm, {bits.x} x {bits.weight} bits"
    source = "Horowitz, ISSCC 2014, scaled by the product of the widths (assumed)"
    return replace(HOROWITZ_45NM, name=name, mac_pj=multiply + INT8.add_pj, source=source)
