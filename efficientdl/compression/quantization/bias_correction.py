"""Biases that quantization moves, and biases that are in its way, mended without data.

Batch norm has told what each channel looks like: a normal distribution, of which a ReLU keeps the
positive part. From that follow the mean input of each layer, and so the mean error that rounded
weights make, and also how much of a bias may be moved into the next layer.
"""

from collections.abc import Mapping, Sequence
from math import inf, pi, sqrt

import torch
from jaxtyping import Float
from torch import Tensor, nn

from efficientdl.compression.quantization.dataflow import Dataflow, Step
from efficientdl.compression.quantization.equalize import (
    Link,
    keeps_channels,
    layer_of,
    weight_of,
)
from efficientdl.compression.quantization.norm_statistics import PRODUCTS, NormStatistics
from efficientdl.models.layers.quantized import QuantizedConv2d, QuantizedLinear

Moments = tuple[Tensor, Tensor | None]  # the mean of each channel; its spread where it is normal


def clipped_normal_mean(
    mean: Float[Tensor, "*shape"],
    std: Float[Tensor, "*shape"],
    *,
    low: float = 0.0,
    high: float = inf,
) -> Float[Tensor, "*shape"]:
    """The mean of a normal variable clipped to `[low, high]`: behind a ReLU, or a ReLU6.

    With `a = (low - mu) / sigma`, `b = (high - mu) / sigma`, and `phi` and `Phi` the standard
    normal density and distribution, it is `low Phi(a) + high (1 - Phi(b)) + mu (Phi(b) - Phi(a))
    + sigma (phi(a) - phi(b))`.

    Args:
        mean: Of the variable before it is clipped.
        std: Its standard deviation; 0 is a constant.
        low: The lower end.
        high: The upper end.

    >>> clipped_normal_mean(torch.tensor([0.0, 3.0]), torch.tensor([1.0, 0.0]))
    tensor([0.3989, 3.0000])

    Source: Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction",
    ICCV 2019, section 4.2 and the appendix on the clipped normal distribution; lab 04.
    """
    constant = std == 0
    mu, sigma = mean.double(), torch.where(constant, 1.0, std).double()
    a, b = (low - mu) / sigma, (high - mu) / sigma
    below, above = torch.special.ndtr(a), torch.special.ndtr(-b)
    inside = mu * (torch.special.ndtr(b) - below) + sigma * (_density(a) - _density(b))
    ends = sum(e * p for e, p in ((low, below), (high, above)) if abs(e) < inf)
    exact = torch.where(constant, mu.clamp(low, high), inside + ends)
    return exact.to(mean.dtype)


def _density(z: Tensor) -> Tensor:
    return torch.exp(-z.square() / 2) / sqrt(2 * pi)


@torch.no_grad()
def absorb_high_biases(
    model: nn.Module, links: Sequence[Link], statistics: Mapping[str, NormStatistics]
) -> dict[str, NormStatistics]:
    """Move the part of each bias that a ReLU never cuts into the next layer.

    Equalization can make a bias, and so the range of an activation, large. Where a channel stays
    above `c = max(0, beta - 3 gamma)` for all but 0.135 % of a normal variable, `c` passes the
    ReLU as it is: `b1 - c` before it and `b2 + W2 c` behind it change nothing else. The second
    layer must have a bias, and pad no border, where zeros stand and no `c`.

    Args:
        model: A model that the caller owns, without batch norm.
        links: Its pairs of layers.
        statistics: What the first layers give, where it is known.

    Returns:
        The statistics that it has then.

    Source: Nagel et al., 2019, section 4.1, "Absorbing high biases".
    """
    ours = dict(statistics)
    for link in links:
        second = layer_of(model, link.second)
        padded = isinstance(second, nn.Conv2d) and second.padding not in ((0, 0), "valid")
        if link.first not in ours or not link.relu or padded or second.bias is None:
            continue
        first, (mean, std) = layer_of(model, link.first), ours[link.first]
        assert first.bias is not None, "batch norm has given it one"
        c = (mean - 3 * std).clamp(min=0)
        first.bias.sub_(c)
        second.bias.add_(mean_output(weight_of(second), _groups(second), c))
        ours[link.first] = NormStatistics(mean - c, std)
    return ours


