"""L0 regularization: gates that open and close by chance, and learn how likely.

The number of weights that are not zero has no gradient. Put a random gate of 0 or 1 before each
group of weights, and the *expected* number is the sum of the gates' probabilities to be open,
which has one. Hard concrete gates are continuous in between, so that the loss has one too.
"""

from copy import deepcopy
from math import log

import torch
from jaxtyping import Float
from torch import Tensor, nn

from efficientdl import _check
from efficientdl.catalogue import Penalty, technique
from efficientdl.compression.layers import FloatLayer, for_each, put, weight_layers
from efficientdl.compression.pruning.masks import masked_result, with_masks
from efficientdl.compression.pruning.reweighting import behind_rules
from efficientdl.compression.pruning.scoring import own_copy
from efficientdl.models.layers.reweighted import Reweighted
from efficientdl.protocols import Mask, Policy, Result
from efficientdl.tensors import Granularity, PerChannel

BETA = 2 / 3  # temperature: how seldom a gate is neither open nor closed
LOW, HIGH = -0.1, 1.1  # gamma and zeta: as far as gates are stretched before they are cut to 0..1


def hard_concrete(
    log_alpha: Float[Tensor, "*gates"], u: Float[Tensor, "*gates"]
) -> Float[Tensor, "*gates"]:
    """Draw gates from uniform numbers: 0 is closed, 1 open, and both are reached exactly.

    A smoothed coin, `sigmoid((log u - log(1 - u) + log_alpha) / beta)`, is stretched to
    (-0.1, 1.1) and cut to [0, 1].

    Args:
        log_alpha: How much a gate wants to be open; 0 is undecided.
        u: Uniform in (0, 1).

    >>> hard_concrete(torch.tensor([0.0, 0.0, 0.0]), torch.tensor([0.1, 0.5, 0.9]))
    tensor([0.0000, 0.5000, 1.0000])

    Source: Louizos, Welling and Kingma, "Learning Sparse Neural Networks through L0
    Regularization", ICLR 2018, equations 10 and 11; lab 02.
    """
    s = torch.sigmoid((u.log() - (-u).log1p() + log_alpha) / BETA)  # eq. 10
    return (s * (HIGH - LOW) + LOW).clamp(0, 1)  # eq. 10, 11


def open_probability(log_alpha: Float[Tensor, "*gates"]) -> Float[Tensor, "*gates"]:
    """The probability that a gate is not zero, in closed form.

    >>> round(open_probability(torch.tensor(0.0)).item(), 4)
    0.8318

    Source: Louizos, Welling and Kingma, ICLR 2018, equation 12; lab 02.
    """
    return torch.sigmoid(log_alpha - BETA * log(-LOW / HIGH))  # eq. 12


class _Gates(nn.Module):
    """A weight behind its gates: drawn in training, as dropout is, and at rest otherwise."""

    def __init__(self, weight: Tensor, granularity: Granularity, share_open: float) -> None:
        super().__init__()
        self.granularity = granularity
        groups = granularity.group(weight.detach())
        wish = log(share_open) - log(1 - share_open) + BETA * log(-LOW / HIGH)  # eq. 12, solved
        self.log_alpha = nn.Parameter(torch.full_like(groups[:, :1], wish))
        self.group_size = groups.shape[1]

    def at_rest(self) -> Tensor:
        """The gates for inference."""
        return (self.log_alpha.sigmoid() * (HIGH - LOW) + LOW).clamp(0, 1)  # eq. 13

    def behind(self, weight: Tensor, gates: Tensor) -> Tensor:
        groups = self.granularity.group(weight) * gates
        return self.granularity.ungroup(groups, tuple(weight.shape))

    def forward(self, weight: Tensor) -> Tensor:
        if not self.training:
            return self.behind(weight, self.at_rest())
        u = torch.rand_like(self.log_alpha).clamp(1e-6, 1 - 1e-6)  # `fit` seeds and restores it
        return self.behind(weight, hard_concrete(self.log_alpha, u))


