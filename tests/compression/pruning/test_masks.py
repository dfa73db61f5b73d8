"""Masks of a network, read and put on."""

import numpy as np
import pytest
import torch
from torch import nn

from efficientdl.compression.pruning import prune
from efficientdl.compression.pruning.masks import masks_of, with_masks, without_zeros
from tests.compression.pruning.small_task import X, network, same_weights
from tests.promises.state import untouched


def test_masks_make_the_network_that_they_were_read_from():
    pruned, _ = prune(network(), X, sparsity=0.7)
    same_weights(with_masks(network(), masks_of(pruned)), pruned)


def test_no_masks_change_nothing():
    assert masks_of(network()) == {}
    same_weights(with_masks(network(), {}), network())


def test_the_network_given_and_the_masks_read_are_nobodys_but_the_callers():
    model = network()
    pruned, _ = prune(model, X, sparsity=0.5)
    masks = masks_of(pruned)
    with untouched(model), untouched(pruned):
        other = with_masks(model, masks)
        masks["fc"].fill_(False)
        other.head.weight.data.zero_()


def test_what_either_mask_dropped_is_gone():
    first = torch.arange(640).reshape(10, 64) % 2 == 0
    second = torch.arange(640).reshape(10, 64) % 3 == 0
    model = nn.Linear(64, 10)
    both = with_masks(with_masks(model, {"": first}), {"": second})
    np.testing.assert_array_equal(both.mask, first & second)
    np.testing.assert_array_equal(both.weight.detach() != 0, first & second)


def test_weights_that_are_zero_are_masked():
    model = network()
    model.fc.weight.data[3] = 0
    model.head.weight.data[:, 5] = 0
    masked, report = without_zeros(model, X)
    assert set(map(tuple, (~masked.fc.mask).nonzero().tolist())) == {(3, j) for j in range(64)}
    assert not masked.head.mask[:, 5].any()
    torch.testing.assert_close(masked(X), model(X), rtol=0, atol=0)
    assert report.rows["fc"].weight_bits < 32 * (16 * 64 + 16)


def test_bad_masks_are_named():
    with pytest.raises(
        ValueError, match=r"with_masks: layer named in masks must be one of fc, head"
    ):
        with_masks(network(), {"body": torch.ones(1, dtype=torch.bool)})
    with pytest.raises(
        ValueError, match=r"mask of layer 'fc' must have its weight's shape \(16, 64"
    ):
        with_masks(network(), {"fc": torch.ones(16, dtype=torch.bool)})


def tied():
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4))
    model[2].weight = model[0].weight
    return model


def test_a_mask_of_a_shared_weight_is_a_mask_of_all_its_layers():
    model = tied()
    mask = torch.rand(4, 4) > 0.5
    pruned = with_masks(model, {"0": mask})
    assert pruned[2].weight is pruned[0].weight
    for layer in (pruned[0], pruned[2]):
        np.testing.assert_array_equal(layer.mask, mask)
    same_weights(with_masks(model, {"0": mask, "2": mask}), pruned)
    with pytest.raises(ValueError, match=r"mask of layer '0' must be that of '2', with which it"):
        with_masks(model, {"0": mask, "2": ~mask})
