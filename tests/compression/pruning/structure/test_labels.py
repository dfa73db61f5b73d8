"""Labels move as the numbers they stand for move."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from efficientdl.compression.pruning.structure.labels import Labels, read_back, written_out
from efficientdl.compression.pruning.structure.ties import Ties
from efficientdl.models.layers import channel_shuffle


@settings(deadline=None, max_examples=30)
@given(shape=st.lists(st.integers(2, 4), min_size=1, max_size=4), data=st.data())
def test_reading_back_what_was_written_out(shape, data):
    axis = data.draw(st.integers(0, len(shape) - 1))
    ties = Ties()
    labels = Labels(axis, ties.fresh(shape[axis]))
    back = read_back(written_out(labels, torch.Size(shape)), ties)
    assert back.axis == axis
    np.testing.assert_array_equal(back.ids, labels.ids)


def test_a_flattened_map_has_each_channel_once_for_every_pixel():
    ties = Ties()
    grid = written_out(Labels(1, ties.fresh(3)), torch.Size([2, 3, 2, 2])).reshape(2, 12)
    labels = read_back(grid, ties)
    assert labels.axis == 1
    np.testing.assert_array_equal(labels.ids, np.repeat([1, 2, 3], 4))


def test_a_shuffle_ties_the_same_place_of_its_groups():
    ties = Ties()
    ids = ties.fresh(6)
    grid = written_out(Labels(1, ids), torch.Size([1, 6, 2, 2]))
    halves = read_back(grid.reshape(1, 2, 3, 2, 2), ties)
    assert halves.axis == 2
    # afterwards the numbers are dealt out as the channels themselves are
    tied = torch.from_numpy(ties.of(ids)).reshape(1, 6, 1, 1).float()
    np.testing.assert_array_equal(channel_shuffle(tied, 2).flatten(), [1, 1, 2, 2, 3, 3])


def test_where_nothing_changes_there_is_no_axis_to_cut():
    ties = Ties()
    ids = ties.fresh(1)
    assert read_back(written_out(Labels(1, ids), torch.Size([2, 1, 3])), ties) is None
    np.testing.assert_array_equal(ties.of(ids), [0])
