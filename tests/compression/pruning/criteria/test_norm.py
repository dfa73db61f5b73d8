"""Groups go in the order of their L2 norms."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from efficientdl.compression.pruning.criteria import l2_norm, magnitude
from efficientdl.tensors import PerChannel, PerGroup, keep_largest
from efficientdl.tensors.kernels import PerKernel


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 999), sparsity=st.floats(0, 1))
def test_the_groups_that_go_have_the_least_norms(seed, sparsity):
    weight = np.random.default_rng(seed).standard_normal((6, 4, 3, 3))
    for granularity, axes in ((PerChannel(), (1, 2, 3)), (PerKernel(), (2, 3))):
        scores = l2_norm(torch.from_numpy(weight))
        mask = keep_largest(scores, sparsity=sparsity, granularity=granularity).numpy()
        norms, stays = np.linalg.norm(weight.reshape(6, 4, 9), axis=2), mask.any(axis=axes)
        norms = norms if granularity == PerKernel() else np.linalg.norm(norms, axis=1)
        assert max(norms[~stays], default=0) < min(norms[stays], default=np.inf)


def test_of_weights_alone_the_order_is_that_of_magnitude():
    weight = torch.randn(8, 8, generator=torch.Generator().manual_seed(0))
    masks = [
        keep_largest(criterion(weight), sparsity=0.3, granularity=PerGroup(1))
        for criterion in (l2_norm, magnitude)
    ]
    np.testing.assert_array_equal(*masks)


def test_a_positional_statistic_is_refused():
    with pytest.raises(TypeError, match="positional argument"):
        l2_norm(torch.ones(2), torch.ones(2))
