"""Every element in exactly one group, and back again."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from efficientdl.tensors import Granularity, PerBlock, PerChannel, PerGroup, PerTensor

ALL = [PerTensor(), PerChannel(), PerGroup(1), PerGroup(4), PerBlock(2, 4), PerBlock(1, 1)]
SHAPES = [(8, 8), (8, 16), (4, 4, 3, 3), (16, 8, 1, 1)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("granularity", ALL, ids=str)
def test_ungroup_undoes_group_and_no_element_is_lost(granularity, shape):
    x = torch.arange(float(np.prod(shape))).reshape(shape)
    groups = granularity.group(x)
    torch.testing.assert_close(granularity.ungroup(groups, shape), x, rtol=0, atol=0)
    np.testing.assert_array_equal(groups.flatten().sort().values, np.arange(x.numel()))
    assert isinstance(granularity, Granularity)


@settings(deadline=None, max_examples=30)
@given(
    rows=st.integers(1, 4), cols=st.integers(1, 4), tall=st.integers(1, 4), wide=st.integers(1, 4)
)
def test_a_block_is_a_slice_of_the_matrix(rows, cols, tall, wide):
    x = torch.arange(float(rows * tall * cols * wide)).reshape(rows * tall, cols * wide)
    groups = PerBlock(rows, cols).group(x)
    slices = [
        x.numpy()[i * rows : (i + 1) * rows, j * cols : (j + 1) * cols].ravel()
        for i in range(tall)
        for j in range(wide)
    ]
    np.testing.assert_array_equal(groups, np.stack(slices))
    back = PerBlock(rows, cols).ungroup(groups, tuple(x.shape))
    torch.testing.assert_close(back, x, rtol=0, atol=0)


def test_a_row_a_channel_a_run():
    x = torch.arange(24.0).reshape(2, 3, 2, 2)
    np.testing.assert_array_equal(PerChannel().group(x), x.numpy().reshape(2, 12))
    np.testing.assert_array_equal(PerChannel().group(x[:, 0, 0, 0]), [[0], [12]])
    np.testing.assert_array_equal(PerGroup(6).group(x), x.numpy().reshape(4, 6))
    np.testing.assert_array_equal(PerTensor().group(x.transpose(0, 1)).shape, (1, 24))


def test_bad_sizes_are_named():
    with pytest.raises(
        ValueError, match=r"PerGroup: size must be a whole number, 1 or more, got 0"
    ):
        PerGroup(0)
    with pytest.raises(ValueError, match=r"PerGroup: size must divide the number of weights = 8"):
        PerGroup(3).group(torch.zeros(8))
    with pytest.raises(ValueError, match=r"PerBlock: rows must divide the matrix's height = 4"):
        PerBlock(3, 1).group(torch.zeros(4, 4))
    with pytest.raises(ValueError, match=r"PerBlock: cols must divide the matrix's width = 9"):
        PerBlock(2, 4).group(torch.zeros(4, 1, 3, 3))
    with pytest.raises(ValueError, match=r"PerBlock: cols must be a whole number"):
        PerBlock(2, -1)
