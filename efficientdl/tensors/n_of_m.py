"""N of M: among every M neighbours at most N stay, as sparse tensor cores want it.

Neighbours are weights that one output multiplies with consecutive input channels: `M` entries of
a matrix's row, or `M` input channels of a filter at one place of the kernel.
"""

from dataclasses import dataclass
from math import ceil, log2

import torch
from jaxtyping import Bool, Float, Shaped
from torch import Tensor

from efficientdl import _check


@dataclass(frozen=True)
class PerInputRun:
    """One decision for each run of `size` consecutive input channels.

    >>> import torch
    >>> filters = torch.arange(8).reshape(1, 4, 1, 2)
    >>> PerInputRun(2).group(filters).tolist()
    [[0, 2], [4, 6], [1, 3], [5, 7]]
    """

    size: int

    def __post_init__(self) -> None:
        _check.whole("PerInputRun", "size", self.size, 1)

    def group(self, x: Shaped[Tensor, "c_out c_in ..."]) -> Shaped[Tensor, "groups size"]:
        if x.ndim < 2:
            _check.fail("PerInputRun", "x", "must have a second axis", tuple(x.shape))
        _check.divides("PerInputRun", "size", self.size, "the number of input channels", x.shape[1])
        return x.movedim(1, -1).reshape(-1, self.size)

    def ungroup(
        self, groups: Shaped[Tensor, "groups size"], shape: tuple[int, ...]
    ) -> Shaped[Tensor, "c_out c_in ..."]:
        c_out, c_in, *kernel = shape
        return groups.reshape(c_out, *kernel, c_in).movedim(-1, 1)


def keep_n_of_m(
    score: Float[Tensor, "*shape"],
    *,
    n: int,
    m: int,
    among: Bool[Tensor, "*shape"] | None = None,
) -> Bool[Tensor, "*shape"]:
    """Keep the `n` largest scores of every run of `m` input channels.

    Of equal scores the earlier stays, so exactly `n` of `m` do, but for those dropped before.

    Args:
        score: How much each weight is worth keeping.
        n: How many stay, 0..m.
        m: Out of how many; it divides the number of input channels.
        among: What an earlier mask kept; what it dropped stays out and goes first.

    >>> keep_n_of_m(torch.tensor([[3.0, 1.0, 2.0, 4.0]]), n=2, m=4)
    tensor([[ True, False, False,  True]])

    Source: Mishra et al., "Accelerating Sparse Deep Neural Networks", 2021, section 3 (2:4).
    """
    _check.whole("keep_n_of_m", "m", m, 1)
    _check.whole("keep_n_of_m", "n", n, 0, m)
    runs = PerInputRun(m)
    groups = runs.group(score)
    kept = torch.ones_like(groups, dtype=torch.bool) if among is None else runs.group(among)
    ranked = groups.masked_fill(~kept, -torch.inf)
    best_first = ranked.argsort(dim=1, descending=True, stable=True)
    stays = torch.zeros_like(kept).scatter(1, best_first[:, :n], value=True)
    return runs.ungroup(stays & kept, tuple(score.shape))


def n_of_m_index_bits(mask: Bool[Tensor, "..."], *, m: int) -> int:
    """Index bits of the form that sparse tensor cores read: a place among `m` for each value.

    Args:
        mask: What is kept.
        m: Size of a run.

    >>> n_of_m_index_bits(torch.tensor([[True, False, False, True]]), m=4)
    4
    """
    _check.whole("n_of_m_index_bits", "m", m, 1)
    return int(mask.count_nonzero()) * ceil(log2(m))
