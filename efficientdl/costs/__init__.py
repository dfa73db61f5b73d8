"""What a network costs: counted exactly, modelled where it must be, timed in one place.

`count` gives parameters, MACs and bytes by layer; `energy` and `roofline` read its report. Memory
comes twice, by analytic rule and measured, so that each can be held against the other. `latency`
is the only clock of the library. Read `trace.py` first: everything that is counted here watches
one run of the model.
"""

from efficientdl.costs.carbon import (
    DOLLARS_PER_GPU_HOUR,
    LBS_PER_GPU_HOUR,
    METHODS,
    STRUBELL,
    Emission,
    Hours,
    Site,
    carbon,
)
from efficientdl.costs.count import count
from efficientdl.costs.energy import (
    ADD_PJ,
    DRAM,
    FP16,
    FP32,
    INT8,
    INT32,
    SRAM,
    Arithmetic,
    Memory,
    energy,
    narrow,
)
from efficientdl.costs.kinds import KINDS, by_kind, kind_of
from efficientdl.costs.latency import Comparison, Latency, Ratio, compare, latency
from efficientdl.costs.liveness import measured_peak_bytes, peak_activation_bytes
from efficientdl.costs.machine import Machine, measure_machine
from efficientdl.costs.memory import (
    Footprint,
    footprint,
    measured_saved_by_layer,
    measured_saved_bytes,
    saved_activation_bytes,
    saved_by_layer,
    weight_bytes,
)
from efficientdl.costs.order import Disagreement, disagreements, macs_against_latency
from efficientdl.costs.paper_memory import paper_running_bytes, paper_training_bytes
from efficientdl.costs.roofline import Placement, roofline
from efficientdl.costs.saving import SavingRule, paper_rule, torch_rule
from efficientdl.costs.side_by_side import Measured, SideBySide, side_by_side

__all__ = [
    "count",
    "by_kind",
    "kind_of",
    "KINDS",
    "weight_bytes",
    "saved_activation_bytes",
    "saved_by_layer",
    "measured_saved_bytes",
    "measured_saved_by_layer",
    "SavingRule",
    "paper_rule",
    "torch_rule",
    "peak_activation_bytes",
    "measured_peak_bytes",
    "Footprint",
    "footprint",
    "paper_training_bytes",
    "paper_running_bytes",
    "energy",
    "narrow",
    "Arithmetic",
    "Memory",
    "FP32",
    "FP16",
    "INT32",
    "INT8",
    "ADD_PJ",
    "SRAM",
    "DRAM",
    "latency",
    "compare",
    "Latency",
    "Comparison",
    "Ratio",
    "side_by_side",
    "SideBySide",
    "Measured",
    "Machine",
    "measure_machine",
    "roofline",
    "Placement",
    "macs_against_latency",
    "disagreements",
    "Disagreement",
    "carbon",
    "Emission",
    "Site",
    "STRUBELL",
    "LBS_PER_GPU_HOUR",
    "DOLLARS_PER_GPU_HOUR",
    "Hours",
    "METHODS",
]
