"""Per layer against all together."""

import numpy as np
import pytest
import torch

from efficientdl.compression.pruning import globally, per_layer
from efficientdl.tensors import PerChannel, PerGroup

ONE = PerGroup(1)
GEN = torch.Generator().manual_seed(0)
SCORES = {"conv": torch.rand(4, 3, 3, generator=GEN), "head": 3 * torch.rand(5, 6, generator=GEN)}
KEPT = {name: torch.ones_like(score, dtype=torch.bool) for name, score in SCORES.items()}


def test_per_layer_gives_each_its_share():
    masks = per_layer(SCORES, KEPT, {"conv": 0.25, "head": 0.9}, ONE)
    assert {name: int((~mask).sum()) for name, mask in masks.items()} == {"conv": 9, "head": 27}


def test_layers_not_named_are_not_touched():
    assert per_layer(SCORES, KEPT, {"head": 0.5}, ONE).keys() == {"head"}


def test_globally_is_one_threshold_over_all_layers():
    masks = globally(SCORES, KEPT, dict.fromkeys(SCORES, 0.5), ONE)
    every = np.sort(np.concatenate([score.flatten() for score in SCORES.values()]))
    for name, mask in masks.items():
        np.testing.assert_array_equal(mask, SCORES[name].numpy() >= every[len(every) // 2])
    assert sum(int((~m).sum()) for m in masks.values()) == 33


def test_one_layer_is_pruned_alike_by_both():
    one = {"head": SCORES["head"]}
    for granularity in (ONE, PerChannel()):
        both = [scope(one, KEPT, {"head": 0.4}, granularity) for scope in (globally, per_layer)]
        torch.testing.assert_close(*both)


def test_globally_wants_one_number():
    with pytest.raises(ValueError, match=r"globally: sparsity must be one number for all"):
        globally(SCORES, KEPT, {"conv": 0.5, "head": 0.6}, ONE)
