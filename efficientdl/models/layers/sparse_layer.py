"""What layers on the sparse kernels share: a weight in compressed rows, and the forms it takes.

They are for inference alone: the kernels know no gradients, and in training mode they refuse. They
run on the processor, in float32 or float64.
"""

from math import prod

import torch
from jaxtyping import Float
from torch import Tensor, nn

from efficientdl import _check
from efficientdl.kernels.sparse.matrix import SparseMatrix
from efficientdl.models.layers.kernel_form import KernelForm, demand_inference
from efficientdl.models.layers.stored_weight import bits_of
from efficientdl.report import Cost
from efficientdl.tensors import Csr


class SparseLayer(nn.Module):
    """A weight in compressed rows, and a bias, all of them buffers.

    The kernels read the weight in other forms, which are packed when they are first asked for.
    They are in no file and in no copy: whatever changes the buffers, the next call packs anew.

    Args:
        csr: The weight as a matrix, one row for each output channel.
        bias: What is added to each output channel, if anything is.
        weight_shape: Shape of the dense weight, `c_out` first.
    """

    values: Float[Tensor, " kept"]
    columns: Tensor
    row_starts: Tensor
    bias: Float[Tensor, " c_out"] | None

    def __init__(self, csr: Csr, bias: Tensor | None, *, weight_shape: tuple[int, ...]) -> None:
        super().__init__()
        if csr.values.dtype not in (torch.float32, torch.float64):
            rule = "must be float32 or float64, which the kernel is compiled for"
            _check.fail(type(self).__name__, "the weight's dtype", rule, str(csr.values.dtype))
        self.shape, self.weight_shape = csr.shape, weight_shape
        self.register_buffer("values", csr.values)
        self.register_buffer("columns", csr.columns)
        self.register_buffer("row_starts", csr.row_starts)
        self.register_buffer("bias", None if bias is None else bias.detach().clone())
        self._matrix = KernelForm(_matrix_of)
        self.eval()

    @property
    def csr(self) -> Csr:
        """The weight in compressed rows."""
        return Csr(self.values, self.columns, self.row_starts, self.shape)

    @property
    def matrix(self) -> SparseMatrix:
        """The weight as the kernels read it."""
        return self._matrix.of(self.values, self.columns, self.row_starts, self.shape)

    @property
    def weight(self) -> Float[Tensor, "..."]:
        """The dense weight, zeros and all; made anew each time, to look at."""
        n_groups = self.shape[1] // prod(self.weight_shape[1:])  # their blocks are on the diagonal
        blocks = self.csr.to_dense().unflatten(1, (n_groups, -1)).unflatten(0, (n_groups, -1))
        return blocks.diagonal(dim1=0, dim2=2).permute(2, 0, 1).reshape(self.weight_shape)

    def demand_inference(self, x: Tensor) -> None:
        """Refuse what the kernels cannot do.

        Raises:
            BadValue: The layer is in training mode, or the input is of another dtype or device.
        """
        demand_inference(self, x, self.values.dtype)

    def sparse_cost(self, x_shape: tuple[int, ...], y_shape: tuple[int, ...]) -> Cost:
        """The MACs that run, and the bits and traffic of compressed rows, for these shapes."""
        n_kept, n_bias = len(self.values), 0 if self.bias is None else len(self.bias)
        index_bits = bits_of(self.columns) + bits_of(self.row_starts)
        weight_bits = bits_of(self.values) + index_bits + bits_of(self.bias)
        moved = (prod(x_shape) + prod(y_shape)) * self.values.element_size() + weight_bits // 8
        return Cost(
            params=prod(self.weight_shape) + n_bias,
            macs=n_kept * prod(y_shape) // self.shape[0],
            weight_bits=weight_bits,
            traffic_bytes=moved,
        )

    def extra_repr(self) -> str:
        return f"kept={len(self.values)} of {prod(self.weight_shape)}"


def drops_weights(layer: nn.Module) -> bool:
    """Whether a layer has a mask that drops a weight.

    >>> drops_weights(nn.Linear(2, 2))
    False
    """
    mask = getattr(layer, "mask", None)
    return isinstance(mask, Tensor) and not bool(mask.all())


def _matrix_of(
    values: Tensor, columns: Tensor, row_starts: Tensor, shape: tuple[int, int]
) -> SparseMatrix:
    return SparseMatrix(values.numpy(), columns.numpy(), row_starts.numpy(), shape[1])
