"""Cross-layer equalization: give the channels of a layer weights of one size.

With one scale for a whole weight, the largest channel sets the step and the smallest is rounded
away. A ReLU lets a factor through, so what one layer's channel is divided by, the next layer's
weights for that channel can be multiplied by: the network stays the same function.
"""

from collections.abc import Mapping, Sequence
from math import prod
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from efficientdl import _check
from efficientdl.compression.layers import FloatLayer
from efficientdl.compression.quantization.dataflow import Dataflow, Step, dataflow
from efficientdl.compression.quantization.norm_statistics import (
    PRODUCTS,
    NormStatistics,
    fold_with_statistics,
)
from efficientdl.costs.count import count
from efficientdl.models.layers.masked import MaskedConv2d, MaskedLinear
from efficientdl.protocols import Result

# Operations through which a positive factor of a channel passes, if they mix no channels.
_POOLS = ("max_pool2d_with_indices", "avg_pool2d", "_adaptive_avg_pool2d")
_COPIES = ("detach", "alias", "clone", "contiguous")


class Link(NamedTuple):
    """Two layers in a row, the second one the only user of the first.

    Attributes:
        first: The name of the one.
        second: The name of the other.
        relu: Whether a ReLU stands between them.
    """

    first: str
    second: str
    relu: bool


def equalize(model: nn.Module, x: Float[Tensor, "n ..."], *, sweeps: int = 20) -> Result:
    """Scale channels so that two layers in a row have weights of one range, channel by channel.

    Let `r1` be the largest weight of a channel of the first layer and `r2` the largest that takes
    that channel in the second. Dividing by `s = sqrt(r1 r2) / r2` in the first and multiplying by
    it in the second makes both `sqrt(r1 r2)`, which is the best that one scale for each layer can
    do. All pairs are gone through again and again, for a layer stands in two of them. Batch norm
    is folded first. In float the function stays the same, to rounding.

    Pairs are layers with nothing between them but ReLU, pools and a flattening. A ReLU6 lets no
    factor through: a network that is to be equalized is trained, or run, with ReLU.

    Args:
        model: A trained network of linear layers, convolutions and batch norms.
        x: An example of its input, to find the pairs; its values do not matter.
        sweeps: How often to go through all pairs; 0 folds batch norm alone.

    Raises:
        BadValue: There is no such pair; a layer has weights and cannot be scaled.

    >>> model = nn.Sequential(nn.Linear(2, 2, bias=False), nn.ReLU(), nn.Linear(2, 1, bias=False))
    >>> nothing = model[0].weight.data.copy_(torch.tensor([[8.0, 0.0], [0.0, 0.5]]))
    >>> nothing = model[2].weight.data.copy_(torch.tensor([[0.5, 2.0]]))
    >>> equalize(model, torch.ones(1, 2)).model[0].weight.amax(dim=1).tolist()
    [2.0, 1.0]

    Source: Nagel, van Baalen, Blankevoort and Welling, "Data-Free Quantization Through Weight
    Equalization and Bias Correction", ICCV 2019, section 4.1; the survey's section 2.3; lab 04.
    """
    _check.whole("equalize", "sweeps", sweeps, 0)
    ours, statistics = fold_with_statistics("equalize", model, x)
    links = links_of(dataflow("equalize", ours, x))
    if not links:
        rule = "must have two layers in a row with nothing but ReLU and pools between them"
        _check.fail("equalize", "model", rule, type(model).__name__)
    scale_links(ours, links, statistics, sweeps=sweeps)
    return Result(ours, count(ours, x))


def links_of(flow: Dataflow) -> list[Link]:
    """The pairs of layers through which a positive factor of a channel passes."""
    carried: dict[int, tuple[str, bool]] = {}  # value: the layer whose channels it has, and ReLU
    links = []
    for step in flow.steps:
        values = step.values()
        before = carried.get(values[0]) if len(values) == 1 else None
        if step.name in PRODUCTS:
            links += [Link(before[0], step.layer, before[1])] if before else []
            now: tuple[str, bool] | None = step.layer, False
        else:
            now = _passed(step, before)
        if now is not None and flow.n_uses[step.number] == 1:
            carried[step.number] = now
    return links


