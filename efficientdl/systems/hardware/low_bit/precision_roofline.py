"""Mixed precision on tensor cores: a roof for every width, and which layers it lifts.

Words of half the width double what a tensor core multiplies, and what the memory moves, so the
whole roof rises. Two things keep a layer below it. Both operands are multiplied at the rate of the
wider one: narrow weights beside wide activations help where the memory limits, and nowhere else.
And some layers keep their width, since accuracy asks for it: soon they take most of the time.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from efficientdl import _check
from efficientdl.catalogue import Measure, technique
from efficientdl.costs.machine import Machine
from efficientdl.costs.roofline import Placement, roofline
from efficientdl.report import Cost, Report, table_text
from efficientdl.systems.hardware.gemm import Bits
from efficientdl.systems.hardware.layer import Conv, Gemm

Layers = Mapping[str, Gemm | Conv]
Widths = Bits | Mapping[str, Bits]
PUBLISHED_GAIN = 1.59  # INT4 over INT8: ResNet-50 v1.5 on a T4, as its maker measured it


@dataclass(frozen=True)
class TensorCores:
    """A processor that multiplies faster the fewer the bits.

    Attributes:
        name: What it is called.
        macs_per_s: The most MACs in a second, by width of the wider operand in bits.
        bytes_per_s: What its memory moves.
    """

    name: str
    macs_per_s: Mapping[int, float]
    bytes_per_s: float

    def __post_init__(self) -> None:
        _check.kind("TensorCores", "macs_per_s", self.macs_per_s, Mapping)
        if not self.macs_per_s:
            _check.fail("TensorCores", "macs_per_s", "must name a width", dict(self.macs_per_s))
        for width, rate in self.macs_per_s.items():
            _check.whole("TensorCores", "width", width, 1, 64)
            Machine(rate, self.bytes_per_s)  # which checks both

    def at(self, bits: Bits) -> Machine:
        """The machine that it is for these operands: at the narrowest width that holds both.

        >>> turing_t4().at(Bits(x=8, weight=4)) == turing_t4().at(Bits(x=8, weight=8))
        True
        """
        _check.kind("TensorCores.at", "bits", bits, Bits)
        wide = [width for width in self.macs_per_s if width >= max(bits.x, bits.weight)]
        if not wide:
            rule = f"must have operands of at most {max(self.macs_per_s)} bits on {self.name}"
            _check.fail("TensorCores.at", "bits", rule, bits)
        return Machine(self.macs_per_s[min(wide)], self.bytes_per_s)


def turing_t4() -> TensorCores:
    """NVIDIA's T4: 65, 130 and 260 tera-operations a second at 16, 8 and 4 bits; 320 GB/s.

    The announced peaks of 2018; an operation is half a MAC.

    >>> turing_t4().at(Bits(4, 4)).ridge / turing_t4().at(Bits(8, 8)).ridge
    2.0
    """
    rates = {16: 65e12 / 2, 8: 130e12 / 2, 4: 260e12 / 2}
    return TensorCores("T4", rates, bytes_per_s=320e9)


@technique(
    "hw-pcie-mixed",
    paper="Wang, Liu, Lin, Lin, Han, HAQ: Hardware-Aware Automated Quantization with Mixed "
    "Precision, 2019",
    survey="6.2",
    lab="14_accelerators",
    kind=Measure(),
)
def precision_roofline(layers: Layers, cores: TensorCores, bits: Widths) -> dict[str, Placement]:
    """Place each layer under the roof of its own precision.

    attainable = min(peak(max(bits of x, bits of weight)), MACs / bytes * bandwidth), with the bytes
    of x, weight and y, each in its own width and moved once. With one width it is the roofline of
    `costs`.

    Args:
        layers: Products and convolutions by name, as `from_torch` gives them; their own `bits` are
            not looked at.
        cores: The processor.
        bits: Widths for all layers, or for each by name. Outputs that are quantized before they
            leave the chip have the width of the next input, `Bits(8, 8, 8)`.

    Raises:
        BadValue: A layer without widths, widths of no layer, or wider ones than the processor's.

    >>> layers = {"fc": Gemm(1, 1024, 1024), "conv": Conv(512, 28, 28, 512, 3, padding=1)}
    >>> for bits in (Bits(8, 8, 8), Bits(x=8, weight=4, y=8), Bits(4, 4, 4)):
    ...     placed = precision_roofline(layers, turing_t4(), bits)
    ...     print({name: f"{p.least_s * 1e6:.1f} us, {p.bound}" for name, p in placed.items()})
    {'fc': '3.3 us, memory', 'conv': '28.5 us, compute'}
    {'fc': '1.6 us, memory', 'conv': '28.5 us, compute'}
    {'fc': '1.6 us, memory', 'conv': '14.2 us, compute'}

    Source: Williams, Waterman, Patterson, "Roofline", 2009; Wang et al., "HAQ", CVPR 2019; the
        survey's section 6.2 ("Hardware Support For Quantization"); lab 14.
    """
    _check.kind("precision_roofline", "cores", cores, TensorCores)
    widths = _by_layer("precision_roofline", layers, bits)
    placed: dict[str, Placement] = {}
    for name, layer in layers.items():
        moved = sum(n * b for n, b in zip(layer.words, widths[name], strict=True))
        row = Report({name: Cost(macs=layer.macs, traffic_bytes=-(-moved // 8))})
        placed |= roofline(row, cores.at(widths[name]))
    return placed


class Gain(NamedTuple):
    """What fewer bits buy a layer.

    Attributes:
        speedup: Time before over time after.
        saved_s: Seconds less.
        before: What limited it: `memory` or `compute`.
        after: What limits it now.
    """

    speedup: float
    saved_s: float
    before: str
    after: str


def precision_gains(
    layers: Layers, cores: TensorCores, *, before: Widths, after: Widths
) -> dict[str, Gain]:
    """What each layer gains, that which saves most time first.

    Args:
        layers: Products and convolutions by name.
        cores: The processor.
        before: Widths to start from, for all or by name.
        after: Widths to go to.

    >>> layers = {"conv": Conv(512, 28, 28, 512, 3, padding=1), "fc": Gemm(1, 1024, 1024)}
    >>> narrow_weights = Bits(x=8, weight=4, y=8)
    >>> gains = precision_gains(layers, turing_t4(), before=Bits(8, 8, 8), after=narrow_weights)
    >>> {name: round(gain.speedup, 2) for name, gain in gains.items()}
    {'fc': 2.0, 'conv': 1.0}

    Source: Wang et al., "HAQ", CVPR 2019; survey section 6.2; lab 14.
    """
    old, new = (precision_roofline(layers, cores, widths) for widths in (before, after))
    found = [
        (name, Gain(o.least_s / n.least_s, o.least_s - n.least_s, o.bound, n.bound))
        for (name, o), n in zip(old.items(), new.values(), strict=True)
    ]
    return dict(sorted(found, key=lambda pair: -pair[1].saved_s))


def int4_over_int8_text(layers: Layers, cores: TensorCores, *, keep: frozenset[str]) -> str:
    """The gain of 4 bits over 8 for a whole network, beside what was measured on ResNet-50.

    The roof is the best that could be: no layer waits to be started, and none of the work between
    the products is counted.

    Args:
        layers: Products and convolutions of the network, by name.
        cores: The processor.
        keep: Layers that stay at 8 bits, as the first and the last do.

    >>> stem, body = Conv(3, 224, 224, 64, 7, 2, 3), Conv(64, 56, 56, 64, 3, padding=1)
    >>> print(int4_over_int8_text({"stem": stem, "body": body}, turing_t4(), keep=frozenset()))
    INT4 over INT8             gain
    -------------------------  ----
    roof, all layers           2.00
    roof, 0 of 2 layers kept   2.00
    measured, ResNet-50 on T4  1.59

    Source: NVIDIA, "Int4 Precision for AI Inference", 2019 (the survey's 59 %); survey section
        6.2; lab 14.
    """
    _check.kind("int4_over_int8_text", "keep", keep, frozenset)
    for name in keep:
        _check.one_of("int4_over_int8_text", "keep", name, layers)
    eight, four = Bits(8, 8, 8), Bits(4, 4, 4)
    mixed = {name: eight if name in keep else four for name in layers}
    times = [
        sum(p.least_s for p in precision_roofline(layers, cores, widths).values())
        for widths in (eight, four, mixed)
    ]
    rows = [
        ["INT4 over INT8", "gain"],
        ["roof, all layers", f"{times[0] / times[1]:.2f}"],
        [f"roof, {len(keep)} of {len(layers)} layers kept", f"{times[0] / times[2]:.2f}"],
        ["measured, ResNet-50 on T4", f"{PUBLISHED_GAIN:.2f}"],
    ]
    return table_text(rows)


def _by_layer(caller: str, layers: Layers, bits: Widths) -> Mapping[str, Bits]:
    _check.kind(caller, "layers", layers, Mapping)
    for name, layer in layers.items():
        _check.kind(caller, f"layer {name!r}", layer, (Gemm, Conv))
    if isinstance(bits, Bits):
        return dict.fromkeys(layers, bits)
    _check.kind(caller, "bits", bits, Mapping)
    if set(bits) != set(layers):
        odd = sorted(set(bits) ^ set(layers))
        _check.fail(caller, "bits", "must name each layer, and no other", odd)
    for name, widths in bits.items():
        _check.kind(caller, f"bits[{name!r}]", widths, Bits)
    return bits
