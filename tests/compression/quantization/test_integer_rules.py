"""Rules for operations that only a certain layout in memory brings about."""

import pytest
import torch
from torch import nn

from efficientdl.compression.quantization import integer_only
from efficientdl.compression.quantization.dataflow import dataflow
from efficientdl.models import seeded

X = torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(0))


def pooled():
    return seeded(lambda: nn.Sequential(nn.Conv2d(3, 6, 3), nn.AdaptiveAvgPool2d(1)), seed=0).eval()


class Transposing(nn.Module):
    """Lays its values out anew: that is no average, though the shape stays."""

    def forward(self, x):
        return x.as_strided(x.shape, (192, 64, 1, 8))


def test_channels_last_in_memory_give_the_same_codes():
    last = X.contiguous(memory_format=torch.channels_last)
    names = [step.name for step in dataflow("test", pooled(), last).steps]
    assert "as_strided" in names, "an average to one pixel restrides where channels lie last"
    plain, turned = (integer_only(pooled(), x).model for x in (X, last))
    codes = plain.to_codes(X)
    # Float sums in another order may move a range by a rounding, and a code by one with it.
    ours, theirs = turned.integers(codes), plain.integers(codes)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1)


def test_values_laid_out_anew_are_refused():
    model = nn.Sequential(nn.Conv2d(3, 3, 1), Transposing())
    with pytest.raises(ValueError, match="integer_only: model must not lay values out anew"):
        integer_only(model, X)
