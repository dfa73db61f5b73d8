"""Networks of Table 1: MACs beside measured latency, at batch 1 and 8.

Times are those of torch's eager float32 kernels, as a learner runs them. The order by MACs and the
order by time are not the same; the note of each contest lists pairs that show it.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from benchmarks.runner import Contest
from efficientdl import costs, models
from efficientdl.models.registry import TABLE_1

BASELINE = "mobilenet_v2"


def contests() -> list[Contest]:
    """One contest for each batch size."""
    return [_contest(batch) for batch in (1, 8)]


def _contest(batch: int) -> Contest:
    entries: dict[str, Callable[[], object]] = {}
    macs = []
    for name in TABLE_1:
        model, x = models.build(name, seed=0).eval(), models.example(name, batch=batch)
        entries[name] = _inference(model, x)
        macs.append((costs.count(model, x).total.macs or 0, name))
    order = ", ".join(f"{name} {count / 1e6:,.0f} M" for count, name in sorted(macs))
    return Contest(f"batch {batch}", entries, BASELINE, note=f"In order of MACs: {order}.")


def _inference(model: nn.Module, x: Tensor) -> Callable[[], object]:
    def call() -> object:
        with torch.inference_mode():
            return model(x)

    return call
