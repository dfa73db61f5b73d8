"""Penalties that make weights small while a network trains, and steps that make them zero.

A penalty is added to the loss (`Recipe.penalty`): its gradient pulls weights towards zero, and
pruning then finds more that do not matter. A proximal step (`Recipe.after_step`) shrinks them
itself, and reaches zero exactly.
"""

from collections.abc import Callable, Iterator
from math import isfinite, sqrt

import torch
from jaxtyping import Float
from torch import Tensor, nn

from efficientdl import _check
from efficientdl.catalogue import Penalty, technique
from efficientdl.compression.layers import V, demand_floats, for_each, weight_layers
from efficientdl.protocols import Policy
from efficientdl.tensors import Granularity, PerChannel


@technique(
    "sparsity-l1-l2",
    paper="Han, Pool, Tran and Dally, Learning both Weights and Connections for Efficient Neural "
    "Networks, 2015",
    survey="2.1",
    lab="02_pruning",
    kind=Penalty(options={"l1": 1e-3, "l2": 1e-3}, off={"l1": 0.0, "l2": 0.0}),
)
def weight_penalty(
    model: nn.Module, *, l1: Policy[float] = 0.0, l2: Policy[float] = 0.0
) -> Float[Tensor, ""]:
    """L1 and L2 penalties: `l1 sum |w| + l2 sum w**2` over the weights, to be added to the loss.

    L1 pulls every weight towards zero equally hard, however small it is already, so many end
    next to zero; L2 pulls in proportion, so none gets there, but large ones shrink. Han et al.
    find L1 better right after pruning, and L2 better after retraining. Biases are free.

    Args:
        model: A network with linear layers or convolutions.
        l1: Strength for each weight's magnitude, 0 or more, of every layer or of those named.
        l2: Strength for each weight's square, likewise.

    Raises:
        BadValue: A strength is negative, or there are no weights.

    >>> from functools import partial
    >>> from efficientdl.fit import Recipe
    >>> layer = nn.Linear(2, 1)
    >>> _ = layer.weight.data.copy_(torch.tensor([[3.0, -1.0]]))
    >>> weight_penalty(layer, l1=0.5, l2=0.1).item()
    3.0
    >>> recipe = Recipe(weight_decay=0.0, penalty=partial(weight_penalty, l1=1e-4))

    Source: Han et al., "Learning both Weights and Connections for Efficient Neural Networks",
    NeurIPS 2015, section 3.1; the survey's section 2.1, "Training Methods"; lab 02.
    """
    terms = [s * w.abs().sum() for w, s in _weighted("weight_penalty", "l1", model, l1)]
    terms += [s * w.square().sum() for w, s in _weighted("weight_penalty", "l2", model, l2)]
    return torch.stack(terms).sum()


@technique(
    "sparsity-group-lasso",
    paper="Lebedev and Lempitsky, Fast ConvNets Using Group-wise Brain Damage, 2016",
    survey="2.1",
    lab="02_pruning",
    kind=Penalty(options={"strength": 1e-3}, off={"strength": 0.0}),
)
def group_lasso(
    model: nn.Module, *, strength: Policy[float], granularity: Granularity = PerChannel()
) -> Float[Tensor, ""]:
    """Group lasso: `strength sum sqrt(size) |group|_2`, which lets whole groups die together.

    The norm of a group is not squared: near zero it pulls as hard as far away, at all of the
    group's weights at once. So a filter stays or goes as a whole, and one that has gone can be
    removed. With `PerChannel` the groups are filters, or rows of a matrix.

    Args:
        model: A network with linear layers or convolutions.
        strength: 0 or more, of every layer or of those named.
        granularity: Which weights go together.

    Raises:
        BadValue: A strength is negative, or there are no weights.

    >>> layer = nn.Linear(2, 2)
    >>> _ = layer.weight.data.copy_(torch.tensor([[3.0, 4.0], [0.0, 0.0]]))
    >>> round(group_lasso(layer, strength=1.0).item(), 3)  # sqrt(2) times 5
    7.071

    Source: Yuan and Lin, "Model Selection and Estimation in Regression with Grouped Variables",
    2006, equation 2.1; Lebedev and Lempitsky, "Fast ConvNets Using Group-wise Brain Damage", CVPR
    2016; Wen et al., "Learning Structured Sparsity in Deep Neural Networks", NeurIPS 2016; the
    survey's section 2.1, "Training Methods"; lab 02.
    """
    terms = []
    for weight, factor in _weighted("group_lasso", "strength", model, strength):
        groups = granularity.group(weight)
        terms.append(factor * sqrt(groups.shape[1]) * torch.linalg.vector_norm(groups, dim=1).sum())
    return torch.stack(terms).sum()


