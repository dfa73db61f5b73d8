"""Pictures against pictures: torch's mean absolute error."""

import torch
from torch.nn import functional

from efficientdl.fit.distillation import reconstruction


def test_it_is_torchs_mean_absolute_error():
    gen = torch.Generator().manual_seed(0)
    student, teacher = (torch.randn(3, 1, 5, 4, generator=gen).double() for _ in range(2))
    torch.testing.assert_close(
        reconstruction(student, teacher), functional.l1_loss(student, teacher)
    )
