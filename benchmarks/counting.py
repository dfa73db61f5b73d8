"""Counting a network: `costs.count` beside torch's own counter.

Both run the network once on the meta device. Torch counts operations of matrix products; `count`
also gives bytes, and a row for each layer.
"""

from collections.abc import Callable

from torch.utils.flop_counter import FlopCounterMode

from benchmarks.runner import Contest
from efficientdl import costs, models

NETWORKS = ("mobilenet_v2", "resnet50", "googlenet")


def contests() -> list[Contest]:
    """One contest for each network."""
    return [_contest(name) for name in NETWORKS]


def _contest(name: str) -> Contest:
    model, x = models.skeleton(name), models.example(name, device="meta")
    entries: dict[str, Callable[[], object]] = {
        "efficientdl.costs.count": lambda: costs.count(model, x),
        "torch FlopCounterMode": lambda: _torch(model, x),
    }
    return Contest(name, entries, baseline="torch FlopCounterMode")


def _torch(model: Callable[[object], object], x: object) -> int:
    with FlopCounterMode(display=False) as counter:
        model(x)
    return counter.get_total_flops()
