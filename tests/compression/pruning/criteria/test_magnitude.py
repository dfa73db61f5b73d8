"""Magnitude keeps the largest."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from efficientdl.compression.pruning.criteria import magnitude
from efficientdl.protocols import Criterion
from efficientdl.tensors import PerGroup, keep_largest


@settings(deadline=None, max_examples=40)
@given(
    weight=arrays(np.float64, st.integers(2, 40), elements=st.floats(-9, 9), unique=True),
    sparsity=st.floats(0, 1),
)
def test_no_weight_that_goes_is_larger_than_one_that_stays(weight, sparsity):
    scores = magnitude(torch.from_numpy(weight))
    mask = keep_largest(scores, sparsity=sparsity, granularity=PerGroup(1)).numpy()
    gone, stays = np.abs(weight[~mask]), np.abs(weight[mask])
    assert max(gone, default=0) <= min(stays, default=np.inf)
    # so no other choice of as many weights leaves less of the tensor behind
    np.testing.assert_allclose(gone.sum(), np.sort(np.abs(weight))[: len(gone)].sum())


def test_what_it_does_not_need_is_swallowed():
    weight = torch.tensor([[-2.0, 1.0]])
    scores = magnitude(weight, grad=weight, input_norm=weight)
    np.testing.assert_array_equal(scores, [[2, 1]])
    assert isinstance(magnitude, Criterion)


def test_a_positional_statistic_is_refused():
    with pytest.raises(TypeError, match="positional argument"):
        magnitude(torch.ones(2), torch.ones(2))
