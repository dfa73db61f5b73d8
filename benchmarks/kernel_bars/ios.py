"""Sequential, greedy and IOS on networks with branches: found by measuring, then really run.

Each stage is timed on this machine, the schedule of least measured cost is found, and the
schedules then run in two threads, taking turns. That cost is the least of many sums, each of
measurements that waver, and so comes out too good; the run is what counts. `python -m
benchmarks.kernel_bars.ios` prints the rows.
"""

import json
from collections.abc import Iterator
from functools import partial

import torch
from torch import Tensor, nn

from efficientdl import models
from efficientdl.costs.latency import compare
from efficientdl.systems.compiler.ios import (
    Merged,
    Operators,
    apply_merges,
    greedy,
    measured_cost,
    mergeable,
    operators_of,
    run_schedule,
    schedule_stages,
    sequential,
    workers,
)
from efficientdl.systems.compiler.ios.operators import TOUCH_UPS
from efficientdl.systems.compiler.passes import fuse
from efficientdl.systems.compiler.trace import trace

N_WORKERS, TURNS, SAMPLES = 2, 9, 3
LIMITS = {"max_group": 3, "max_groups": 4}


def _convolved(c: int, *, kernel: int, dilation: int = 1) -> nn.Sequential:
    """ReLU, a depthwise and a pointwise convolution, batch norm."""
    reach = dilation * (kernel // 2)
    return nn.Sequential(
        nn.ReLU(),
        nn.Conv2d(c, c, kernel, padding=reach, dilation=dilation, groups=c, bias=False),
        nn.Conv2d(c, c, 1, bias=False),
        nn.BatchNorm2d(c),
    )


class Cell(nn.Module):
    """The normal cell that DARTS found on CIFAR-10 (second order; Liu, Simonyan and Yang, 2019).

    Four nodes, each the sum of two operations on what came before; the last is their concat.
    """

    def __init__(self, c_in: int, c: int) -> None:
        super().__init__()
        self.narrow = nn.Sequential(nn.ReLU(), nn.Conv2d(c_in, c, 1, bias=False), nn.BatchNorm2d(c))
        separable = lambda: nn.Sequential(*(_convolved(c, kernel=3) for _ in range(2)))  # noqa: E731
        self.separable = nn.ModuleList(separable() for _ in range(5))
        self.dilated = _convolved(c, kernel=3, dilation=2)

    def forward(self, before: Tensor, last: Tensor) -> Tensor:
        s, x = self.separable, self.narrow(last)
        first = s[0](before) + s[1](x)
        second = s[2](before) + s[3](x)
        third = s[4](x) + before
        fourth = before + self.dilated(first)
        return torch.cat([first, second, third, fourth], dim=1)


class Cells(nn.Module):
    """Two cells, one after the other."""

    def __init__(self, c: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, c, 3, padding=1)
        self.cells = nn.ModuleList([Cell(c, c), Cell(4 * c, c)])

    def forward(self, x: Tensor) -> Tensor:
        before = self.stem(x)
        middle = self.cells[0](before, before)
        return self.cells[1](before, middle)


def networks() -> Iterator[tuple[str, Operators, Tensor]]:
    """The networks by name, cut into operators, each with a picture."""
    generator = torch.Generator().manual_seed(0)
    for name in ("squeezenet", "googlenet"):
        model = models.build(name, seed=0).eval()
        x = torch.rand(1, *models.example(name).shape[1:], generator=generator)
        yield name, operators_of(fuse(trace(model, x))), x
    model, x = (
        models.seeded(lambda: Cells(36), seed=0).eval(),
        torch.rand(1, 3, 32, 32, generator=generator),
    )
    joined = TOUCH_UPS | {"conv2d"}  # as in the IOS paper, a separable convolution is an operator
    yield "DARTS cells", operators_of(fuse(trace(model, x)), joined=joined), x


def raced(name: str, operators: Operators, x: Tensor) -> list[dict[str, object]]:
    """Find the schedules of a network, check that they give the same, and let them take turns."""
    with workers(N_WORKERS) as pool:
        cost = measured_cost(operators, x, executor=pool, repeats=SAMPLES)
        at_once = schedule_stages(operators.dag, cost, **LIMITS)
        found = schedule_stages(operators.dag, cost, may_merge=mergeable(operators), **LIMITS)
        schedules = {
            "sequential": sequential(operators.dag),
            "greedy": greedy(operators.dag, max_groups=LIMITS["max_groups"]),
            "IOS, at once": at_once.schedule,
            "IOS, at once or merged": found.schedule,
        }
        ready = {way: apply_merges(operators, each) for way, each in schedules.items()}
        runs = {way: partial(run_schedule, *each, x, executor=pool) for way, each in ready.items()}
        (expected,) = runs["sequential"]()
        room = 1e-4 * float(expected.abs().max())  # merged sums are added in another order
        for run in runs.values():
            torch.testing.assert_close(run(), [expected], rtol=0, atol=room)
        taken = compare(runs, warmup=1, repeats=TURNS)
    return [
        {
            "network": name,
            "schedule": way,
            "operators": len(operators.dag.names),
            "stages": len(schedule),
            "merged_stages": sum(isinstance(stage, Merged) for stage in schedule),
            "stages_measured": found.n_stages,
            "measured_cost_ms": 1e3 * schedule.cost(cost),
            "run_ms": 1e3 * taken.latencies[way].median_s,
            "best_run_ms": 1e3 * min(taken.latencies[way].times),
            "times_faster": taken.ratio("sequential", way).median,
            "times_faster_low": taken.ratio("sequential", way).low,
            "times_faster_high": taken.ratio("sequential", way).high,
        }
        for way, schedule in schedules.items()
    ]


def rows() -> list[dict[str, object]]:
    """A row for each network and schedule: its stages, what they cost, what a run took."""
    return [row for network in networks() for row in raced(*network)]


if __name__ == "__main__":
    print(json.dumps(rows(), indent=1))
