"""Scopes: within what weights are ranked, when it is decided which ones go.

A scope takes what `prune` has scored, layer by layer, and says what stays.
"""

from collections.abc import Callable, Mapping

from torch import Tensor

from efficientdl import _check
from efficientdl.tensors import Granularity, keep_largest, keep_largest_together

Tensors = Mapping[str, Tensor]
Shares = Mapping[str, float]
Scope = Callable[[Tensors, Tensors, Shares, Granularity], dict[str, Tensor]]


def per_layer(
    scores: Tensors, kept: Tensors, sparsity: Shares, granularity: Granularity
) -> dict[str, Tensor]:
    """Rank the weights of each layer by themselves: every layer loses the share it is told to.

    Args:
        scores: How much each weight is worth keeping, by layer.
        kept: What earlier pruning left, by layer.
        sparsity: Share of zeros, 0..1, by layer.
        granularity: Which weights go together.

    >>> import torch
    >>> from efficientdl.tensors import PerGroup
    >>> scores = {"conv": torch.tensor([1.0, 2.0]), "head": torch.tensor([3.0, 4.0])}
    >>> kept = {name: score > 0 for name, score in scores.items()}
    >>> per_layer(scores, kept, {"conv": 0.5, "head": 0.0}, PerGroup(1))
    {'conv': tensor([False,  True]), 'head': tensor([True, True])}
    """
    return {
        name: keep_largest(scores[name], sparsity=share, granularity=granularity, among=kept[name])
        for name, share in sparsity.items()
    }


def globally(
    scores: Tensors, kept: Tensors, sparsity: Shares, granularity: Granularity
) -> dict[str, Tensor]:
    """Rank the weights of all layers together: a layer of little worth loses more than others.

    Args:
        scores: How much each weight is worth keeping, by layer.
        kept: What earlier pruning left, by layer.
        sparsity: Share of zeros, 0..1, by layer: one number for all of them.
        granularity: Which weights go together.

    Raises:
        BadValue: The layers' shares differ.

    >>> import torch
    >>> from efficientdl.tensors import PerGroup
    >>> scores = {"conv": torch.tensor([1.0, 2.0]), "head": torch.tensor([3.0, 4.0])}
    >>> kept = {name: score > 0 for name, score in scores.items()}
    >>> globally(scores, kept, {"conv": 0.5, "head": 0.5}, PerGroup(1))
    {'conv': tensor([False, False]), 'head': tensor([True, True])}
    """
    shares = set(sparsity.values())
    if len(shares) != 1:
        _check.fail("globally", "sparsity", "must be one number for all layers", dict(sparsity))
    masks = keep_largest_together(
        list(scores.values()),
        sparsity=shares.pop(),
        granularity=granularity,
        among=[kept[name] for name in scores],
    )
    return dict(zip(scores, masks, strict=True))