def mean_output(
    weight: Float[Tensor, "c_out ..."], groups: int, mean: Float[Tensor, " c"]
) -> Float[Tensor, " c_out"]:
    """What a layer without a bias gives, where every input of a channel is that channel's mean.

    Args:
        weight: Of a linear layer or a convolution.
        groups: Into how many groups its channels fall.
        mean: Of each channel; behind a flattening a channel has several inputs.
    """
    by_group = weight.flatten(1).unflatten(0, (groups, -1))  # groups, outputs, inputs and taps
    repeats = by_group.shape[2] * groups // len(mean)
    inputs = mean.repeat_interleave(repeats).reshape(groups, 1, -1)
    return (by_group * inputs).sum(dim=2).flatten()


def expected_inputs(
    flow: Dataflow, statistics: Mapping[str, NormStatistics]
) -> dict[str, Float[Tensor, " c"]]:
    """The mean of each channel that goes into a layer, where batch norm tells it.

    It does not tell the mean of the picture, nor that of a maximum or of a layer without a norm.
    """
    moments: dict[int, Moments | None] = {0: None}
    means = {}
    for step in flow.steps:
        given = [moments.get(value) for value in step.values()]
        if step.name in PRODUCTS:
            if given[0] is not None:
                means[step.layer] = given[0][0]
            known = statistics.get(step.layer)
            moments[step.number] = None if known is None else (known.mean, known.std)
        else:
            moments[step.number] = _after(step, given)
    return means


def _after(step: Step, given: Sequence[Moments | None]) -> Moments | None:
    """The moments behind an operation; None where they are not known."""
    known = [moments for moments in given if moments is not None]
    if len(known) < len(given):
        return None
    (mean, std), name = known[0], step.name
    if name in ("relu", "hardtanh"):
        low, high = (0.0, inf) if name == "relu" else step.args[1:3]
        return None if std is None else (clipped_normal_mean(mean, std, low=low, high=high), None)
    if name == "add" and len(known) == 2 and not step.kwargs:
        return mean + known[1][0], None
    padded = name == "avg_pool2d" and any(step.args[3:4] and step.args[3])
    if name == "max_pool2d_with_indices" or padded or not keeps_channels(step):
        return None
    return mean, None


@torch.no_grad()
def correct_biases(
    model: nn.Module, floats: nn.Module, means: Mapping[str, Float[Tensor, " c"]]
) -> None:
    """Take the mean error of rounded weights out of the biases.

    `E[W' x] - E[W x] = (W' - W) E[x]`, and a bias that is less by as much puts the mean back.

    Args:
        model: A quantized model that the caller owns.
        floats: The model that it was quantized from.
        means: The mean input of each layer, where it is known.

    Source: Nagel et al., 2019, section 4.2, "Quantization bias correction".
    """
    for name, mean in means.items():
        layer, exact = model.get_submodule(name), layer_of(floats, name)
        assert isinstance(layer, QuantizedLinear | QuantizedConv2d), "the caller quantized it"
        error = layer.weight - weight_of(exact)
        moved = mean_output(error, _groups(exact), mean.to(error.dtype))  # (W' - W) E[x]
        bias = torch.zeros_like(moved) if exact.bias is None else exact.bias
        learns = exact.weight.requires_grad if exact.bias is None else exact.bias.requires_grad
        layer.bias = nn.Parameter(bias - moved, requires_grad=learns)


def _groups(layer: nn.Linear | nn.Conv2d) -> int:
    return layer.groups if isinstance(layer, nn.Conv2d) else 1
