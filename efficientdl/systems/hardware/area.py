"""Area of a machine on a 45 nm chip, by component: what a budget of square millimetres buys.

Each number has its source beside it; where no source was at hand it says *assumed*. The sum is that
of the parts: no wires, no controller, no pads, so a chip is larger.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from efficientdl import _check
from efficientdl.report import table_text
from efficientdl.systems.hardware.arch import Arch, Array, Dataflow, Drain
from efficientdl.systems.hardware.gemm import INT8, Bits, check_bits

# Horowitz, ISSCC 2014, Figure 1.1.9: a multiplier of 8 bits, and of 32.
MULTIPLIER_UM2 = {8: 282.0, 32: 3495.0}
# The same: adders of 8, 16 and 32 bits.
ADDER_UM2 = {8: 36.0, 16: 67.0, 32: 137.0}
# A flip-flop of the NanGate 45 nm open cell library, DFF_X1.
REGISTER_BIT_UM2 = 4.522
# A macro of 2048 words of 39 bits in OpenROAD's 45 nm platform, 206.91 x 219.8: an abstract of the
# size of a memory, periphery included, without a layout.
SRAM_BIT_UM2 = 206.91 * 219.8 / (2048 * 39)


@dataclass(frozen=True)
class Area:
    """Square micrometres by component.

    Attributes:
        um2: Of the multipliers, adders, registers and the buffer.
    """

    um2: Mapping[str, float]

    @property
    def mm2(self) -> float:
        """All of it, in square millimetres."""
        return sum(self.um2.values()) / 1e6

    def __str__(self) -> str:
        total = sum(self.um2.values())
        rows = [["component", "mm2", "share"]]
        rows += [[n, f"{a / 1e6:,.3f}", f"{a / total:.1%}"] for n, a in self.um2.items()]
        return table_text([*rows, ["all", f"{self.mm2:,.3f}", "100.0%"]])


def area(arch: Arch, *, bits: Bits = INT8, register_bits: int | None = None) -> Area:
    """Add up the multipliers, adders and registers of the units, and the buffer.

    A unit has a multiplier, an adder as wide as a sum, and registers: for the word that stays, once
    or twice, for the words that pass it, and for the sum. A unit of an adder tree keeps nothing.

    Args:
        arch: The machine.
        bits: Widths of its words.
        register_bits: Registers of a unit; what its dataflow needs where nothing is said.

    Raises:
        BadValue: A row-stationary machine whose registers are not given.

    >>> from efficientdl.systems.hardware.arch import Buffer
    >>> print(area(Arch("small", Array(16, 16), buffer=Buffer(64 * 1024))))
    component      mm2   share
    -----------  -----  ------
    multipliers  0.072   15.6%
    adders       0.035    7.6%
    registers    0.056   12.0%
    buffer       0.299   64.7%
    all          0.461  100.0%

    Source: Horowitz, "Computing's Energy Problem", ISSCC 2014 (arithmetic); open libraries of the
        45 nm node (registers, memory); survey section 6.2; lab 14.
    """
    _check.kind("area", "arch", arch, Arch)
    check_bits("area", bits)
    kept = register_bits
    if kept is None:
        if arch.dataflow not in REGISTERS:
            rule = f"must be given for a machine that is {arch.dataflow.value}"
            _check.fail("area", "register_bits", rule, kept)
        kept = REGISTERS[arch.dataflow](arch.array, bits)
    _check.whole("area", "register_bits", kept, 0)
    n_units = arch.array.n_units
    return Area({
        "multipliers": n_units * multiplier_um2(bits.x, bits.weight),
        "adders": n_units * adder_um2(bits.y),
        "registers": n_units * kept * REGISTER_BIT_UM2,
        "buffer": 8 * arch.buffer.bytes * SRAM_BIT_UM2,
    })


def fits(
    arch: Arch, *, area_mm2: float, bits: Bits = INT8, register_bits: int | None = None
) -> bool:
    """Whether a machine is no larger than a budget.

    Args:
        arch: The machine.
        area_mm2: The budget, in square millimetres.
        bits: Widths of its words.
        register_bits: Registers of a unit; what its dataflow needs where nothing is said.

    >>> from efficientdl.systems.hardware.arch import Buffer
    >>> small = Arch("small", Array(16, 16), buffer=Buffer(64 * 1024))
    >>> fits(small, area_mm2=0.5), fits(small, area_mm2=0.4)
    (True, False)

    Source: survey section 6.2; lab 14.
    """
    if not _check.number("fits", "area_mm2", area_mm2) > 0:
        _check.fail("fits", "area_mm2", "must be more than 0", area_mm2)
    return area(arch, bits=bits, register_bits=register_bits).mm2 <= area_mm2


def multiplier_um2(x_bits: int, weight_bits: int) -> float:
    """A multiplier: Horowitz's for 8 and 32 bits; others *assumed* by the product of the widths.

    >>> multiplier_um2(8, 8), multiplier_um2(8, 4)
    (282.0, 141.0)
    """
    if x_bits == weight_bits and x_bits in MULTIPLIER_UM2:
        return MULTIPLIER_UM2[x_bits]
    return MULTIPLIER_UM2[8] * x_bits * weight_bits / 64


def adder_um2(bits: int) -> float:
    """An adder: Horowitz's for 8, 16 and 32 bits; others *assumed* by the width of 32.

    >>> adder_um2(16), adder_um2(24)
    (67.0, 102.75)
    """
    return ADDER_UM2.get(bits, ADDER_UM2[32] * bits / 32)


def _weight_stays(array: Array, bits: Bits) -> int:
    return array.weight_registers * bits.weight + bits.x + bits.y


def _input_stays(array: Array, bits: Bits) -> int:
    return array.weight_registers * bits.x + bits.weight + bits.y


def _sum_stays(array: Array, bits: Bits) -> int:
    n_sums = 2 if array.drain is Drain.OVERLAP else 1  # one leaves while the next one grows
    return bits.x + bits.weight + n_sums * bits.y


def _nothing_stays(_: Array, __: Bits) -> int:
    return 0


REGISTERS: Mapping[Dataflow, Callable[[Array, Bits], int]] = {
    Dataflow.WEIGHT_STATIONARY: _weight_stays,
    Dataflow.INPUT_STATIONARY: _input_stays,
    Dataflow.OUTPUT_STATIONARY: _sum_stays,
    Dataflow.NO_LOCAL_REUSE: _nothing_stays,
}
"""Bits that a unit keeps, by dataflow."""
