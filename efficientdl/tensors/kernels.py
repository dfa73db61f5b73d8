"""Granularities inside filters: whole kernels, and the rows and columns that they are made of.

A filter `c_in r s` holds one kernel `r s` for each input channel. A matrix is a convolution of
1 x 1: its kernels, rows and columns are single weights.
"""

from dataclasses import dataclass

from jaxtyping import Shaped
from torch import Tensor

from efficientdl import _check
from efficientdl.catalogue import Granularity, technique


@technique(
    "prune-kernel",
    paper="Niu, Ma, Lin, Wang, Qian, Lin, Wang and Ren, PatDNN: Achieving Real-Time DNN Execution "
    "on Mobile Devices with Pattern-Based Weight Pruning, 2020",
    survey="2.1",
    lab="02_pruning",
    kind=Granularity(),
)
@dataclass(frozen=True)
class PerKernel:
    """Kernel granularity: one decision for the `r` x `s` weights between two channels.

    A kernel that goes takes the connection of an input channel to an output channel with it.

    >>> import torch
    >>> PerKernel().group(torch.zeros(8, 16, 3, 3)).shape
    torch.Size([128, 9])

    Source: Niu et al., "PatDNN", ASPLOS 2020, section 3, "connectivity pruning"; Mao et al.,
    "Exploring the Granularity of Sparsity in Convolutional Neural Networks", 2017; the survey's
    section 2.1, "Coarse-grained pruning"; lab 02.
    """

    def group(self, x: Shaped[Tensor, "c_out c_in ..."]) -> Shaped[Tensor, "groups size"]:
        _demand_filters("PerKernel", x)
        return x.reshape(x.shape[0] * x.shape[1], -1)

    def ungroup(
        self, groups: Shaped[Tensor, "groups size"], shape: tuple[int, ...]
    ) -> Shaped[Tensor, "c_out c_in ..."]:
        return groups.reshape(shape)


@technique(
    "prune-vector",
    paper="Mao, Han, Pool, Li, Liu, Wang and Dally, Exploring the Granularity of Sparsity in "
    "Convolutional Neural Networks, 2017",
    survey="2.1",
    lab="02_pruning",
    kind=Granularity(options={"axis": -2}),
)
@dataclass(frozen=True)
class PerVector:
    """Vector granularity: one decision for each row, or each column, of every kernel.

    Between single weights and whole kernels: one index tells where three or five weights stand.

    Args:
        axis: Along which axis of the kernel a vector runs: -1 is a row, its `s` weights side by
            side; -2 a column, its `r` weights one below the other.

    >>> import torch
    >>> kernel = torch.tensor([[[[1, 2], [3, 4]]]])
    >>> PerVector(axis=-1).group(kernel).tolist(), PerVector(axis=-2).group(kernel).tolist()
    ([[1, 2], [3, 4]], [[1, 3], [2, 4]])

    Source: Mao et al., "Exploring the Granularity of Sparsity in Convolutional Neural Networks",
    2017, section 3, "1-D, sub-kernel vectors"; the survey's section 2.1, "Coarse-grained pruning";
    lab 02.
    """

    axis: int = -1

    def __post_init__(self) -> None:
        _check.one_of("PerVector", "axis", self.axis, (-1, -2))

    def group(self, x: Shaped[Tensor, "c_out c_in ..."]) -> Shaped[Tensor, "groups size"]:
        _demand_filters("PerVector", x)
        if x.ndim == 2:
            return x.reshape(-1, 1)
        moved = x.movedim(self.axis, -1)
        return moved.reshape(-1, moved.shape[-1])

    def ungroup(
        self, groups: Shaped[Tensor, "groups size"], shape: tuple[int, ...]
    ) -> Shaped[Tensor, "c_out c_in ..."]:
        if self.axis == -1 or len(shape) == 2:
            return groups.reshape(shape)
        *before, r, s = shape
        return groups.reshape(*before, s, r).transpose(-1, -2)


def _demand_filters(caller: str, x: Tensor) -> None:
    if x.ndim not in (2, 4):
        _check.fail(caller, "x", "must be a matrix or filters `c_out c_in r s`", tuple(x.shape))
