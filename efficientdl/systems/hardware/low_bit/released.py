"""Bit Fusion beside Eyeriss: what its authors released, and what our formula makes of it.

The released tables hold cycles of both machines on eight networks, 16 images at a time. They are
read here, not believed: the formula of `bit_fusion.py` gives the same compute cycles, layer by
layer, where memory does not tile. Bit Fusion's networks are wider than Eyeriss's: its AlexNet and
its ResNet-18 have twice the filters, so that few bits keep the accuracy.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

from efficientdl.report import table_text
from efficientdl.systems.hardware.gemm import Bits
from efficientdl.systems.hardware.layer import Conv, Gemm
from efficientdl.systems.hardware.low_bit.bit_fusion import analyse_bit_fusion, bit_fusion

BATCH = 16
DRAM_BITS = 192  # in a cycle, the configuration that is compared with Eyeriss
PUBLISHED_GEOMEAN = 3.9  # "3.9x speedup over Eyeriss", the paper's abstract


@dataclass(frozen=True)
class Released:
    """One network, as it was run.

    Attributes:
        layers: What Bit Fusion computed.
        eyeriss_cycles: Of the whole network on Eyeriss, pools included.
        fusion_cycles: On Bit Fusion, 16 x 32 units with 192 bits of DRAM a cycle.
    """

    layers: Mapping[str, Conv | Gemm]
    eyeriss_cycles: int
    fusion_cycles: int

    @property
    def speedup(self) -> float:
        """Eyeriss's cycles over Bit Fusion's."""
        return self.eyeriss_cycles / self.fusion_cycles


def compute_cycles(layer: Conv | Gemm) -> int:
    """Cycles of a layer whose words are at hand.

    A first layer's windows are matrices, as everywhere here. Other convolutions go tap by tap, so
    that rows of the array stand for input channels alone: k is then cut at every tap.
    """
    machine = bit_fusion()
    if isinstance(layer, Gemm) or layer.c_in < machine.rows:
        return analyse_bit_fusion(layer, machine).cycles
    (gemm,) = layer.gemms()
    tap = Gemm(gemm.m, layer.c_in, gemm.n, groups=gemm.k // layer.c_in, bits=layer.bits)
    return analyse_bit_fusion(tap, machine).cycles


def our_cycles(layer: Conv | Gemm) -> int:
    """Compute or memory, whichever takes longer, with the least traffic there is.

    Each operand comes once, and each sum of 32 bits goes to memory and back, as in the released
    counts. What a buffer cannot hold is not fetched again: real tiles take longer.
    """
    words, bits = layer.words, layer.bits
    moved = words.x * bits.x + words.weight * bits.weight + 2 * words.y * bits.y
    return max(compute_cycles(layer), -(-moved // DRAM_BITS))


def over_eyeriss() -> dict[str, tuple[float, float]]:
    """Speed-up of each network over Eyeriss: released, and by our formula for Bit Fusion.

    >>> {name: round(released, 2) for name, (released, _) in over_eyeriss().items()}["LSTM"]
    2.43

    Source: Sharma et al., "Bit Fusion", ISCA 2018, with the tables of its released simulator;
        survey section 6.2; lab 14.
    """
    return {
        name: (n.speedup, n.eyeriss_cycles / sum(map(our_cycles, n.layers.values())))
        for name, n in RELEASED.items()
    }


def over_eyeriss_text() -> str:
    """The speed-ups as a table, their geometric means beside the paper's 3.9.

    >>> print(over_eyeriss_text().splitlines()[-1])
    geometric mean, published 3.9      3.93   4.31
    """
    found = over_eyeriss()
    rows = [[name, f"{a:.2f}", f"{b:.2f}"] for name, (a, b) in found.items()]
    means = [prod(pair[i] for pair in found.values()) ** (1 / len(found)) for i in (0, 1)]
    last = [f"geometric mean, published {PUBLISHED_GEOMEAN}", *(f"{mean:.2f}" for mean in means)]
    return table_text([["speed-up over Eyeriss", "released", "ours"], *rows, last])


def _conv(side: int, c_in: int, c_out: int, kernel: int, bits: int) -> Conv:
    """A convolution that keeps its size, of words of equal width."""
    both = Bits(bits, bits)
    return Conv(c_in, side, side, c_out, kernel, padding=kernel // 2, batch=BATCH, bits=both)


def _shrinking(side: int, c_in: int, c_out: int) -> Conv:
    return Conv(c_in, side, side, c_out, stride=2, batch=BATCH, bits=Bits(4, 4))


def _linear(k: int, n: int, bits: int) -> Gemm:
    return Gemm(BATCH, k, n, bits=Bits(bits, bits))


def _alexnet() -> dict[str, Conv | Gemm]:
    first = Conv(3, 227, 227, 96, 11, 4, batch=BATCH, bits=Bits(8, 8))
    twice = {
        "conv1": first,
        "conv2": _conv(27, 96, 256, 5, 4),
        "conv3": _conv(13, 512, 384, 3, 4),
        "conv4": _conv(13, 384, 384, 3, 4),
        "conv5": _conv(13, 384, 256, 3, 4),
    }
    halves = {f"{name}_{half}": layer for name, layer in twice.items() for half in "ab"}
    full = {"fc1": _linear(18432, 8192, 4), "fc2": _linear(8192, 8192, 4)}
    return {**halves, **full, "fc3": _linear(8192, 1000, 8)}


def _resnet18() -> dict[str, Conv | Gemm]:
    first = Conv(3, 224, 224, 128, 7, 2, padding=3, batch=BATCH, bits=Bits(8, 8))
    layers: dict[str, Conv | Gemm] = {"conv1": first}
    for stage, (side, c) in enumerate([(56, 128), (28, 256), (14, 512), (7, 1024)], start=2):
        layers[f"conv{stage}_1_a"] = (
            _conv(side, c, c, 1, 4) if stage == 2 else _shrinking(2 * side, c // 2, c)
        )
        layers[f"conv{stage}_1_b"] = _conv(side, c, c, 3, 4)
        layers[f"conv{stage}_2_a"] = _conv(side, c, c, 1, 4)
        layers[f"conv{stage}_2_b"] = _conv(side, c, c, 3, 4)
    return layers


def _vgg_like(c: int, bits: int, first: Bits) -> dict[str, Conv | Gemm]:
    """Six convolutions and three linear layers: SVHN's with 64 filters, CIFAR-10's with 128."""
    image = Conv(3, 32, 32, c, 3, padding=1, batch=BATCH, bits=first)
    return {
        "conv0": image,
        "conv1": _conv(32, c, c, 3, bits),
        "conv2": _conv(16, c, 2 * c, 3, bits),
        "conv3": _conv(16, 2 * c, 2 * c, 3, bits),
        "conv4": _conv(8, 2 * c, 4 * c, 3, bits),
        "conv5": _conv(8, 4 * c, 4 * c, 3, bits),
        "fc6": _linear(64 * c, 1024, bits),
        "fc7": _linear(1024, 1024, bits),
        "fc8": _linear(1024, 10, bits),
    }


def _lenet5() -> dict[str, Conv | Gemm]:
    convs = {"conv0": _conv(32, 1, 32, 5, 2), "conv1": _conv(16, 32, 64, 5, 2)}
    return {**convs, "fc1": _linear(4096, 512, 2), "fc2": _linear(512, 10, 2)}


def _vgg7() -> dict[str, Conv | Gemm]:
    twice = {
        "conv1": _conv(32, 3, 128, 3, 2),
        "conv2": _conv(16, 128, 256, 3, 2),
        "conv3": _conv(8, 256, 512, 3, 2),
    }
    halves = {f"{name}_{half}": layer for name, layer in twice.items() for half in "ab"}
    return {**halves, "fc1": _linear(8192, 1024, 2)}


# Sums of the released tables, results/eyeriss_results.csv and
# results/bitfusion-eyeriss-sim-sweep.csv of Bit Fusion's simulator.
RELEASED: Mapping[str, Released] = {
    "AlexNet": Released(_alexnet(), 70_286_336, 37_666_491),
    "SVHN": Released(_vgg_like(64, 1, Bits(8, 1)), 11_296_768, 1_317_523),
    "CIFAR-10": Released(_vgg_like(128, 2, Bits(8, 8)), 44_153_856, 3_293_704),
    "LeNet-5": Released(_lenet5(), 1_117_696, 410_352),
    "VGG-7": Released(_vgg7(), 21_625_856, 2_822_491),
    "ResNet-18": Released(_resnet18(), 95_485_952, 49_079_982),
    "RNN": Released({"fc": _linear(4096, 4096, 4)}, 1_048_576, 394_583),
    "LSTM": Released({"fc": _linear(3600, 3600, 4)}, 820_800, 337_175),
}
