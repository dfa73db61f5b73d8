"""Machines of few bits: what a layer of 4, 2 or 1 bits is worth, if the hardware knows of it.

Read `digits.py` (a number is a sum of digits) and `multiply.py` (a unit that takes a bit a cycle)
first. Then: `bit_serial` takes more cycles for more bits (Stripes, UNPU, Loom), `bit_planes` more
passes (BISMO), `bit_fusion` more bricks (Bit Fusion, DeepRecon), and `binary_engine` needs no
multiplier at all (FINN, YodaNN, BRein); `folding` makes a pipeline of such engines equally fast.
Each computes the true product, for every width and sign, and counts what its formula says.
`released` holds Bit Fusion's formula against its released cycles, and `precision_roofline` asks
which layers of a network gain on tensor cores.
"""

from efficientdl.systems.hardware.low_bit.binary_engine import (
    BinaryEngine,
    Lane,
    analyse_binary,
    brein,
    simulate_binary,
    yodann,
)
from efficientdl.systems.hardware.low_bit.bit_fusion import (
    Fusion,
    FusionArray,
    analyse_bit_fusion,
    bit_fusion,
    deeprecon,
    fusion,
    simulate_bit_fusion,
)
from efficientdl.systems.hardware.low_bit.bit_planes import (
    BitPlanes,
    analyse_bit_planes,
    bismo,
    simulate_bit_planes,
)
from efficientdl.systems.hardware.low_bit.bit_serial import (
    BitSerial,
    analyse_bit_serial,
    loom,
    simulate_bit_serial,
    stripes,
    unpu,
)
from efficientdl.systems.hardware.low_bit.counted import narrow_45nm
from efficientdl.systems.hardware.low_bit.digits import digits
from efficientdl.systems.hardware.low_bit.folding import (
    Pipeline,
    Streamed,
    match_throughput,
    stream,
)
from efficientdl.systems.hardware.low_bit.multiply import SerialProduct, bit_serial_multiply
from efficientdl.systems.hardware.low_bit.precision_roofline import (
    Gain,
    TensorCores,
    int4_over_int8_text,
    precision_gains,
    precision_roofline,
    turing_t4,
)
from efficientdl.systems.hardware.low_bit.released import over_eyeriss, over_eyeriss_text

__all__ = [
    "digits",
    "bit_serial_multiply",
    "SerialProduct",
    "BitSerial",
    "stripes",
    "unpu",
    "loom",
    "analyse_bit_serial",
    "simulate_bit_serial",
    "BitPlanes",
    "bismo",
    "analyse_bit_planes",
    "simulate_bit_planes",
    "Fusion",
    "fusion",
    "FusionArray",
    "bit_fusion",
    "deeprecon",
    "analyse_bit_fusion",
    "simulate_bit_fusion",
    "over_eyeriss",
    "over_eyeriss_text",
    "BinaryEngine",
    "Lane",
    "yodann",
    "brein",
    "analyse_binary",
    "simulate_binary",
    "Pipeline",
    "match_throughput",
    "stream",
    "Streamed",
    "TensorCores",
    "turing_t4",
    "precision_roofline",
    "precision_gains",
    "Gain",
    "int4_over_int8_text",
    "narrow_45nm",
]
