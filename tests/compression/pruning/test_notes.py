"""A report's note says what a ratio is a share of, with the masks' own numbers."""

import pytest
import torch
from torch import nn

from efficientdl.compression.pruning import (
    optimal_brain_surgeon,
    prune,
    prune_n_of_m,
    prune_patterns,
    with_masks,
)
from efficientdl.compression.pruning.masks import masked_result
from efficientdl.compression.pruning.notes import AS_BEFORE, masked_note, noun, removed
from efficientdl.tensors import PerBlock, PerChannel, PerGroup, PerTensor
from efficientdl.tensors.kernels import PerKernel, PerVector
from efficientdl.tensors.n_of_m import PerInputRun
from tests.models.layers.test_masked import drawn, gen

X = torch.randn(2, 4, 6, 6, generator=gen(5))
NOUNS = [
    (PerGroup(1), "single weights", 216 + 16),
    (PerGroup(4), "runs of 4 weights", 54 + 4),
    (PerVector(axis=-1), "kernel rows", 72 + 16),
    (PerVector(axis=-2), "kernel columns", 72 + 16),
    (PerKernel(), "kernels", 24 + 16),
    (PerBlock(2, 4), "blocks of 2 x 4", 27 + 2),
    (PerChannel(), "output channels", 6 + 4),
    (PerTensor(), "whole layers", 2),
    (PerInputRun(4), "groups of PerInputRun(size=4)", 54 + 4),
]


def masks():
    return {"conv": torch.ones(6, 4, 3, 3).bool(), "head": torch.ones(4, 4).bool()}


@pytest.mark.parametrize(("granularity", "name", "total"), NOUNS, ids=lambda v: str(v))
def test_groups_are_counted_and_called_by_their_name(granularity, name, total):
    assert noun(granularity) == name
    kept = masks()
    said = removed(kept, granularity)
    assert said == f"removed 0 % of the {name} of 2 layers (0 of {total})"
    kept["head"][:] = False
    groups = len(granularity.group(kept["head"]))
    said = removed(kept, granularity)
    assert said.endswith(f"of the {name} of 2 layers ({groups} of {total})")
    assert said.startswith(f"removed {100 * groups / total:.3g} %")


def test_a_group_of_which_one_weight_stays_has_not_gone():
    kept = {"head": torch.tensor([[True, False], [False, False]])}
    assert removed(kept, PerChannel()) == (
        "removed 50 % of the output channels of 1 layer (1 of 2)"
    )
    assert masked_note("x", kept) == f"x; 1 of 4 weights stay; {AS_BEFORE}"


def test_each_way_of_masking_says_what_it_did():
    conv = drawn(nn.Conv2d(4, 6, 3))
    notes = {
        prune(conv, X, sparsity=0.75, granularity=PerKernel()).report.note: 54,
        prune_n_of_m(conv, X, n=1).report.note: 54,
        prune_patterns(conv, X, n_kept=3, n_patterns=4).report.note: 72,
        optimal_brain_surgeon(conv, X, sparsity=0.5).report.note: 108,
    }
    assert [note.removesuffix(AS_BEFORE) for note in notes] == [
        "removed 75 % of the kernels of 1 layer (18 of 24); 54 of 216 weights stay; ",
        "kept at most 1 of every 4 consecutive input channels of each output; 54 of 216 weights "
        "stay; ",
        "kept 3 of the 9 entries of each 3 x 3 kernel, in 4 patterns; 72 of 216 weights stay; ",
        "removed 50 % of the single weights of 1 layer (108 of 216); 108 of 216 weights stay; ",
    ]
    for note, kept in notes.items():
        assert f"; {kept} of 216 weights" in note


def test_masks_that_are_there_are_told_and_a_dense_network_has_no_note():
    conv = drawn(nn.Conv2d(4, 6, 3))
    assert masked_result(conv, X).report.note == ""
    half = with_masks(conv, {"": torch.arange(216).reshape(6, 4, 3, 3) % 2 == 0})
    assert masked_result(half, X).report.note == (
        f"removed 50 % of the single weights of 1 layer (108 of 216); 108 of 216 weights stay; "
        f"{AS_BEFORE}"
    )


def test_a_layer_without_an_even_division_is_an_error():
    with pytest.raises(ValueError, match=r"PerGroup: size must divide the number of weights = 4"):
        removed({"head": torch.ones(2, 2).bool()}, PerGroup(3))