def soft_threshold(weight: Float[Tensor, "*shape"], *, by: float) -> Float[Tensor, "*shape"]:
    """Move every weight towards zero by `by`, and no further: the proximal step of L1.

    It is what minimizes `|v - weight|**2 / 2 + by |v|_1`.

    >>> soft_threshold(torch.tensor([3.0, -0.5, 1.0]), by=1.0)
    tensor([2., -0., 0.])

    Source: Parikh and Boyd, "Proximal Algorithms", 2014, section 6.5.2; lab 02.
    """
    _check.at_least("soft_threshold", "by", by, 0)
    return weight.sign() * (weight.abs() - by).clamp(min=0)


def shrink_groups(
    weight: Float[Tensor, "*shape"], *, by: float, granularity: Granularity = PerChannel()
) -> Float[Tensor, "*shape"]:
    """Shorten every group by `by sqrt(size)`, at most to zero: the proximal step of group lasso.

    It is what minimizes `|v - weight|**2 / 2 + by sum sqrt(size) |group of v|_2`. With
    `PerGroup(1)` it is `soft_threshold`.

    >>> shrink_groups(torch.tensor([[30.0, 40.0], [0.6, 0.8]]), by=2.0 ** 0.5)  # norms 50 and 1
    tensor([[28.8000, 38.4000],
            [ 0.0000,  0.0000]])

    Source: Parikh and Boyd, "Proximal Algorithms", 2014, section 6.5.4; lab 02.
    """
    _check.at_least("shrink_groups", "by", by, 0)
    groups = granularity.group(weight)
    norm = torch.linalg.vector_norm(groups, dim=1, keepdim=True)
    away = by * sqrt(groups.shape[1])
    left = (norm - away).clamp(min=0) / norm.clamp(min=torch.finfo(norm.dtype).tiny)
    return granularity.ungroup(groups * left, tuple(weight.shape))


def proximal(shrink: Policy[Callable[[Tensor], Tensor]]) -> Callable[[nn.Module], None]:
    """A hook for after each step that shrinks the weights of a network in training, in place.

    The loss's own step comes first, then this one. After a step of gradient descent at the rate
    `lr`, shrinking by `lr * strength` makes it proximal gradient descent on the loss plus the
    penalty. `fit` steps with AdamW, at a rate that falls to nothing while the amount shrunk stays:
    its last steps shrink what no gradient holds any more. Mask what is zero then, with
    `without_zeros`, and train what is left once more without the hook.

    Args:
        shrink: What to do to the weight, `partial(shrink_groups, by=1e-3)`, say, of every layer
            or of those named.

    >>> from functools import partial
    >>> layer = nn.Linear(3, 1)
    >>> proximal(partial(soft_threshold, by=100.0))(layer)
    >>> int(layer.weight.count_nonzero())
    0

    Source: Parikh and Boyd, "Proximal Algorithms", 2014, section 4.2; lab 02.
    """

    def hook(model: nn.Module) -> None:
        with torch.no_grad():
            for weight, shrunk in _weights("proximal", "shrink", model, shrink):
                weight.copy_(shrunk(weight))

    return hook


def _weighted(
    caller: str, option: str, model: nn.Module, policy: Policy[float]
) -> Iterator[tuple[Tensor, float]]:
    """Each weight once, with its strength."""
    for weight, strength in _weights(caller, option, model, policy):
        _check.at_least(caller, option, strength, 0)
        if not isfinite(strength):
            _check.fail(caller, option, "must be finite", strength)
        yield weight, strength


def _weights(
    caller: str, option: str, model: nn.Module, policy: Policy[V]
) -> Iterator[tuple[Tensor, V]]:
    """Each weight once, with its option; one that layers share, with that of the first."""
    layers = weight_layers(caller, model)
    seen: set[int] = set()
    for name, value in for_each(caller, option, policy, layers).items():
        weight = demand_floats(caller, name, layers[name]).weight
        if id(weight) not in seen:
            seen.add(id(weight))
            yield weight, value
