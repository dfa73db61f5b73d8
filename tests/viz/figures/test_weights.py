"""Every weight is in one bin, as kept or as dropped."""

import numpy as np
import pytest
import torch

from efficientdl.viz.figures import kept_weights


def test_every_weight_is_counted_once():
    weights = np.random.default_rng(0).normal(size=(50, 20))
    mask = np.abs(weights) > 0.5
    kept, dropped = kept_weights("t", weights, mask).series
    assert sum(kept.counts) == mask.sum()
    whole, edges = np.histogram(weights, kept.edges)
    np.testing.assert_array_equal(np.add(kept.counts, dropped.counts), whole)
    np.testing.assert_allclose(edges, -edges[::-1], atol=1e-12)


def test_tensors_are_taken():
    weights = torch.tensor([[0.1, -0.2], [0.3, 0.0]])
    figure = kept_weights("t", weights, weights.abs() > 0.15, bins=4)
    assert figure.alt == "2 of 4 weights are kept, 50 %."


def test_all_zeros_have_a_picture():
    kept, _ = kept_weights("t", [0.0, 0.0], [True, True]).series
    assert sum(kept.counts) == 2


def test_errors():
    with pytest.raises(ValueError, match="kept_weights: kept must be 2 marks, one a weight, got 1"):
        kept_weights("t", [1.0, 2.0], [True])
    with pytest.raises(ValueError, match="kept_weights: weights must not be empty"):
        kept_weights("t", [], [])
