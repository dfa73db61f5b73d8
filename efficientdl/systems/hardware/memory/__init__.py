"""Memory: a layer larger than its buffer, tile by tile, loaded while the tile before computes."""

from efficientdl.systems.hardware.memory.network import Network, network
from efficientdl.systems.hardware.memory.plan import best_tiling
from efficientdl.systems.hardware.memory.replay import run_tiled
from efficientdl.systems.hardware.memory.schedule import (
    Event,
    Kind,
    Schedule,
    equal_tiles,
    schedule,
)
from efficientdl.systems.hardware.memory.tiling import (
    SUMS_STAY,
    WEIGHT_STAYS,
    X_STAYS,
    Loop,
    Tiling,
)

__all__ = [
    "Tiling",
    "Loop",
    "X_STAYS",
    "WEIGHT_STAYS",
    "SUMS_STAY",
    "schedule",
    "Schedule",
    "Event",
    "Kind",
    "equal_tiles",
    "best_tiling",
    "run_tiled",
    "network",
    "Network",
]
