"""Dynamic network surgery: prune while training, and splice back what was cut by mistake."""

from typing import TypeGuard, cast

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from efficientdl import _check
from efficientdl.catalogue import Compressor, technique
from efficientdl.compression.layers import for_each, put, weight_layers
from efficientdl.compression.pruning.interruption import noted
from efficientdl.compression.pruning.iterative import counting
from efficientdl.compression.pruning.masks import masked_result, with_masks
from efficientdl.compression.pruning.reweighting import behind_rules
from efficientdl.compression.pruning.schedules import Schedule, check_sparsity, linear
from efficientdl.compression.pruning.scoring import own_copy
from efficientdl.fit.history import Stop
from efficientdl.fit.plan import Hook, Training
from efficientdl.models.layers.reweighted import Reweighted
from efficientdl.protocols import Policy, Result
from efficientdl.tensors import PerGroup, keep_largest

EACH = PerGroup(1)  # weights go one by one


def splice(
    weight: Float[Tensor, "*shape"], mask: Bool[Tensor, "*shape"], *, low: float, high: float
) -> Bool[Tensor, "*shape"]:
    """The next mask: below `low` a weight is cut, from `high` on it is back, between it stays put.

    Two thresholds instead of one keep a weight near them from going in and out at every step.

    Args:
        weight: The weights, those that are cut at the values that they have kept.
        mask: True for each weight that is in use now.
        low: Magnitude below which to cut.
        high: Magnitude from which to splice, `low` or more.

    >>> weight, mask = torch.tensor([0.1, 0.5, 0.5, -0.9]), torch.tensor([True, True, False, False])
    >>> splice(weight, mask, low=0.3, high=0.7)
    tensor([False,  True, False,  True])

    Source: Guo, Yao and Chen, "Dynamic Network Surgery for Efficient DNNs", NeurIPS 2016,
    equation 3; lab 02.
    """
    _check.at_least("splice", "low", low, 0)
    _check.at_least("splice", "high", high, low)
    size = weight.abs()
    return torch.where(size < low, False, torch.where(size < high, mask, True))  # eq. 3


class _Surgery(nn.Module):
    """A weight as its layer uses it: masked in the forward pass, whole in the backward pass.

    The loss is differentiated by the masked weight, and the whole weight takes that step
    (equation 2): what is cut goes on learning what it would do.
    """

    mask: Bool[Tensor, "..."]

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.register_buffer("mask", torch.ones_like(weight, dtype=torch.bool))

    def forward(self, weight: Tensor) -> Tensor:
        return weight - (weight * ~self.mask).detach()


