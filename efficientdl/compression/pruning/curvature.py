"""Second derivatives and sensitivities of every weight by itself, example by example.

Both are sums over examples of squared gradients of outputs, `(do/dw)^2`, and come from the same
backward passes, one for each output of the network: `C` passes a batch for `C` classes.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn

from efficientdl import _check
from efficientdl.compression.layers import WeightLayer
from efficientdl.compression.pruning.recording import (
    Calls,
    example_gradients,
    input_columns,
    output_columns,
    recording,
)

Layers = Mapping[str, WeightLayer]
PerLayer = dict[str, Tensor]
Batches = Iterable[tuple[Tensor, Tensor]]
AT_ONCE = 2**22  # gradients of single examples that are held together: 16 MiB of float32


def hessian_diagonal(
    caller: str,
    model: nn.Module,
    layers: Layers,
    batches: Batches,
    *,
    loss: Callable[[Tensor, Tensor], Tensor],
) -> PerLayer:
    """The diagonal of the Gauss-Newton matrix: `h_kk` as Optimal Brain Damage takes it.

    With `J = do/dw` and the Hessian `M` of the loss in the outputs, `h = diag(J^T M J)`, averaged
    over the examples. What is left out is the curvature of the network itself, `dL/do d2o/dw2`.
    Of one weight alone, a network of linear layers, convolutions, ReLUs and batch norms in
    evaluation mode is a piecewise linear function: that term is zero, and `h` exact.

    Args:
        caller: Who asks, for the error.
        model: The network, in evaluation mode, with outputs `n c`.
        layers: Those of its layers that are meant.
        batches: Inputs and labels.
        loss: `f(output, y) -> scalar`, the mean over a batch.

    >>> x = torch.tensor([[1.0, 2.0], [3.0, 0.0]])
    >>> layer = nn.Linear(2, 1)
    >>> half_square = lambda y, t: ((y - t) ** 2).mean() / 2
    >>> hessian_diagonal("prune", layer, {"": layer}, [(x, torch.zeros(2, 1))], loss=half_square)
    {'': tensor([[5., 2.]])}

    Source: LeCun, Denker and Solla, "Optimal Brain Damage", NeurIPS 1989, section 2, "computing
    the second derivatives", with its Levenberg-Marquardt approximation; lab 02.
    """
    total = _zeros(layers)
    n_examples = 0
    for x, y in batches:
        n_examples += len(x)
        with recording(caller, model, layers) as calls:
            output = _rows(caller, model(x))
        columns = _columns(calls)
        values, vectors = torch.linalg.eigh(_output_hessian(output, y, loss))  # M = sum a v v^T
        for c in range(output.shape[1]):
            direction = (output * vectors[:, :, c]).sum()
            for name, part, grads in _gradients(calls, columns, direction):
                total[name] += torch.einsum("n,nok->ok", values[part, c], grads.square())
    return _shaped(layers, total, n_examples)


def sensitivity_variance(
    caller: str, model: nn.Module, layers: Layers, batches: Batches
) -> PerLayer:
    """How much the gradient of an output in a weight varies from example to example.

    Args:
        caller: Who asks, for the error.
        model: The network, in evaluation mode.
        layers: Those of its layers that are meant.
        batches: Inputs and labels; the labels are not looked at.

    >>> x = torch.tensor([[1.0, 2.0], [3.0, 2.0]])
    >>> layer = nn.Linear(2, 1)
    >>> sensitivity_variance("prune", layer, {"": layer}, [(x, x)])
    {'': tensor([[1., 0.]])}

    Source: Engelbrecht, "A New Pruning Heuristic Based on Variance Analysis of Sensitivity
    Information", IEEE Transactions on Neural Networks 12(6), 2001; lab 02.
    """
    means: list[PerLayer] = []
    squares: list[PerLayer] = []  # sums of squared distances from the mean, output by output
    n_seen = 0
    for x, _ in batches:
        with recording(caller, model, layers) as calls:
            output = _rows(caller, model(x))
        columns = _columns(calls)
        for c in range(output.shape[1]):
            if len(means) <= c:
                means.append(_zeros(layers))
                squares.append(_zeros(layers))
            for name, part, grads in _gradients(calls, columns, output[:, c].sum()):
                _merge(means[c], squares[c], name, grads, n_seen + part.start)
        n_seen += len(x)
    total = {name: sum(s[name] for s in squares) for name in layers}
    return _shaped(layers, total, n_seen * len(squares))  # pyright: ignore[reportArgumentType]


def _rows(caller: str, output: Tensor) -> Float[Tensor, "n c"]:
    if output.ndim != 2:
        rule = "must give outputs `n c`, a row for each example"
        _check.fail(caller, "model", rule, tuple(output.shape))
    return output


def _merge(
    means: PerLayer, squares: PerLayer, name: str, grads: Float[Tensor, "n c_out k"], n_seen: int
) -> None:
    """Take a batch into mean and squared distances: no difference of large numbers is formed."""
    n, mean = len(grads), grads.mean(dim=0)
    apart = mean - means[name]
    within = (grads - mean).square().sum(dim=0)
    squares[name] += within + apart.square() * (n_seen * n / (n_seen + n))
    means[name] += apart * (n / (n_seen + n))


def _output_hessian(
    output: Float[Tensor, "n c"], y: Tensor, loss: Callable[[Tensor, Tensor], Tensor]
) -> Float[Tensor, "n c c"]:
    """Second derivative of each example's loss in its outputs; a mean over the batch has none
    across examples."""
    free = output.detach().requires_grad_(True)
    value = loss(free, y) * len(free)
    (slope,) = torch.autograd.grad(value, free, create_graph=True)
    if not slope.requires_grad:  # a loss that is linear in the outputs
        return slope.new_zeros(*slope.shape, slope.shape[1])
    rows = [
        torch.autograd.grad(slope[:, c].sum(), free, retain_graph=True, materialize_grads=True)[0]
        for c in range(free.shape[1])
    ]
    return torch.stack(rows, dim=1)


def _columns(calls: Calls) -> dict[str, list[Tensor]]:
    """The unfolded inputs of every call: the same for each output of the network."""
    return {n: [input_columns(call.layer, call.x) for call in found] for n, found in calls.items()}


def _gradients(
    calls: Calls, columns: Mapping[str, list[Tensor]], scalar: Tensor
) -> Iterator[tuple[str, slice, Float[Tensor, "n c_out k"]]]:
    """Each weight's gradient of a sum over examples, example by example, a few at a time."""
    outputs = [call.y for found in calls.values() for call in found]
    grads = iter(torch.autograd.grad(scalar, outputs, retain_graph=True, materialize_grads=True))
    for name, found in calls.items():
        slopes = [output_columns(call.layer, next(grads)) for call in found]
        n, step = slopes[0].shape[1], max(1, AT_ONCE // found[0].layer.weight.numel())
        for part in (slice(i, min(i + step, n)) for i in range(0, n, step)):
            uses = zip(columns[name], slopes, strict=True)
            grad, *more = [example_gradients(x[:, part], slope[:, part]) for x, slope in uses]
            yield name, part, sum(more, start=grad)


def _zeros(layers: Layers) -> PerLayer:
    return {name: torch.zeros_like(layer.weight.flatten(1)) for name, layer in layers.items()}


def _shaped(layers: Layers, total: PerLayer, n: int) -> PerLayer:
    return {
        name: (total[name] / n).detach().reshape(layer.weight.shape)
        for name, layer in layers.items()
    }
