"""The same costs, by what kind of layer they belong to."""

from typing import Any, cast

from torch import nn

from efficientdl import _check
from efficientdl.costs.trace import MODEL
from efficientdl.report import Cost, Report

KINDS = (
    "conv",
    "pointwise",
    "depthwise",
    "grouped",
    "linear",
    "norm",
    "recurrent",
    "attention matmul",
    "other",
)

_NORMS = (
    nn.modules.batchnorm._NormBase,
    nn.LayerNorm,
    nn.GroupNorm,
    nn.RMSNorm,
    nn.LocalResponseNorm,
)


def kind_of(module: nn.Module) -> str | None:
    """The kind of one layer; None for one that is none of those with weights of their own.

    A layer is a convolution when it has what a convolution has (channels, groups, kernel size),
    so that masked and quantized ones count among their like.

    >>> kind_of(nn.Conv2d(8, 8, 3, groups=8)), kind_of(nn.Conv2d(8, 16, 1))
    ('depthwise', 'pointwise')
    """
    if isinstance(module, _NORMS):
        return "norm"
    if isinstance(module, nn.RNNBase | nn.RNNCellBase):
        return "recurrent"
    if hasattr(module, "groups") and hasattr(module, "kernel_size"):
        return _kind_of_conv(cast(Any, module))
    return "linear" if hasattr(module, "in_features") else None


def _kind_of_conv(layer: Any) -> str:  # noqa: ANN401
    if layer.groups > 1:
        return "depthwise" if layer.groups == layer.in_channels else "grouped"
    return "pointwise" if set(layer.kernel_size) == {1} else "conv"


def by_kind(model: nn.Module, report: Report) -> Report:
    """Sum a report's rows by kind of layer, in the order of `KINDS`.

    `conv` is dense with a kernel larger than one, `pointwise` 1x1, `depthwise` one group for each
    input channel, `grouped` what lies between. Work with MACs outside all such layers is
    `attention matmul`; activations, pooling, additions are `other`.

    Args:
        model: The model that was counted.
        report: What `count` made of it: the rows are the model's layers.

    >>> import torch
    >>> from efficientdl.costs.count import count
    >>> model = nn.Sequential(nn.Conv2d(4, 4, 3, groups=4), nn.ReLU(), nn.Conv2d(4, 8, 1))
    >>> kinds = by_kind(model, count(model, torch.zeros(1, 4, 5, 5)))
    >>> {kind: cost.macs for kind, cost in kinds.rows.items()}
    {'pointwise': 288, 'depthwise': 324, 'other': 0}

    Source: survey section 2.5, which names the three efficient convolutions; lab 01.
    """
    _check.kind("by_kind", "model", model, nn.Module)
    _check.kind("by_kind", "report", report, Report)
    modules = {name or MODEL: module for name, module in model.named_modules()}
    sums: dict[str, Cost] = {}
    for name, cost in report.rows.items():
        _check.one_of("by_kind", "row of report", name, modules)
        kind = kind_of(modules[name]) or ("attention matmul" if cost.macs else "other")
        sums[kind] = sums[kind] + cost if kind in sums else cost
    return Report({kind: sums[kind] for kind in KINDS if kind in sums})
