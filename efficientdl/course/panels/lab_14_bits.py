"""Lab 14's picture of few bits: how much faster each machine becomes with narrower words."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache

from efficientdl.systems.hardware import Bits, Conv, Run
from efficientdl.systems.hardware.low_bit.bit_fusion import analyse_bit_fusion, bit_fusion
from efficientdl.systems.hardware.low_bit.bit_planes import analyse_bit_planes, bismo
from efficientdl.systems.hardware.low_bit.bit_serial import (
    analyse_bit_serial,
    loom,
    stripes,
    unpu,
)
from efficientdl.viz import Axis, Bars, Figure, Panel, Slider, Table, View

WIDEST = 16
LAYER = Conv(64, 56, 56, 64, kernel=3, padding=1)  # of ResNet-50
MACHINES: dict[str, Callable[[Conv], Run]] = {
    "Stripes, inputs in bits": lambda layer: analyse_bit_serial(layer, stripes()),
    "UNPU, weights in bits": lambda layer: analyse_bit_serial(layer, unpu()),
    "Loom, both in bits": lambda layer: analyse_bit_serial(layer, loom()),
    "BISMO, planes of bits": lambda layer: analyse_bit_planes(layer, bismo()),
    "Bit Fusion, pairs of bits": lambda layer: analyse_bit_fusion(layer, bit_fusion()),
}


@cache
def cycles(name: str, x_bits: int, weight_bits: int) -> int:
    """Cycles of the layer on one machine."""
    return MACHINES[name](replace(LAYER, bits=Bits(x_bits, weight_bits))).cycles


def _widths(x_bits: int, weight_bits: int) -> View:
    taken = {name: cycles(name, x_bits, weight_bits) for name in MACHINES}
    speeds = {name: cycles(name, WIDEST, WIDEST) / n for name, n in taken.items()}
    least, most = (pick(speeds, key=lambda name: speeds[name]) for pick in (min, max))
    text = (
        f"Inputs of {x_bits} bits and weights of {weight_bits}: {most} becomes {speeds[most]:.3g} "
        f"times as fast as with {WIDEST} bits, {least} {speeds[least]:.3g} times."
    )
    figure = Figure(
        "A layer of ResNet-50 with fewer bits",
        Axis(f"times as fast as with {WIDEST} bits", low=1, high=256, log=True),
        Axis("", categories=tuple(MACHINES)),
        (Bars("speed", list(speeds.values()), [f"{speed:.3g}" for speed in speeds.values()]),),
        alt=text,
        height=300,
    )
    rows = tuple((name, cycles(name, WIDEST, WIDEST), taken[name], speeds[name]) for name in taken)
    head = ("machine", f"cycles, {WIDEST} bits", "cycles now", "times as fast")
    return View(figure, Table("Cycles of the layer", head, rows), text)


def widths() -> Panel:
    """Five machines and the bits of inputs and weights, each beside itself at 16 bits."""
    controls = {
        "x_bits": Slider("Bits of an input", 2, WIDEST, value=8),
        "weight_bits": Slider("Bits of a weight", 2, WIDEST, value=8),
    }
    title = "What is a bit worth?"
    return Panel(_widths, controls, title=title, stops={"weight_bits": (2, 5)})
