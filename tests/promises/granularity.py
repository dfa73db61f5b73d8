"""Promises of granularities: `group` and `ungroup`."""

import torch

from efficientdl.catalogue import Technique

SHAPES = [(8, 16), (16, 8, 3, 3), (32, 16, 1, 1)]


def ungroup_undoes_group(technique: Technique) -> None:
    granularity = technique.call(**technique.kind.options)
    for shape in SHAPES:
        x = torch.arange(float(torch.Size(shape).numel())).reshape(shape)
        back = granularity.ungroup(granularity.group(x), shape)
        assert tuple(back.shape) == shape, f"gave {tuple(back.shape)} back for {shape}"
        assert torch.equal(back, x), f"put elements of {shape} in other places"


def puts_every_element_in_one_group(technique: Technique) -> None:
    granularity = technique.call(**technique.kind.options)
    for shape in SHAPES:
        x = torch.arange(torch.Size(shape).numel()).reshape(shape)
        groups = granularity.group(x)
        assert groups.ndim == 2, f"gave {groups.ndim} axes, not groups by size"
        assert torch.equal(groups.flatten().sort().values, x.flatten()), "lost or doubled some"


def works_on_any_dtype(technique: Technique) -> None:
    granularity = technique.call(**technique.kind.options)
    for dtype in (torch.bool, torch.uint8, torch.float64):
        groups = granularity.group(torch.ones(8, 16, dtype=dtype))
        assert groups.dtype == dtype, f"turned {dtype} into {groups.dtype}"


PROMISES = [ungroup_undoes_group, puts_every_element_in_one_group, works_on_any_dtype]
