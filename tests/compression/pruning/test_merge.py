"""Data-free pruning: equal neurons merge and nothing is lost; the order is the paper's."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from efficientdl.compression.pruning.merge import merge_neurons, merge_order
from efficientdl.compression.pruning.structure import channel_groups
from tests.compression.pruning.structure.networks import NETWORKS, X, conv, gen, randomised


def mlp(hidden=8):
    return randomised(nn.Sequential(nn.Linear(5, hidden), nn.ReLU(), nn.Linear(hidden, 3)))


def inputs(n=16):
    return torch.randn(n, 5, generator=gen(1))


def brute_force(incoming, outgoing, n_gone):
    """Every pair, every time, as the paper's equations are written."""
    alive, outgoing, steps = list(range(len(incoming))), outgoing.copy(), []
    for _ in range(n_gone):
        pairs = [
            (np.sum(outgoing[j] ** 2) * np.sum((incoming[i] - incoming[j]) ** 2), j, i)
            for j in alive
            for i in alive
            if i != j
        ]
        _, j, i = min(pairs)
        steps.append((i, j))
        alive.remove(j)
        outgoing[i] += outgoing[j]
    return steps


@settings(deadline=None, max_examples=40)
@given(n=st.integers(2, 9), seed=st.integers(0, 999), data=st.data())
def test_the_order_is_that_of_brute_force(n, seed, data):
    rng = np.random.default_rng(seed)
    incoming, outgoing = rng.normal(size=(n, 3)), rng.normal(size=(n, 2))
    n_gone = data.draw(st.integers(0, n - 1))
    ours = merge_order(torch.from_numpy(incoming), torch.from_numpy(outgoing), n_gone=n_gone)
    assert list(ours) == brute_force(incoming, outgoing, n_gone)


def test_sparsity_0_is_the_model_itself():
    model = mlp()
    same = merge_neurons(model, inputs(), sparsity=0.0).model
    torch.testing.assert_close(same(inputs()), model(inputs()), rtol=0, atol=0)


def test_equal_neurons_merge_and_nothing_is_lost():
    model = mlp()
    with torch.no_grad():
        model[0].weight[4:] = model[0].weight[:4]
        model[0].bias[4:] = model[0].bias[:4]
    merged = merge_neurons(model, inputs(), sparsity=0.5).model
    assert merged[0].out_features == 4
    # 1e-5: the same sums of numbers of size 1, in another order
    torch.testing.assert_close(merged(inputs()), model(inputs()), rtol=0, atol=1e-5)


def twins(model, groups_of):
    """Make the second half of a group's units equal to the first, in all that makes them."""
    group = next(g for g in channel_groups(model, X) if g.name == groups_of)
    held = dict(model.named_parameters()) | dict(model.named_buffers())
    half = len(group) // 2
    with torch.no_grad():
        for s in group.slices:
            if not s.reads:
                rows = held[s.weight].movedim(s.axis, 0)
                rows[half : 2 * half] = rows[:half].clone()


@pytest.mark.parametrize(
    ("name", "group"),
    [("residual", "stem"), ("depthwise", "0"), ("flatten", "0"), ("excited", "stem")],
)
def test_equal_channels_merge_across_norms_additions_and_flattening(name, group):
    model = randomised(NETWORKS[name][0])
    twins(model, group)
    n = 2 / 5 if name == "flatten" else 0.5
    merged, report = merge_neurons(model, X, sparsity={group: n})
    torch.testing.assert_close(merged(X), model(X), rtol=1e-5, atol=1e-5)
    assert report.total.params < sum(p.numel() for p in model.parameters())


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 999))
def test_one_merge_changes_the_output_no_more_than_the_papers_bound(seed):
    model = randomised(nn.Sequential(nn.Linear(5, 6), nn.ReLU(), nn.Linear(6, 3)), seed)
    merged = merge_neurons(model, inputs(), sparsity=1 / 6).model
    incoming = torch.cat([model[0].weight, model[0].bias[:, None]], dim=1).detach()
    ((stays, goes),) = merge_order(incoming, model[2].weight.detach().T, n_gone=1)
    bound = model[2].weight[:, goes].norm() * (incoming[stays] - incoming[goes]).norm()
    sizes = torch.cat([inputs(), torch.ones(16, 1)], dim=1).norm(dim=1)
    moved = (merged(inputs()) - model(inputs())).norm(dim=1)
    assert bool((moved <= bound * sizes + 1e-5).all())  # eq. 4: a ReLU moves no more than its input


def test_bad_requests_are_refused():
    with pytest.raises(ValueError, match=r"merge_neurons: sparsity must be in \[0, 1\), got 1"):
        merge_neurons(mlp(), inputs(), sparsity=1)
    with pytest.raises(ValueError, match="must be one of 0, got '2'"):
        merge_neurons(mlp(), inputs(), sparsity={"2": 0.5})
    with pytest.raises(ValueError, match="must have neurons that stand alone"):
        merge_neurons(NETWORKS["shuffle"][0], X, sparsity=0.5)
    broken = mlp()
    broken[2].weight.data[0, 0] = float("inf")
    with pytest.raises(ValueError, match=r"merge_neurons: model must have finite weights.*inf"):
        merge_neurons(broken, inputs(), sparsity=0.5)
    with pytest.raises(ValueError, match="must have channels that can go"):
        merge_neurons(conv(3, 2), X, sparsity=0.5)