@technique(
    "prune-surgery",
    paper="Guo, Yao and Chen, Dynamic Network Surgery for Efficient DNNs, 2016",
    survey="2.1",
    lab="02_pruning",
    kind=Compressor(
        identity={"sparsity": 0.0},
        stronger=({"sparsity": 0.5}, {"sparsity": 0.9}),
    ),
)
def dynamic_surgery(
    model: nn.Module,
    x: Float[Tensor, "..."],
    *,
    sparsity: Policy[float],
    training: Training | None = None,
    margin: float = 0.1,
    schedule: Schedule = linear,
) -> Result:
    """Dynamic network surgery: cut weights while training, and splice back those that grow again.

    A weight that is cut is left out of the forward pass, but goes on being trained: the gradient
    by its masked value moves it all the same. Masks are made anew during the training, so one
    that was cut by mistake comes back. A layer's lower threshold `a` is the magnitude below which
    a share `sparsity` of its weights lies, at that moment; the upper one is `b = (1 + margin) a`.
    After a step with progress `t` masks are updated with probability `1 - schedule(t)`: often at
    first, hardly ever at the end, when the weights settle.

    The zeros are the share asked for and, at the most, those between the two thresholds besides:
    what is cut and has not grown enough to come back stays out. They are that also where the
    training is interrupted, which the report's note says. The paper takes its thresholds from the
    mean and the spread of the layer's weights; a share says the same without knowing how they are
    distributed.

    Args:
        model: A network with linear layers or convolutions, as a rule a trained one.
        x: An example of its input, for the report.
        sparsity: Share of weights to cut, in [0, 1), of every layer or of those named.
        training: During which to operate; None cuts once, which is magnitude pruning.
        margin: How much larger than `a` a weight must be to come back: 0.1 is 10 %. With 0 there
            is nothing between the thresholds, and the share of zeros is exactly the one asked for.
        schedule: How the updates cease.

    Raises:
        BadValue: An option is out of its range, or a layer is quantized.

    >>> pruned, _ = dynamic_surgery(nn.Linear(8, 4), torch.zeros(1, 8), sparsity=0.75)
    >>> int(pruned.weight.count_nonzero())
    8

    Source: Guo, Yao and Chen, "Dynamic Network Surgery for Efficient DNNs", NeurIPS 2016, section
    3, equations 2 and 3, algorithm 1; the survey's section 2.1, "Training Methods"; lab 02.
    """
    check_sparsity("dynamic_surgery", sparsity)
    _check.at_least("dynamic_surgery", "margin", margin, 0)
    every = weight_layers("dynamic_surgery", model)
    shares = for_each("dynamic_surgery", "sparsity", sparsity, every)
    ours, layers = own_copy("dynamic_surgery", model, shares)
    shares = {name: shares[name] for name in layers}
    ours = behind_rules(ours, layers, lambda _, layer: _Surgery(layer.weight))
    _operate(ours, shares, margin)
    said = ""
    if training is not None:
        ours, history = training.fit(ours, _surgeon(shares, margin, schedule, training))
        if history.stop is Stop.INTERRUPTED:
            said = f"interrupted after {len(history.epochs)} of {training.epochs} epochs"
    pruned, report = masked_result(_close(ours), x)
    return Result(pruned, noted(report, said))


def _surgeon(
    shares: dict[str, float], margin: float, schedule: Schedule, training: Training
) -> Hook:
    generator = torch.Generator().manual_seed(training.seed)

    def hook(model: nn.Module, step: int) -> None:
        chance = 1 - schedule(min(1.0, step / training.steps))
        if float(torch.rand((), generator=generator)) < chance:
            _operate(model, shares, margin)

    return counting(hook)


def _parts(model: nn.Module, name: str) -> tuple[Reweighted, _Surgery]:
    """The layer of this name, and what masks it."""
    operated = cast(Reweighted, model.get_submodule(name))
    return operated, cast(_Surgery, operated.rule)


def _operate(model: nn.Module, shares: dict[str, float], margin: float) -> None:
    """Make the masks anew from the weights as they are now, in place."""
    for name, share in shares.items():
        operated, surgery = _parts(model, name)
        size = operated.layer.weight.detach().abs()
        low = _magnitude_at(size, share)
        mask = splice(size, surgery.mask, low=low, high=(1 + margin) * low)
        if int(mask.sum()) > size.numel() - _n_cut(size, share):  # weights as large as `low` itself
            mask = keep_largest(size, sparsity=share, granularity=EACH, among=mask)
        surgery.mask.copy_(mask)


def _magnitude_at(size: Tensor, share: float) -> float:
    """The magnitude below which this share of the weights lies."""
    n_cut = _n_cut(size, share)
    return float(size.flatten().kthvalue(n_cut + 1).values) if n_cut else 0.0


def _n_cut(size: Tensor, share: float) -> int:
    return min(round(share * size.numel()), size.numel() - 1)


def _close(model: nn.Module) -> nn.Module:
    """Masked layers in the place of those that were operated on."""
    operated = {n: m for n, m in model.named_modules() if _operated(m)}
    masks = {name: cast(_Surgery, m.rule).mask for name, m in operated.items()}
    return with_masks(put(model, {name: m.layer for name, m in operated.items()}), masks)


def _operated(module: nn.Module) -> TypeGuard[Reweighted]:
    return isinstance(module, Reweighted) and isinstance(module.rule, _Surgery)
