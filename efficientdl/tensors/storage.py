"""What a sparse tensor costs to store: its values, and the bits that say where they stand.

A zero saves nothing by itself. Several forms are counted, and every one of them is charged for its
indices: dense (no index, zeros stored), bitmap, compressed rows, and relative index, whatever the
zeros look like; a bitmap of whole groups and a list of patterns, where they are regular. That is
what regular zeros save: places that need not be told.
"""

from math import ceil, log2
from typing import NamedTuple

import torch
from jaxtyping import Bool
from torch import Tensor

from efficientdl import _check


class Storage(NamedTuple):
    """The form that a tensor is stored in.

    Attributes:
        form: `dense`, `bitmap`, `csr`, `relative index`, `group bitmap` or `patterns`.
        bits: All of it: values and indices.
        index_bits: The indices' part.
    """

    form: str
    bits: int
    index_bits: int


def bitmap_bits(mask: Bool[Tensor, "..."]) -> int:
    """Index bits of a bitmap: one for every weight, kept or not.

    >>> import torch
    >>> bitmap_bits(torch.tensor([True, False, False, True]))
    4
    """
    return mask.numel()


def group_bitmap_bits(mask: Bool[Tensor, "..."]) -> int | None:
    """Index bits of a bitmap with one bit for each group, where groups stay or go as a whole.

    The largest groups that do are taken: of filters `c_out c_in r s` the filters, kernels `r s` or
    kernel rows `s`; of a matrix its rows.

    Returns:
        None where no group but single weights stays or goes as a whole.

    >>> import torch
    >>> mask = torch.zeros(2, 4, 3, 3, dtype=torch.bool)
    >>> mask[:, ::2] = True  # every other kernel
    >>> group_bitmap_bits(mask)
    8

    Source: Mao, Han, Pool, Li, Liu, Wang and Dally, "Exploring the Granularity of Sparsity in
    Convolutional Neural Networks", 2017, section 5, on the indices that groups save.
    """
    for axis in range(1, mask.ndim):
        groups = mask.flatten(axis)
        whole = groups.all(dim=-1) | ~groups.any(dim=-1)
        if bool(whole.all()):
            return whole.numel()
    return None


def pattern_bits(mask: Bool[Tensor, "..."]) -> int | None:
    """Index bits of a list of patterns, and the number of its pattern for each kernel.

    Returns:
        None where there are no filters `c_out c_in r s` of 2 to 62 weights a kernel.

    >>> mask = torch.zeros(8, 4, 3, 3, dtype=torch.bool)
    >>> mask[:, :, 1] = True
    >>> mask[0] = ~mask[0]
    >>> pattern_bits(mask)  # two patterns of 9 bits, one bit for each of 32 kernels
    50

    Source: Niu et al., "PatDNN", ASPLOS 2020, section 5, on how pattern-pruned weights are stored.
    """
    size = mask.shape[2:].numel()
    if mask.ndim != 4 or not mask.numel() or not 2 <= size <= 62:
        return None
    kernels = mask.flatten(0, 1).flatten(1)
    codes = (kernels << torch.arange(size, device=mask.device)).sum(dim=1)
    n_patterns = len(codes.unique())
    return n_patterns * size + len(kernels) * _bits_for(n_patterns)


def csr_bits(mask: Bool[Tensor, "..."]) -> int:
    """Index bits of compressed sparse rows: a column for each value, a start for each row.

    Filters `c_out c_in r s` are the matrix `c_out` by `c_in r s`. Each index takes as many bits
    as its largest value needs.

    >>> import torch
    >>> csr_bits(torch.eye(4, dtype=torch.bool))  # 4 columns of 2 bits, 5 row starts of 3 bits
    23
    """
    rows = mask.shape[0] if mask.ndim > 1 else 1
    columns = mask.numel() // max(rows, 1)
    n_kept = int(mask.count_nonzero())
    return n_kept * _bits_for(columns) + (rows + 1) * _bits_for(n_kept + 1)


def relative_index_bits(mask: Bool[Tensor, "..."], *, index_bits: int) -> tuple[int, int]:
    """Entries and index bits when each value stores its distance from the one before it.

    A distance takes `index_bits` and reaches `2**index_bits` places. Where the next value is
    farther away, a zero is stored on the way: it costs a value and an index like any other.

    Args:
        mask: What is kept, read in memory order.
        index_bits: Bits of one distance, 1..16.

    Returns:
        The number of entries, those zeros included, and the bits of all their indices.

    >>> import torch
    >>> figure = torch.zeros(16, dtype=torch.bool)
    >>> figure[[0, 3, 14]] = True  # distances 1, 3 and 11; three bits reach 8
    >>> relative_index_bits(figure, index_bits=3)
    (4, 12)

    Source: Han, Mao and Dally, "Deep Compression", ICLR 2016, section 2, figure 2; the survey's
    section 2.3; lab 01.
    """
    _check.whole("relative_index_bits", "index_bits", index_bits, 1, 16)
    places = mask.flatten().nonzero().flatten()
    distances = places.diff(prepend=places.new_full((1,), -1))
    fillers = (distances - 1).div(2**index_bits, rounding_mode="floor")
    entries = len(places) + int(fillers.sum())
    return entries, entries * index_bits


def storage_bits(mask: Bool[Tensor, "..."], *, value_bits: int) -> Storage:
    """The smallest of the forms that can hold the kept values.

    The tensor's shape is known to its layer and is not counted.

    Args:
        mask: What is kept.
        value_bits: Bits of one value, 32 for float.

    >>> import torch
    >>> storage_bits(torch.ones(8, 8, dtype=torch.bool), value_bits=32)
    Storage(form='dense', bits=2048, index_bits=0)
    >>> storage_bits(torch.eye(8, dtype=torch.bool), value_bits=32)  # distances 1, 9, 9, ...
    Storage(form='relative index', bits=288, index_bits=32)
    """
    _check.whole("storage_bits", "value_bits", value_bits, 1)
    n_kept = int(mask.count_nonzero())
    forms = [Storage("dense", mask.numel() * value_bits, 0)]
    by_index = {
        "bitmap": bitmap_bits(mask),
        "csr": csr_bits(mask),
        "group bitmap": group_bitmap_bits(mask),
        "patterns": pattern_bits(mask),
    }
    for form, index in by_index.items():
        if index is not None:
            forms.append(Storage(form, n_kept * value_bits + index, index))
    for index_bits in range(1, 17):
        entries, index = relative_index_bits(mask, index_bits=index_bits)
        forms.append(Storage("relative index", entries * value_bits + index, index))
    return min(forms, key=lambda storage: storage.bits)


def _bits_for(n_values: int) -> int:
    """Bits that tell `n_values` values apart."""
    return ceil(log2(n_values)) if n_values > 1 else 0
