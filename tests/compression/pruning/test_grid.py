"""The grid: every criterion with every granularity, scope and schedule."""

import pytest
import torch
from torch import nn

from efficientdl.compression.pruning import (
    at_once,
    cubic,
    geometric,
    globally,
    l2_norm,
    linear,
    magnitude,
    masks_of,
    obd,
    obs,
    per_layer,
    prune,
    sensitivity,
    taylor,
)
from efficientdl.compression.pruning.schedules import on_the_way
from efficientdl.compression.pruning.statistics import STATISTICS
from efficientdl.tensors import PerBlock, PerChannel, PerGroup
from efficientdl.tensors.kernels import PerKernel, PerVector
from efficientdl.tensors.n_of_m import PerInputRun
from tests.models.layers.test_masked import drawn, gen

ASKED = {
    magnitude: set(),
    l2_norm: set(),
    taylor: {"grad"},
    obd: {"hessian_diagonal"},
    obs: {"inverse_hessian_diagonal"},
    sensitivity: {"sensitivity_variance"},
}
GRANULARITIES = [
    PerGroup(1),
    PerGroup(4),
    PerVector(axis=-1),
    PerVector(axis=-2),
    PerKernel(),
    PerInputRun(4),
    PerBlock(2, 4),
    PerChannel(),
]
SCHEDULES = {
    "at_once": at_once,
    "linear": linear,
    "cubic": cubic,
    "geometric": geometric(0.7),
}
X = torch.randn(3, 4, 4, 4, generator=gen(1))
DATA = (X, torch.arange(3))


def network():
    convs = [nn.Conv2d(4, 8, 3), nn.Conv2d(8, 8, 3, padding=1, groups=2)]
    body = [drawn(convs[0]), nn.ReLU(), drawn(convs[1]), nn.ReLU()]
    return nn.Sequential(*body, nn.AdaptiveAvgPool2d(1), nn.Flatten(), drawn(nn.Linear(8, 4)))


def check_share(masks, sparsity, granularity):
    """Of what is ranked together, as many weights go as whole groups come nearest to."""
    gone = sum(int((~mask).sum()) for mask in masks)
    largest = max(granularity.group(mask).shape[1] for mask in masks)
    wanted = sparsity * sum(mask.numel() for mask in masks)
    assert abs(gone - wanted) <= largest / 2 + 1e-6  # the sparsity is a rounded product


@pytest.mark.parametrize("scope", [per_layer, globally])
@pytest.mark.parametrize("granularity", GRANULARITIES, ids=str)
@pytest.mark.parametrize("criterion", ASKED, ids=lambda c: c.__name__)
def test_every_combination_removes_what_it_is_asked_to(criterion, granularity, scope):
    options = {"criterion": criterion, "granularity": granularity, "scope": scope}
    shares = set()
    for schedule in SCHEDULES.values():
        share = on_the_way(0.7, lambda _, schedule=schedule: schedule, 0.4)
        pruned, _ = prune(network(), X, sparsity=share, data=DATA, **options)
        masks = list(masks_of(pruned).values())
        for together in [masks] if scope is globally else [[mask] for mask in masks]:
            check_share(together, share, granularity)
        for groups in map(granularity.group, masks):
            torch.testing.assert_close(groups.all(dim=1), groups.any(dim=1))
        shares.add(share)
    assert len(shares) == len(SCHEDULES)  # four points of the way, none of them twice


@pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=SCHEDULES)
@pytest.mark.parametrize("scope", [per_layer, globally])
def test_step_by_step_a_schedule_arrives_and_nothing_comes_back(scope, schedule):
    model, before = network(), {}
    for progress in (0.0, 0.25, 0.5, 0.75, 1.0):
        share = on_the_way(0.7, lambda _: schedule, progress)
        options = {"criterion": taylor, "granularity": PerKernel(), "scope": scope}
        model, _ = prune(model, X, sparsity=share, data=DATA, **options)
        masks = masks_of(model)
        assert not any((masks[name] & ~mask).any() for name, mask in before.items())
        before = masks
    assert share == 0.7
    for together in [masks.values()] if scope is globally else [[m] for m in masks.values()]:
        check_share(list(together), 0.7, PerKernel())


@pytest.mark.parametrize("criterion", ASKED, ids=lambda c: c.__name__)
def test_what_is_asked_for_is_gathered_once_and_nothing_else(criterion, monkeypatch):
    gathered = []
    for name, gather in list(STATISTICS.items()):

        def spy(*given, name=name, gather=gather):
            gathered.append(name)
            return gather(*given)

        monkeypatch.setitem(STATISTICS, name, spy)
    prune(network(), X, sparsity=0.5, criterion=criterion, data=DATA)
    assert gathered == list(ASKED[criterion])


def test_a_grid_of_one_weight_at_no_progress_is_the_dense_network():
    model = network()
    for schedule in SCHEDULES.values():
        share = on_the_way(0.7, lambda _, schedule=schedule: schedule, 0.0)
        same, _ = prune(model, X, sparsity=share)
        torch.testing.assert_close(same(X), model(X), rtol=0, atol=0)


def test_an_unknown_statistic_is_named_whatever_the_rest():
    def wants(weight, *, colour, **_):
        return weight

    with pytest.raises(
        ValueError, match=r"prune: statistic named by criterion must be one of grad, .*'colour'"
    ):
        prune(network(), X, sparsity=0.5, criterion=wants, scope=globally, data=DATA)
