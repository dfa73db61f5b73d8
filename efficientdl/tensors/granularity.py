"""Which weights share one decision: a scale, a mask bit, a bit width.

A granularity cuts a tensor into groups of equal size, one group a row, and puts them back. A
scale, a mask bit and a norm are then all the same thing: a reduction over the last axis.

>>> import torch
>>> filters = torch.arange(8.0).reshape(2, 4)
>>> PerChannel().group(filters).amax(dim=1)
tensor([3., 7.])
"""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from jaxtyping import Shaped
from torch import Tensor

from efficientdl import _check


@runtime_checkable
class Granularity(Protocol):
    """Cut a tensor into groups that share one decision, and put it together again."""

    def group(self, x: Shaped[Tensor, "..."]) -> Shaped[Tensor, "groups size"]:
        """The groups of `x`, one a row; every element stands in exactly one of them."""
        ...

    def ungroup(
        self, groups: Shaped[Tensor, "groups size"], shape: tuple[int, ...]
    ) -> Shaped[Tensor, "..."]:
        """The tensor of this shape that `group` cut into these groups."""
        ...


@dataclass(frozen=True)
class PerTensor:
    """One decision for the whole tensor.

    >>> import torch
    >>> PerTensor().group(torch.zeros(8, 16)).shape
    torch.Size([1, 128])
    """

    def group(self, x: Shaped[Tensor, "..."]) -> Shaped[Tensor, "1 size"]:
        return x.reshape(1, -1)

    def ungroup(
        self, groups: Shaped[Tensor, "1 size"], shape: tuple[int, ...]
    ) -> Shaped[Tensor, "..."]:
        return groups.reshape(shape)


@dataclass(frozen=True)
class PerChannel:
    """One decision for each index of the first axis: an output channel, a row of a matrix.

    >>> import torch
    >>> PerChannel().group(torch.zeros(8, 16, 3, 3)).shape
    torch.Size([8, 144])
    """

    def group(self, x: Shaped[Tensor, "c_out ..."]) -> Shaped[Tensor, "c_out size"]:
        return x.flatten(1) if x.ndim > 1 else x.unsqueeze(1)

    def ungroup(
        self, groups: Shaped[Tensor, "c_out size"], shape: tuple[int, ...]
    ) -> Shaped[Tensor, "c_out ..."]:
        return groups.reshape(shape)


@dataclass(frozen=True)
class PerGroup:
    """One decision for each run of `size` neighbours in memory order; 1 is every weight alone.

    >>> import torch
    >>> PerGroup(4).group(torch.zeros(8, 16)).shape
    torch.Size([32, 4])
    """

    size: int

    def __post_init__(self) -> None:
        _check.whole("PerGroup", "size", self.size, 1)

    def group(self, x: Shaped[Tensor, "..."]) -> Shaped[Tensor, "groups size"]:
        _check.divides("PerGroup", "size", self.size, "the number of weights", x.numel())
        return x.reshape(-1, self.size)

    def ungroup(
        self, groups: Shaped[Tensor, "groups size"], shape: tuple[int, ...]
    ) -> Shaped[Tensor, "..."]:
        return groups.reshape(shape)


@dataclass(frozen=True)
class PerBlock:
    """One decision for each tile of `rows` x `cols` of a matrix.

    Filters `c_out c_in r s` are tiled as the matrix `c_out` by `c_in r s` that a convolution
    multiplies by.

    >>> import torch
    >>> PerBlock(4, 2).group(torch.zeros(8, 16)).shape
    torch.Size([16, 8])
    """

    rows: int
    cols: int

    def __post_init__(self) -> None:
        _check.whole("PerBlock", "rows", self.rows, 1)
        _check.whole("PerBlock", "cols", self.cols, 1)

    def group(self, x: Shaped[Tensor, "m ..."]) -> Shaped[Tensor, "groups size"]:
        matrix = PerChannel().group(x)
        m, n = matrix.shape
        _check.divides("PerBlock", "rows", self.rows, "the matrix's height", m)
        _check.divides("PerBlock", "cols", self.cols, "the matrix's width", n)
        tiles = matrix.reshape(m // self.rows, self.rows, n // self.cols, self.cols)
        return tiles.transpose(1, 2).reshape(-1, self.rows * self.cols)

    def ungroup(
        self, groups: Shaped[Tensor, "groups size"], shape: tuple[int, ...]
    ) -> Shaped[Tensor, "m ..."]:
        m, n = shape[0], groups.numel() // shape[0]
        tiles = groups.reshape(m // self.rows, n // self.cols, self.rows, self.cols)
        return tiles.transpose(1, 2).reshape(shape)
