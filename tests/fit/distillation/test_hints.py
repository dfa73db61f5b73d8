"""Hints: half a mean square."""

import torch
from torch.nn import functional

from efficientdl.fit.distillation import hint


def test_it_is_half_of_torchs_mean_square():
    gen = torch.Generator().manual_seed(0)
    student, teacher = (torch.randn(2, 3, 4, 4, generator=gen).double() for _ in range(2))
    torch.testing.assert_close(hint(student, teacher), functional.mse_loss(student, teacher) / 2)


def test_a_weight_means_the_same_for_maps_of_any_size():
    small, large = torch.full((1, 2, 2, 2), 3.0), torch.full((5, 8, 9, 9), 3.0)
    torch.testing.assert_close(hint(small, 0 * small), hint(large, 0 * large))
