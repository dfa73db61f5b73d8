"""Energy, from a table of what one operation and one memory access take.

The numbers are those of a 45 nm chip; what decides is their ratios. Fetching a word from DRAM takes
as much as 128 fetches from a small SRAM, or 170 multiplications of floats.
"""

from dataclasses import dataclass, replace
from math import inf

from efficientdl import _check
from efficientdl.catalogue import Measure, technique
from efficientdl.report import Cost, Report


@dataclass(frozen=True)
class Arithmetic:
    """What one multiply-accumulate takes in one number format.

    Attributes:
        name: The format.
        bits: Width of a value.
        multiply_pj: One multiplication.
        add_pj: One addition, in the format that sums are kept in.
    """

    name: str
    bits: int
    multiply_pj: float
    add_pj: float

    @property
    def mac_pj(self) -> float:
        """One multiplication and one addition."""
        return self.multiply_pj + self.add_pj


FP32 = Arithmetic("fp32", 32, multiply_pj=3.7, add_pj=0.9)
FP16 = Arithmetic("fp16", 16, multiply_pj=1.1, add_pj=0.4)
INT32 = Arithmetic("int32", 32, multiply_pj=3.1, add_pj=0.1)
INT8 = Arithmetic("int8", 8, multiply_pj=0.2, add_pj=0.1)  # products of bytes, summed in 32 bits

# Additions alone, for sums that are kept narrow.
ADD_PJ = {"int8": 0.03, "int16": 0.05, "int32": 0.1, "fp16": 0.4, "fp32": 0.9}


@dataclass(frozen=True)
class Memory:
    """What an access to one kind of memory takes.

    Attributes:
        name: What kind.
        pj_per_word: To move 32 bits.
    """

    name: str
    pj_per_word: float

    def energy_pj(self, bits: float) -> float:
        """To move this many bits.

        >>> DRAM.energy_pj(64), DRAM.energy_pj(32) / SRAM.energy_pj(32)
        (1280.0, 128.0)
        """
        return bits / 32 * self.pj_per_word


SRAM = Memory("SRAM, 8 KiB", 5.0)
DRAM = Memory("DRAM", 640.0)


def narrow(report: Report, *, weights: int = 32, activations: int = 32) -> Report:
    """The same network, each float32 weight and activation stored in fewer bits.

    A question of the form "what if", put to a report of a float32 network: nothing is quantized.

    Args:
        report: What `count` made of a float32 network.
        weights: Bits of a weight, 1 to 32.
        activations: Bits of an activation, 1 to 32.

    >>> fp32 = Report({"fc": Cost(weight_bits=320, activation_bytes=80, traffic_bytes=120)})
    >>> narrow(fp32, weights=8).total
    Cost(weight_bits=80, activation_bytes=80, traffic_bytes=90)
    """
    _check.kind("narrow", "report", report, Report)
    _check.whole("narrow", "weights", weights, 1, 32)
    _check.whole("narrow", "activations", activations, 1, 32)

    def row(cost: Cost) -> Cost:
        held, moved, alive = cost.weight_bits, cost.traffic_bytes, cost.activation_bytes
        if held is None or moved is None or alive is None:
            _check.fail("narrow", "report", "must know weights, activations and traffic", cost)
        weights_moved = min(held, 8 * moved)  # a view moves nothing, a table only what is read
        activations_moved = 8 * moved - weights_moved
        bits = weights_moved * weights + activations_moved * activations
        return replace(
            cost,
            weight_bits=-(-held * weights // 32),
            activation_bytes=-(-alive * activations // 32),
            traffic_bytes=-(-bits // (8 * 32)),
        )

    return Report({name: row(cost) for name, cost in report.rows.items()})


@technique(
    "cost-energy",
    paper="Horowitz, Computing's Energy Problem (and What We Can Do About It), 2014",
    survey="4, Fig. 10; 6.2",
    lab="01_costs",
    kind=Measure(),
)
def energy(
    report: Report,
    *,
    arithmetic: Arithmetic = FP32,
    weights_in: Memory = DRAM,
    activations_in: Memory = SRAM,
    reuse: float = inf,
) -> Report:
    """Fill in the energy of each layer: its arithmetic, and its traffic.

    E = MACs * (multiply + add) + words of weights * E_w + words of activations * E_a. The words
    are those of the report, so that fewer bits, or weights that need not be stored, move less.
    With perfect reuse each word is fetched once; with a reuse of r, one fetch serves r MACs, and a
    layer needs MACs / r fetches of either kind, unless once each is more. The survey's 3.7 pJ is
    the multiplication alone; a MAC takes 4.6.

    Args:
        report: Rows that know MACs, weights and traffic; of others the energy stays unknown.
        arithmetic: The number format that computes.
        weights_in: Where the weights are fetched from.
        activations_in: Where inputs come from and outputs go.
        reuse: MACs that one fetched word serves, 1 or more.

    >>> layer = Report({"fc": Cost(params=10, macs=10, weight_bits=320, traffic_bytes=84)})
    >>> energy(layer).total.energy_pj  # 10 * 4.6 + 10 words * 640 + 11 words * 5
    6501.0
    >>> energy(layer, weights_in=SRAM).total.energy_pj
    151.0

    Source: Horowitz, "Computing's Energy Problem (and What We Can Do About It)", ISSCC 2014, Figure
        1.1.9; survey section 4, Figures 9 and 10, and section 6.2; lab 01.
    """
    _check.kind("energy", "report", report, Report)
    _check.kind("energy", "arithmetic", arithmetic, Arithmetic)
    _check.kind("energy", "weights_in", weights_in, Memory)
    _check.kind("energy", "activations_in", activations_in, Memory)
    _check.at_least("energy", "reuse", reuse, 1)

    def row(cost: Cost) -> Cost:
        weight_bits, activation_bits = _fetched_bits(cost, arithmetic, reuse)
        if weight_bits is None or activation_bits is None or cost.macs is None:
            return replace(cost, energy_pj=None)
        moving = weights_in.energy_pj(weight_bits) + activations_in.energy_pj(activation_bits)
        return replace(cost, energy_pj=cost.macs * arithmetic.mac_pj + moving)

    return Report({name: row(cost) for name, cost in report.rows.items()})


def _fetched_bits(
    cost: Cost, arithmetic: Arithmetic, reuse: float
) -> tuple[float | None, float | None]:
    """Bits of weights and of activations that a layer fetches."""
    if cost.macs is None or cost.weight_bits is None or cost.traffic_bytes is None:
        return None, None
    weight_bits = min(cost.weight_bits, 8 * cost.traffic_bytes)
    activation_bits = 8 * cost.traffic_bytes - weight_bits
    per_weight = cost.weight_bits / cost.params if cost.params else 0.0
    return (
        max(weight_bits, cost.macs / reuse * per_weight),
        max(activation_bits, cost.macs / reuse * arithmetic.bits),
    )
