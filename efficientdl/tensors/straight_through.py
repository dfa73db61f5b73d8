"""Rounding for training: the values that codes stand for, with a gradient that passes through."""

import torch
from jaxtyping import Float
from torch import Tensor

from efficientdl.tensors.affine import QParams, dequantize, quantize
from efficientdl.tensors.granularity import Granularity


def on_levels(
    x: Float[Tensor, "*shape"], qparams: QParams, *, granularity: Granularity
) -> Float[Tensor, "*shape"]:
    """What `quantize` and `dequantize` make of `x`, bit for bit, with a gradient.

    The gradient is 1 where a value goes to its nearest level, and 0 where it was cut to the end of
    the range: equation 2's, for levels that are given by scale and zero point.

    Args:
        x: What to round.
        qparams: The levels, one row for each group.
        granularity: What shares a row.

    >>> from efficientdl.tensors import PerTensor
    >>> levels = QParams(torch.tensor([[0.5]]), torch.tensor([[2.0]]), n_levels=5)
    >>> x = torch.tensor([-3.0, 0.1, 0.4], requires_grad=True)
    >>> y = on_levels(x, levels, granularity=PerTensor())
    >>> y.tolist(), torch.autograd.grad(y.sum(), x)[0].tolist()
    ([-1.0, 0.0, 0.5], [0.0, 1.0, 1.0])

    Source: equation 2 in section 2.3 of the survey; Jacob et al., "Quantization and Training of
    Neural Networks for Efficient Integer-Arithmetic-Only Inference", CVPR 2018, section 3; lab 04.
    """
    still = x.detach()
    rounded = dequantize(
        quantize(still, qparams, granularity=granularity), qparams, granularity=granularity
    )
    if not (torch.is_grad_enabled() and x.requires_grad):
        return rounded.to(x.dtype)  # nothing to pass a gradient to: an inference takes half as long
    step = qparams.scale.where(qparams.scale != 0, 1.0)
    places = (granularity.group(still) / step + qparams.zero_point).round()
    highest = qparams.lowest + qparams.n_levels - 1
    uncut = (places >= qparams.lowest) & (places <= highest)
    passes = granularity.ungroup(uncut, tuple(x.shape)).to(x.dtype)
    return rounded.to(x.dtype) + (x - still) * passes  # eq. 2, straight through: x - still is 0
