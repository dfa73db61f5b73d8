"""The first look of lab 00: one real network, made cheaper in three ways, measured each time.

Channels are removed for good, weights are zeroed, weights are rounded: three steps of later labs,
one after the other, on a network that reads handwritten digits. Nothing is trained again.
"""

from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.utils import skip_init

from efficientdl import _check, costs, datasets, fit, models
from efficientdl.compression.pruning import globally, prune
from efficientdl.compression.quantization import quantize_weights
from efficientdl.datasets import Dataset

NETWORK, DATA = "small_cnn_mnist", "mnist"
_BLOCKS = ("conv1", "conv2", "conv3", "conv4")
_CALIBRATION = 1000  # images from which batch norm learns what the remaining channels put out


@dataclass(frozen=True)
class Look:
    """What one setting of the three sliders gives.

    Attributes:
        accuracy: Share of the test digits that are read right.
        size_bytes: The weights as they are stored, indices and scales included.
        energy_pj: Modelled, for one image.
        latency_s: Measured, for one image, on torch's dense kernels.
    """

    accuracy: float
    size_bytes: int
    energy_pj: float
    latency_s: float


@cache
def _subject() -> tuple[nn.Module, Dataset]:
    return models.trained(NETWORK), datasets.load(DATA)


def keep_channels(model: nn.Module, share: float) -> nn.Module:
    """A copy of the network with only the strongest filters of each convolution.

    The strength of a filter is the L2 norm of its weights. What removed filters would have fed
    is cut from the next layer. Lab 02 does this for networks of any shape.

    Args:
        model: The small CNN, a chain of four convolutions and a classifier.
        share: Of each layer's filters, 0 to 1; at least one stays.
    """
    _check.in_range("keep_channels", "share", share, 0, 1)
    small = deepcopy(model)
    if share == 1:
        return small
    kept_in = torch.arange(1)
    for name in _BLOCKS:
        block = small.get_submodule(name)
        conv = block.get_submodule("conv")
        norms = cast(Tensor, conv.weight).detach().flatten(1).norm(dim=1)
        n_kept = max(1, round(share * len(norms)))
        kept = norms.topk(n_kept).indices.sort().values
        _cut_block(block, kept_in, kept)
        kept_in = kept
    _cut_classifier(small, kept_in)
    return small


@torch.no_grad()
def _cut_block(block: nn.Module, kept_in: Tensor, kept: Tensor) -> None:
    old, norm = block.get_submodule("conv"), block.get_submodule("norm")
    assert isinstance(old, nn.Conv2d)
    assert isinstance(norm, nn.BatchNorm2d)
    wide, high = len(kept_in), len(kept)
    empty = skip_init(nn.Conv2d, wide, high, 3, stride=old.stride, padding=1, bias=False)
    conv = cast(nn.Conv2d, empty)
    conv.weight.copy_(old.weight[kept][:, kept_in])
    slim = cast(nn.BatchNorm2d, skip_init(nn.BatchNorm2d, high))
    for name in ("weight", "bias", "running_mean", "running_var"):
        getattr(slim, name).copy_(getattr(norm, name)[kept])
    cast(Tensor, slim.num_batches_tracked).zero_()
    block.set_submodule("conv", conv)
    block.set_submodule("norm", slim)
    block.eval()


@torch.no_grad()
def _cut_classifier(small: nn.Module, kept: Tensor) -> None:
    old = small.get_submodule("classifier")
    assert isinstance(old, nn.Linear)
    assert isinstance(old.bias, Tensor)
    pixels = old.in_features // 32  # of each map that conv4 puts out
    empty = skip_init(nn.Linear, pixels * len(kept), old.out_features)
    classifier = cast(nn.Linear, empty)
    by_channel = old.weight.unflatten(1, (-1, pixels))
    classifier.weight.copy_(by_channel[:, kept].flatten(1))
    classifier.bias.copy_(old.bias)
    small.set_submodule("classifier", classifier)


@torch.no_grad()
def _recalibrate(small: nn.Module, x: Tensor) -> None:
    """Show batch norm some images: the sums that it normalizes have changed."""
    norms = [m for m in small.modules() if isinstance(m, nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the plain mean of all batches
    small.train()
    for batch in x[:_CALIBRATION].split(250):
        small(batch)
    small.eval()


def first_look(*, channels: int, zeros: int, bits: int) -> Look:
    """Make the network cheaper in three ways and measure what came of it.

    Args:
        channels: Percentage of the filters removed.
        zeros: Percentage of the remaining weights set to zero.
        bits: Bits of a weight; more than 16 leave it a float of 32.
    """
    _check.whole("first_look", "channels", channels, 0, 90)
    _check.whole("first_look", "zeros", zeros, 0, 99)
    _check.whole("first_look", "bits", bits, 2, 32)
    trained, data = _subject()
    x = data.test.x[:1]
    slim = keep_channels(trained, 1 - channels / 100)
    cheap = prune(slim, x, sparsity=zeros / 100, scope=globally).model if zeros else slim
    if bits <= 16:
        cheap = quantize_weights(cheap, x, bits=bits).model
    if cheap is not slim or channels:
        cheap = deepcopy(cheap)
        _recalibrate(cheap, data.train.x)
    total = costs.energy(costs.count(cheap, x)).total
    return Look(
        accuracy=fit.evaluate(cheap, data.test),
        size_bytes=-(-(total.weight_bits or 0) // 8),
        energy_pj=total.energy_pj or 0.0,
        latency_s=_latency(slim, x),
    )


def _latency(dense: nn.Module, x: Tensor) -> float:
    """Seconds for one image: zeros and codes are run by the same dense kernels."""

    def call() -> Tensor:
        with torch.inference_mode():
            return dense(x)

    return costs.latency(call, warmup=5, repeats=30).median_s
