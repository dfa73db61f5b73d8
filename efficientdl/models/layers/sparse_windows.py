"""A sparse convolution as a product in compressed rows, with no matrix made of the input.

Where the whole input lies in one row of memory, what a weight meets, over all outputs, is one
window of that row: it begins at the weight's own place. So a convolution is the sparse matrix times
the windows. A few outputs at the right border mix two lines, and are cut off. With a stride, the
input is first sorted into its phases: at stride 2, even and odd lines.
"""

from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Bool, Float, Int32
from numpy.lib.stride_tricks import sliding_window_view
from torch import Tensor
from torch.nn import functional

from efficientdl.kernels import csr_matmul
from efficientdl.tensors import Csr

Sides = tuple[int, int]
_PIXELS = 1024  # of a channel at a time: what is computed meanwhile stays in the caches


def convolve_windows(
    x: Float[Tensor, "n c_in h w"], filters: Csr, kernel_size: Sides, stride: Sides, dilation: Sides
) -> Float[Tensor, "n c_out p q"]:
    """Convolve padded images with filters in compressed rows.

    Args:
        x: The images with their border, float32 or float64.
        filters: From `filters_in_groups`.
        kernel_size: Lines and columns of the kernel.
        stride: From one window to the next.
        dilation: From one tap to the next.

    >>> ones = filters_in_groups(torch.ones(1, 1, 2, 2), None, 1)
    >>> convolve_windows(torch.ones(1, 1, 2, 3), ones, (2, 2), (1, 1), (1, 1))
    tensor([[[[4., 4.]]]])
    """
    sides = zip(x.shape[2:], kernel_size, dilation, stride, strict=True)
    p, q = ((side - d * (r - 1) - 1) // s + 1 for side, r, d, s in sides)
    y = x.new_empty(len(x), filters.shape[0], p, q)
    n_together = max(1, _PIXELS // x[0, 0].numel())
    for some, outputs in zip(x.split(n_together), y.split(n_together), strict=True):
        phases = _phases(some, stride).contiguous()
        places, n_outputs = _places(tuple(phases.shape), kernel_size, dilation)
        windows = sliding_window_view(phases.numpy().reshape(-1), n_outputs)
        columns = places[filters.columns.numpy()]
        made = csr_matmul(filters.values.numpy(), columns, filters.row_starts.numpy(), windows)
        height, width = phases.shape[-2:]  # the pitch at which the outputs still stand
        strides = (height * width, n_outputs, width, 1)
        outputs.copy_(torch.from_numpy(made).as_strided(outputs.shape, strides))
    return y


def filters_in_groups(
    weight: Float[Tensor, "c_out c_in r s"],
    mask: Bool[Tensor, "c_out c_in r s"] | None,
    groups: int,
) -> Csr:
    """Filters as a matrix: a row for each, a column for each place in all input channels.

    Args:
        weight: The filters, of as many input channels as a group has.
        mask: What is kept; None for all that is not zero.
        groups: How many groups of channels there are.

    >>> filters_in_groups(torch.ones(2, 1, 1, 1), None, 2).to_dense()
    tensor([[1., 0.],
            [0., 1.]])
    """
    csr = Csr.from_dense(weight.flatten(1), None if mask is None else mask.flatten(1))
    c_out, per_group = csr.shape
    group = torch.arange(c_out) // (c_out // groups)
    first_column = (group * per_group).repeat_interleave(csr.row_starts.diff().long())
    columns = (csr.columns + first_column).to(torch.int32)
    return Csr(csr.values, columns, csr.row_starts, (c_out, per_group * groups))


def _phases(x: Tensor, stride: Sides) -> Tensor:
    """Images, sorted by channel and phase: `c_in, stride, stride, n, h, w`."""
    down, right = stride
    rest = (0, -x.shape[3] % right, 0, -x.shape[2] % down)
    whole = functional.pad(x, rest) if any(rest) else x
    return whole.unflatten(3, (-1, right)).unflatten(2, (-1, down)).permute(1, 3, 5, 0, 2, 4)


@lru_cache(maxsize=256)  # the same for every batch of one shape
def _places(
    shape: tuple[int, ...], kernel_size: Sides, dilation: Sides
) -> tuple[Int32[np.ndarray, " places"], int]:
    """Where in phases of this shape each weight of a filter meets the first output, in order.

    And how many outputs, at the input's pitch, it then has a place for.
    """
    c_in, down, right, n_images, height, width = shape
    r, s = (d * np.arange(n) for n, d in zip(kernel_size, dilation, strict=True))
    phase = (r % down)[:, None] * right + s % right
    within = (r // down)[:, None] * width + s // right
    channel = np.arange(c_in)[:, None, None] * (down * right)
    places = (channel + phase) * (n_images * height * width) + within
    n_outputs = n_images * height * width - int(within.max())
    return places.astype(np.int32).reshape(-1), n_outputs