def _passed(step: Step, before: tuple[str, bool] | None) -> tuple[str, bool] | None:
    if before is None or not keeps_channels(step):
        return None
    return before[0], before[1] or step.name == "relu"


def keeps_channels(step: Step) -> bool:
    """Whether an operation treats every channel alike and by itself, and lets a factor through."""
    if step.name in ("view", "_unsafe_view", "reshape"):  # a flattening: channels become blocks
        return step.shape == (step.x_shape[0], prod(step.x_shape[1:]))
    if step.name == "mean":
        axes = step.args[1] if len(step.args) > 1 else step.kwargs.get("dim")
        return bool(axes) and all(axis % len(step.x_shape) > 1 for axis in axes)
    return step.name in ("relu", *_POOLS, *_COPIES)


def best_scales(rows: Float[Tensor, "c _"], columns: Float[Tensor, "c _"]) -> Float[Tensor, " c"]:
    """What to divide each channel by, from its weights in the first layer and in the second.

    Args:
        rows: The weights that give each channel.
        columns: Those that take it.

    >>> best_scales(torch.tensor([[8.0], [0.5]]), torch.tensor([[0.5], [2.0]]))
    tensor([4.0000, 0.5000])
    """
    r1, r2 = rows.abs().amax(dim=1), columns.abs().amax(dim=1)
    scales = (r1 * r2).sqrt() / r2
    usable = (r1 > 0) & (r2 > 0) & scales.isfinite() & (scales > 0)
    return torch.where(usable, scales, 1.0)  # a channel that is nothing stays as it is


@torch.no_grad()
def scale_links(
    model: nn.Module,
    links: Sequence[Link],
    statistics: Mapping[str, NormStatistics],
    *,
    sweeps: int,
) -> dict[str, NormStatistics]:
    """Equalize all pairs of a model that the caller owns; gives the statistics that it has then."""
    ours = dict(statistics)
    for _ in range(sweeps):
        for link in links:
            first, second = layer_of(model, link.first), layer_of(model, link.second)
            taken = taken_by(second, len(first.weight))
            rows = weight_of(first).flatten(1)
            s = best_scales(rows.double(), taken.double()).to(taken.dtype)
            first.weight.div_(s.reshape(-1, *[1] * (first.weight.ndim - 1)))
            if first.bias is not None:
                first.bias.div_(s)
            give_back(second, taken * s[:, None])
            if link.first in ours:
                mean, std = ours[link.first]
                ours[link.first] = NormStatistics(mean / s.to(mean.dtype), std / s.to(std.dtype))
    return ours


def layer_of(model: nn.Module, name: str) -> FloatLayer:
    """A layer by its name; links name no others."""
    layer = model.get_submodule(name) if name else model
    assert isinstance(layer, FloatLayer), "links are of float layers"
    return layer


def weight_of(layer: FloatLayer) -> Float[Tensor, "..."]:
    """The weight as it is used: a masked one has zeros for what its mask drops."""
    masked = isinstance(layer, MaskedLinear | MaskedConv2d)
    return layer.weight * layer.mask if masked else layer.weight


def taken_by(layer: FloatLayer, n_channels: int) -> Float[Tensor, "c _"]:
    """The weights of a layer by the channel that they take, one channel a row.

    Args:
        layer: A linear layer or convolution, grouped or not.
        n_channels: How many channels come in; behind a flattening each has several inputs.
    """
    groups = layer.groups if isinstance(layer, nn.Conv2d) else 1
    by_group = weight_of(layer).unflatten(0, (groups, -1)).transpose(1, 2)
    per_channel = layer.weight.shape[1] * groups // n_channels
    rows = by_group.reshape(n_channels * per_channel, -1)
    return rows.reshape(n_channels, -1)


def give_back(layer: FloatLayer, taken: Float[Tensor, "c _"]) -> None:
    """Write what `taken_by` gave into the layer's weight; the caller owns the layer."""
    groups = layer.groups if isinstance(layer, nn.Conv2d) else 1
    shape = layer.weight.unflatten(0, (groups, -1)).transpose(1, 2).shape
    layer.weight.copy_(taken.reshape(shape).transpose(1, 2).flatten(0, 1))
