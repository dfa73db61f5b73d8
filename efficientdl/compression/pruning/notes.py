"""What a sparsity means, in a sentence: of what it is a share, and what it leaves undone."""

from collections.abc import Mapping

from efficientdl.protocols import Granularity, Mask
from efficientdl.tensors import PerBlock, PerChannel, PerGroup, PerTensor
from efficientdl.tensors.kernels import PerKernel, PerVector

AS_BEFORE = "a dense kernel does as many MACs as before"


def removed(masks: Mapping[str, Mask], granularity: Granularity) -> str:
    """What went, counted in what the granularity names.

    A group has gone when none of its weights stays.

    Args:
        masks: What stays of each layer, by name.
        granularity: Which weights went together.

    >>> import torch
    >>> removed({"head": torch.tensor([[True, False, False, False]])}, PerGroup(1))
    'removed 75 % of the single weights of 1 layer (3 of 4)'
    """
    stays = [granularity.group(mask).any(dim=1) for mask in masks.values()]
    total = sum(len(groups) for groups in stays)
    gone = total - sum(int(groups.sum()) for groups in stays)
    layers = f"{len(masks)} layer{'s' * (len(masks) != 1)}"
    share = f"{100 * gone / max(total, 1):.3g} %"
    return f"removed {share} of the {noun(granularity)} of {layers} ({gone:,} of {total:,})"


def masked_note(what: str, masks: Mapping[str, Mask]) -> str:
    """A report's note on a network whose dropped weights are zeros in dense layers.

    Args:
        what: What was done to it: the beginning of the sentence.
        masks: What stays of each layer, by name.

    >>> import torch
    >>> masked_note("removed a half", {"head": torch.tensor([[True, False]])})
    'removed a half; 1 of 2 weights stay; a dense kernel does as many MACs as before'
    """
    total = sum(mask.numel() for mask in masks.values())
    kept = sum(int(mask.count_nonzero()) for mask in masks.values())
    return f"{what}; {kept:,} of {total:,} weights stay; {AS_BEFORE}"


def noun(granularity: Granularity) -> str:
    """What the groups of a granularity are called, more than one of them.

    >>> noun(PerGroup(1)), noun(PerKernel()), noun(PerBlock(4, 2))
    ('single weights', 'kernels', 'blocks of 4 x 2')
    """
    match granularity:
        case PerGroup(1):
            return "single weights"
        case PerGroup(size):
            return f"runs of {size} weights"
        case PerVector(axis):
            return "kernel rows" if axis == -1 else "kernel columns"
        case PerBlock(rows, cols):
            return f"blocks of {rows} x {cols}"
        case PerKernel() | PerChannel() | PerTensor():
            known = {PerKernel: "kernels", PerChannel: "output channels", PerTensor: "whole layers"}
            return known[type(granularity)]
        case _:
            return f"groups of {granularity}"
