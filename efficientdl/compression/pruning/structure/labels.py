"""Which channel every number of a tensor belongs to.

In all that is traced here, one axis of a tensor runs over channels: the second of a batch of maps,
the last of a batch of vectors. So its labels are the axis and one number for each place along it.
To follow an operation that only moves data (a reshape, a shuffle, a concatenation), the labels are
written out as a tensor of that shape, the operation itself moves them, and they are read back.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from efficientdl.compression.pruning.structure.ties import Ids, Ties


@dataclass(frozen=True)
class Labels:
    """The channels of one tensor.

    Attributes:
        axis: The axis that runs over them, from 0.
        ids: The number of each.
    """

    axis: int
    ids: Ids


def written_out(labels: Labels | None, shape: torch.Size) -> Int[Tensor, "..."]:
    """The labels as a tensor of the given shape; 0 everywhere where there are none.

    It is expanded, so it holds no more memory than the labels do.

    >>> written_out(Labels(1, np.array([5, 6])), torch.Size([2, 2]))
    tensor([[5, 6],
            [5, 6]])
    """
    if labels is None:
        return torch.zeros((), dtype=torch.int64).expand(shape)
    along = [1] * len(shape)
    along[labels.axis] = -1
    return torch.from_numpy(labels.ids).reshape(along).expand(shape)


def read_back(grid: Int[Tensor, "..."], ties: Ties, prefer: int | None = None) -> Labels | None:
    """The labels that stand in a tensor, or None where all of it stays.

    If they change along several axes, only one of them can lose places, and the tensor is a block
    after the cut only if every line along that one loses the same: the lines are tied. It is the
    preferred axis, else the last: the code `x.reshape(n, groups, c // groups, h, w)` fixes the
    number of groups and lets their size shrink.

    Args:
        grid: A number for each place.
        ties: Where to tie.
        prefer: The axis that may lose places where several could.
    """
    index = tuple(slice(0, 1) if s == 0 else slice(None) for s in grid.stride())
    values = ties.of(grid[index].numpy())
    changing = [a for a in range(values.ndim) if (values != values.take([0], axis=a)).any()]
    if not changing:
        if values.size:  # one channel alone, or several that go only together: no axis to cut
            ties.keep(values.flatten()[:1])
        return None
    axis = prefer if prefer in changing else changing[-1]
    lines = np.moveaxis(values, axis, -1).reshape(-1, values.shape[axis])
    for line in np.unique(lines, axis=0):
        ties.tie(lines[0], line)
    return Labels(axis, ties.of(lines[0]))
