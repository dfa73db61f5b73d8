"""Masks: which weights stay. A mask is a bool tensor, True where the weight is kept."""

from collections.abc import Sequence
from math import inf

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from efficientdl import _check
from efficientdl.tensors.granularity import Granularity


def keep_largest(
    score: Float[Tensor, "*shape"],
    *,
    sparsity: float,
    granularity: Granularity,
    among: Bool[Tensor, "*shape"] | None = None,
) -> Bool[Tensor, "*shape"]:
    """Keep the groups with the largest mean score, so that a share of `sparsity` goes.

    The number of zeros is the whole number of groups that comes nearest to `sparsity`; of two
    equal scores the earlier one stays, so the count is exact with ties too.

    Args:
        score: How much each weight is worth keeping.
        sparsity: Share of zeros, 0..1.
        granularity: Which weights go together.
        among: What an earlier mask kept. What it dropped goes first and counts as dropped.

    Raises:
        BadValue: The sparsity is out of its range, or a score is NaN.

    >>> from efficientdl.tensors import PerGroup
    >>> keep_largest(torch.tensor([3.0, 1.0, 2.0, 4.0]), sparsity=0.5, granularity=PerGroup(1))
    tensor([ True, False, False,  True])
    """
    candidates = None if among is None else [among]
    return keep_largest_together(
        [score], sparsity=sparsity, granularity=granularity, among=candidates
    )[0]


def keep_largest_together(
    scores: Sequence[Float[Tensor, "..."]],
    *,
    sparsity: float,
    granularity: Granularity,
    among: Sequence[Bool[Tensor, "..."]] | None = None,
) -> list[Bool[Tensor, "..."]]:
    """`keep_largest` over several tensors at once: one ranking, one sparsity for them all.

    A tensor of low scores then loses more than its share. Where groups differ in size, the
    groups of lowest mean score go until the share of zeros comes nearest to `sparsity`.

    Args:
        scores: How much each weight is worth keeping.
        sparsity: Share of zeros over all the tensors, 0..1.
        granularity: Which weights go together.
        among: What earlier masks kept.

    >>> from efficientdl.tensors import PerGroup
    >>> low, high = torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0])
    >>> keep_largest_together([low, high], sparsity=0.5, granularity=PerGroup(1))
    [tensor([False, False]), tensor([True, True])]
    """
    _check.in_range("keep_largest", "sparsity", sparsity, 0, 1)
    if any(bool(score.isnan().any()) for score in scores):
        _check.fail("keep_largest", "score", "must be numbers", float("nan"))
    kept = among or [torch.ones_like(score, dtype=torch.bool) for score in scores]
    worth = [
        _group_scores(granularity.group(score), granularity.group(mask))
        for score, mask in zip(scores, kept, strict=True)
    ]
    sizes = [
        torch.full_like(w, score.numel() // len(w), dtype=torch.int64)
        for w, score in zip(worth, scores, strict=True)
    ]
    stays = _stays(torch.cat(worth), torch.cat(sizes), sparsity)
    masks = []
    for score, w, mask in zip(scores, worth, kept, strict=True):
        mine, stays = stays[: len(w)], stays[len(w) :]
        groups = granularity.group(mask)
        masks.append(granularity.ungroup(groups & mine[:, None], tuple(score.shape)))
    return masks


def _group_scores(
    groups: Float[Tensor, "groups size"], kept: Bool[Tensor, "groups size"]
) -> Float[Tensor, "groups"]:
    """Mean score of each group. A dropped weight weighs as little as the least one kept."""
    if not kept.any():
        return torch.full_like(groups[:, 0], -inf)
    means = groups.where(kept, groups[kept].min()).mean(dim=1)
    return means.masked_fill(~kept.any(dim=1), -inf)


def _stays(worth: Tensor, sizes: Tensor, sparsity: float) -> Bool[Tensor, "groups"]:
    best_first = worth.argsort(descending=True, stable=True)  # of equals, the earlier first
    dropped = torch.cat([sizes.new_zeros(1), sizes[best_first].flip(0).cumsum(0)])
    n_drop = int((dropped.double() - sparsity * int(sizes.sum())).abs().argmin())
    stays = torch.ones_like(worth, dtype=torch.bool)
    stays[best_first[len(worth) - n_drop :]] = False
    return stays
