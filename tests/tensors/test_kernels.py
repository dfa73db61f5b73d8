"""Kernels, and the rows and columns of kernels, against slices."""

import numpy as np
import pytest
import torch

from efficientdl.tensors import Granularity, keep_largest
from efficientdl.tensors.kernels import PerKernel, PerVector

FILTERS = torch.arange(2 * 3 * 3 * 5.0).reshape(2, 3, 3, 5)
SLICES = {
    PerKernel(): [k.ravel() for f in FILTERS.numpy() for k in f],
    PerVector(axis=-1): [row for f in FILTERS.numpy() for k in f for row in k],
    PerVector(axis=-2): [column for f in FILTERS.numpy() for k in f for column in k.T],
}
EACH = pytest.mark.parametrize("granularity", SLICES, ids=str)


@EACH
def test_groups_are_the_slices_and_go_back(granularity):
    groups = granularity.group(FILTERS)
    np.testing.assert_array_equal(groups, np.stack(SLICES[granularity]))
    back = granularity.ungroup(groups, tuple(FILTERS.shape))
    torch.testing.assert_close(back, FILTERS, rtol=0, atol=0)
    assert isinstance(granularity, Granularity)


@EACH
def test_the_weights_of_a_matrix_and_of_1x1_filters_are_alone(granularity):
    for shape in ((4, 6), (4, 6, 1, 1)):
        x = torch.arange(24.0).reshape(shape)
        np.testing.assert_array_equal(granularity.group(x), np.arange(24)[:, None])
        back = granularity.ungroup(granularity.group(x), shape)
        torch.testing.assert_close(back, x, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("granularity", "axes"), [(PerKernel(), (2, 3)), (PerVector(-1), (3,)), (PerVector(-2), (2,))]
)
def test_zeros_come_in_whole_groups_of_the_least_norm(granularity, axes):
    score = torch.rand(4, 6, 3, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    mask = keep_largest(score, sparsity=0.5, granularity=granularity).numpy()
    np.testing.assert_array_equal(mask.all(axis=axes), mask.any(axis=axes))
    means, stays = score.numpy().mean(axis=axes), mask.any(axis=axes)
    assert means[~stays].max() < means[stays].min()
    assert (~stays).sum() == stays.size // 2


def test_bad_values_are_named():
    with pytest.raises(ValueError, match=r"PerVector: axis must be one of -1, -2, got 0"):
        PerVector(axis=0)
    with pytest.raises(ValueError, match=r"PerKernel: x must be a matrix or filters .*\(2, 3, 4\)"):
        PerKernel().group(torch.zeros(2, 3, 4))
