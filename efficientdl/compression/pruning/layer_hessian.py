"""The Hessian of a layer's own error, which is the same for each of its outputs.

Take as loss how far the layer's output moves, `|| (W' - W) x ||^2` per example. It is a quadratic
in the weights, and each row of `W` has the Hessian `H = 2 X X^T / n`, with the inputs (or unfolded
patches) as the columns of `X`. A wide layer's is kept in square blocks along its diagonal.
"""

from collections.abc import Iterable, Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn

from efficientdl import _check
from efficientdl.compression.layers import WeightLayer
from efficientdl.compression.pruning.recording import input_columns, recording

BLOCK = 128  # inputs of a row that are looked at together
DAMPENING = 0.01  # added to the diagonal, as a share of its mean
Blocks = list[Float[Tensor, "_ _ _"]]  # groups of squares; the last square may be smaller


@torch.no_grad()
def layer_hessians(
    caller: str,
    model: nn.Module,
    layers: Mapping[str, WeightLayer],
    inputs: Iterable[Float[Tensor, "_ ..."]],
    *,
    block: int,
) -> dict[str, Blocks]:
    """The Hessian of each layer's mean squared error per example, in double precision.

    Args:
        caller: Who asks, for the error.
        model: The network, in the mode that it is to run in.
        layers: Those of its layers that are meant.
        inputs: Batches of its input.
        block: Size of a block; the last one may be smaller.

    >>> x = torch.tensor([[1.0, 0.0], [1.0, 2.0]])
    >>> layer = nn.Linear(2, 3)
    >>> layer_hessians("prune", layer, {"": layer}, [x], block=2)[""][0].tolist()
    [[[2.0, 2.0], [2.0, 4.0]]]
    """
    sums: dict[str, Blocks] = {}
    n_examples = 0
    for x in inputs:
        n_examples += len(x)
        with recording(caller, model, layers) as calls:
            model(x)
        for name, found in calls.items():
            for call in found:
                here = _moments(input_columns(call.layer, call.x).flatten(1, 2).double(), block)
                old = sums.get(name, [torch.zeros_like(h) for h in here])
                sums[name] = [a + b for a, b in zip(old, here, strict=True)]
    return {name: [2 * h / n_examples for h in blocks] for name, blocks in sums.items()}


def inverses(caller: str, hessians: Blocks, *, dampening: float = DAMPENING) -> Blocks:
    """The inverse of every block, with its diagonal raised a little.

    Fewer examples than inputs, or an input that is always zero, leave a Hessian without an
    inverse. The share of the mean diagonal that is added mends that.

    Args:
        caller: Who asks, for the error.
        hessians: The blocks.
        dampening: What is added to the diagonal, as a share of its mean; 0 or more.

    Raises:
        BadValue: The dampening is negative, or too small for the block to have an inverse.

    >>> blocks = [torch.diag_embed(torch.tensor([[2.0, 6.0]]))]
    >>> inverses("prune", blocks, dampening=0.5)[0].diagonal(0, 1, 2)
    tensor([[0.2500, 0.1250]])
    """
    _check.at_least(caller, "dampening", dampening, 0)
    found = []
    for h in hessians:
        diagonal = h.diagonal(dim1=-2, dim2=-1)
        mean = diagonal.mean(dim=-1)
        raised = dampening * mean.where(mean > 0, 1.0)
        factor, failed = torch.linalg.cholesky_ex(
            h + torch.diag_embed(raised[:, None] + 0 * diagonal)
        )
        if bool(failed.any()):
            rule = "must be larger: the Hessian has no inverse"
            _check.fail(caller, "dampening", rule, dampening)
        found.append(torch.cholesky_inverse(factor))
    return found


def _moments(columns: Float[Tensor, "groups samples k"], block: int) -> Blocks:
    return [part.transpose(1, 2) @ part for part in columns.split(block, dim=2)]
