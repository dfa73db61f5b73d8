"""What a sparse tensor costs to store: its values, and the bits that say where they stand.

A zero saves nothing by itself. Four forms are counted, and every one of them is charged for its
indices: dense (no index, zeros stored), bitmap, compressed rows, and relative index.
"""

from math import ceil, log2
from typing import NamedTuple

from jaxtyping import Bool
from torch import Tensor

from efficientdl import _check


class Storage(NamedTuple):
    """The form that a tensor is stored in.

    Attributes:
        form: `dense`, `bitmap`, `csr` or `relative index`.
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
    """The smallest of the four forms that can hold the kept values.

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
    for form, index in (("bitmap", bitmap_bits(mask)), ("csr", csr_bits(mask))):
        forms.append(Storage(form, n_kept * value_bits + index, index))
    for index_bits in range(1, 17):
        entries, index = relative_index_bits(mask, index_bits=index_bits)
        forms.append(Storage("relative index", entries * value_bits + index, index))
    return min(forms, key=lambda storage: storage.bits)


def _bits_for(n_values: int) -> int:
    """Bits that tell `n_values` values apart."""
    return ceil(log2(n_values)) if n_values > 1 else 0
