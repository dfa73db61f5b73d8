"""The cost of a layer whose weight is stored in another form than it is multiplied in."""

from math import prod

from torch import Tensor

from efficientdl.report import Cost


def dense_kernel_cost(
    y_shape: tuple[int, ...], *, weight_shape: tuple[int, ...], weight_bits: int, bias_bits: int
) -> Cost:
    """Cost of a layer that unpacks its weight and hands it to a dense kernel.

    The MACs are those of the dense shape: such a kernel multiplies by the zeros too, and a small
    file is not yet a fast layer. Activations and traffic are left to the counter, which sees them.

    Args:
        y_shape: Shape of the output.
        weight_shape: Shape of the dense weight, `c_out` first.
        weight_bits: Storage of the weight, indices and scales included.
        bias_bits: Storage of the bias, in float; 0 for none.

    >>> dense_kernel_cost((1, 4), weight_shape=(4, 8), weight_bits=96, bias_bits=128)
    Cost(params=36, macs=32, weight_bits=224)
    """
    n_bias = weight_shape[0] if bias_bits else 0
    return Cost(
        params=prod(weight_shape) + n_bias,
        macs=prod(y_shape) * prod(weight_shape[1:]),
        weight_bits=weight_bits + bias_bits,
    )


def bits_of(value: Tensor | None) -> int:
    """Storage of a tensor as it is, 0 for none."""
    return 0 if value is None else 8 * value.element_size() * value.numel()
