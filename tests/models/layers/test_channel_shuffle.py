import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from efficientdl.models.layers import channel_shuffle

SIZES = {"groups": st.integers(1, 6), "each": st.integers(1, 6), "side": st.integers(1, 3)}


def image(channels, side):
    return torch.arange(2 * channels * side * side, dtype=torch.float32).reshape(
        2, channels, side, side
    )


def test_one_group_changes_nothing():
    torch.testing.assert_close(channel_shuffle(image(6, 2), 1), image(6, 2), rtol=0, atol=0)


@settings(deadline=None, max_examples=40)
@given(**SIZES)
def test_it_deals_the_groups_out_as_torchs_own_layer_does(groups, each, side):
    x = image(groups * each, side)
    shuffled = channel_shuffle(x, groups)
    torch.testing.assert_close(shuffled, torch.nn.ChannelShuffle(groups)(x), rtol=0, atol=0)
    # Channel k of group g goes to place k * groups + g.
    order = [g * each + k for k in range(each) for g in range(groups)]
    np.testing.assert_array_equal(shuffled.numpy(), x.numpy()[:, order])


@settings(deadline=None, max_examples=40)
@given(**SIZES)
def test_dealing_by_the_other_factor_undoes_it(groups, each, side):
    x = image(groups * each, side)
    back = channel_shuffle(channel_shuffle(x, groups), each)
    torch.testing.assert_close(back, x, rtol=0, atol=0)
