"""The channel shuffle: deal the channels of each group out over all groups."""

from jaxtyping import Float
from torch import Tensor


def channel_shuffle(x: Float[Tensor, "n c h w"], groups: int) -> Float[Tensor, "n c h w"]:
    """Mix the groups, as one deals cards: channel by channel, one from each group in turn.

    After it, each group of a group convolution sees channels of every group before it. It costs
    no MAC, but every byte is moved.

    >>> import torch
    >>> x = torch.arange(6.0).reshape(1, 6, 1, 1)
    >>> channel_shuffle(x, 2).flatten().tolist()
    [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]

    Source: Zhang et al., "ShuffleNet", CVPR 2018, section 3.1; the survey's section 2.5; lab 01.
    """
    n, c, h, w = x.shape
    return x.reshape(n, groups, c // groups, h, w).transpose(1, 2).reshape(n, c, h, w)