def add_gates(
    model: nn.Module, *, share_open: Policy[float] = 0.9, granularity: Granularity = PerChannel()
) -> nn.Module:
    """A copy of a network with a hard concrete gate before each group of its weights.

    Train it with `expected_l0` as penalty, then `settle_gates`. While it trains, gates are drawn
    anew for each batch, from torch's global generator as dropout is.

    Args:
        model: A network with linear layers or convolutions.
        share_open: How probably a gate is open at first, in (0, 1), of every layer or of those
            named; others get no gates.
        granularity: Which weights share a gate; a filter or a row by default.

    Raises:
        BadValue: The probability is out of its range, or there are no weights.

    >>> gated = add_gates(nn.Linear(8, 4), share_open=0.5)
    >>> round(expected_l0(gated).item(), 3)
    16.0

    Source: Louizos, Welling and Kingma, "Learning Sparse Neural Networks through L0
    Regularization", ICLR 2018, section 2.2; the survey's section 2.1, "Training Methods"; lab 02.
    """
    every = weight_layers("add_gates", model)
    shares = for_each("add_gates", "share_open", share_open, every)
    for share in shares.values():
        if not 0 < _check.number("add_gates", "share_open", share) < 1:
            _check.fail("add_gates", "share_open", "must be in (0, 1)", share)
    ours, layers = own_copy("add_gates", model, shares)
    return behind_rules(
        ours, layers, lambda name, layer: _Gates(layer.weight, granularity, shares[name])
    )


@technique(
    "sparsity-l0",
    paper="Louizos, Welling and Kingma, Learning Sparse Neural Networks through L0 "
    "Regularization, 2018",
    survey="2.1",
    lab="02_pruning",
    kind=Penalty(options={"strength": 1e-3}, off={"strength": 0.0}, prepare=add_gates),
)
def expected_l0(model: nn.Module, *, strength: float = 1.0) -> Float[Tensor, ""]:
    """L0 regularization: the expected number of weights behind open gates, times a strength.

    The sum over the gates of their probability to be open times the weights behind them: the
    penalty for the training of a network with gates.

    Args:
        model: A network that `add_gates` made.
        strength: What one weight costs, 0 or more.

    Raises:
        BadValue: The network has no gates, or the strength is negative.

    >>> from functools import partial
    >>> from efficientdl.fit import Recipe
    >>> gated = add_gates(nn.Linear(8, 4), share_open=0.25)
    >>> recipe = Recipe(weight_decay=0.0, penalty=partial(expected_l0, strength=1e-3))
    >>> round(recipe.penalty(gated).item(), 6)
    0.008

    Source: Louizos, Welling and Kingma, "Learning Sparse Neural Networks through L0
    Regularization", ICLR 2018, equation 12; the survey's section 2.1, "Training Methods"; lab 02.
    """
    _check.at_least("expected_l0", "strength", strength, 0)
    found = {id(gates): gates for _, gates in _gated("expected_l0", model).values()}  # each once
    expected = [
        gates.group_size * open_probability(gates.log_alpha).sum()  # eq. 12, of groups: section 2.4
        for gates in found.values()
    ]
    return strength * torch.stack(expected).sum()


def settle_gates(model: nn.Module, x: Float[Tensor, "..."]) -> Result:
    """Take the gates away: closed ones leave a mask, others stay in the weights as a factor.

    The output is that of the gated network in evaluation mode.

    Args:
        model: A network that `add_gates` made, as a rule trained since.
        x: An example of its input, for the report.

    Raises:
        BadValue: The network has no gates.

    Source: Louizos, Welling and Kingma, ICLR 2018, equation 13; lab 02.
    """
    ours = deepcopy(model)
    gated = _gated("settle_gates", ours)
    masks: dict[str, Mask] = {}
    settled_weights: dict[int, nn.Parameter] = {}
    for name, (layer, gates) in gated.items():
        weight = layer.weight
        with torch.no_grad():
            masks[name] = gates.behind(torch.ones_like(weight), gates.at_rest()) > 0
            scaled = nn.Parameter(gates.behind(weight, gates.at_rest()), weight.requires_grad)
        # one for all layers that share the weight; whatever else uses it, ungated, keeps the old
        layer.weight = settled_weights.setdefault(id(gates), scaled)
    settled = with_masks(put(ours, {name: layer for name, (layer, _) in gated.items()}), masks)
    return masked_result(settled, x)


def _gated(caller: str, model: nn.Module) -> dict[str, tuple[FloatLayer, _Gates]]:
    """The layers behind gates, with their gates, by the names of the places where they stand."""
    named = model.named_modules()
    found = {
        name: (module.layer, module.rule)
        for name, module in named
        if isinstance(module, Reweighted) and isinstance(module.rule, _Gates)
    }
    if not found:
        _check.fail(caller, "model", "must have gates: see add_gates", type(model).__name__)
    return found
