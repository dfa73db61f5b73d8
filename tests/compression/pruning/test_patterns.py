"""Pattern pruning: every 3 x 3 kernel takes one of the set, and the set is the network's."""

import numpy as np
import pytest
import torch
from torch import nn

from efficientdl.compression.pruning import prune
from efficientdl.compression.pruning.criteria import taylor
from efficientdl.compression.pruning.patterns import prune_patterns
from efficientdl.tensors.kernels import PerKernel
from efficientdl.tensors.patterns import choose_patterns, every_pattern
from tests.models.layers.test_masked import drawn, gen

X = torch.randn(2, 4, 8, 8, generator=gen(5))


def network():
    convs = [nn.Conv2d(4, 8, 3), nn.Conv2d(8, 8, 3, groups=8), nn.Conv2d(8, 6, 1)]
    return nn.Sequential(*map(drawn, convs))


def masks_of(model):
    return torch.cat([model[i].mask.flatten(0, 1) for i in (0, 1)])


def test_nine_of_nine_is_the_dense_network():
    model = network()
    same = prune_patterns(model, X, n_kept=9).model
    torch.testing.assert_close(same(X), model(X), rtol=0, atol=0)


@pytest.mark.parametrize(("n_kept", "n_patterns"), [(4, 4), (4, 6), (2, 5), (1, 6)])
def test_every_kernel_uses_one_of_the_set_and_the_best_for_it(n_kept, n_patterns):
    model = network()
    pruned, report = prune_patterns(model, X, n_kept=n_kept, n_patterns=n_patterns)
    masks = masks_of(pruned)
    assert (masks.sum(dim=(1, 2)) == n_kept).all()
    assert masks[:, 1, 1].all()
    energy = torch.cat([model[i].weight.detach().square().flatten(0, 1) for i in (0, 1)])
    pool = every_pattern(n_kept)
    chosen = choose_patterns(energy, pool, n_patterns=min(n_patterns, len(pool)))
    used = {tuple(m.flatten().tolist()) for m in masks}
    assert used <= {tuple(p.flatten().tolist()) for p in chosen}
    best = np.max([(energy * p).sum(dim=(1, 2)).numpy() for p in chosen], axis=0)
    np.testing.assert_allclose((energy * masks).sum(dim=(1, 2)), best, rtol=1e-6)
    assert type(pruned[2]) is nn.Conv2d
    assert report.rows["2"] == prune(model, X, sparsity={"0": 0.0}).report.rows["2"]


def test_whole_kernels_may_go_afterwards():
    pruned, _ = prune_patterns(network(), X)
    fewer, _ = prune(pruned, X, sparsity={"0": 0.8}, granularity=PerKernel())
    kept = fewer[0].mask.sum(dim=(2, 3))
    assert set(kept.flatten().tolist()) == {0, 4}


def test_what_was_pruned_before_stays_pruned():
    half, _ = prune(network(), X, sparsity=0.7)
    both, _ = prune_patterns(half, X)
    assert not (masks_of(both) & ~masks_of(half)).any()


def test_bad_values_are_named():
    with pytest.raises(
        ValueError, match=r"prune_patterns: n_kept must be a whole number in \[1, 9"
    ):
        prune_patterns(network(), X, n_kept=0)
    with pytest.raises(
        ValueError, match=r"prune_patterns: n_patterns must be a whole number, 1 or"
    ):
        prune_patterns(network(), X, n_patterns=0)
    with pytest.raises(ValueError, match=r"prune_patterns: model must have a convolution of 3 x 3"):
        prune_patterns(nn.Conv2d(4, 4, 5), X)
    with pytest.raises(ValueError, match=r"prune_patterns: data must be given: the criterion asks"):
        prune_patterns(network(), X, criterion=taylor)
