"""Directions of hidden states, against torch's cosine embedding loss."""

import torch
from torch.nn import functional

from efficientdl.fit.distillation import hidden_cosine


def test_it_is_torchs_cosine_embedding_loss():
    gen = torch.Generator().manual_seed(0)
    student, teacher = (torch.randn(3, 5, 8, generator=gen).double() for _ in range(2))
    ones = torch.ones(15)
    wanted = functional.cosine_embedding_loss(student.flatten(0, 1), teacher.flatten(0, 1), ones)
    torch.testing.assert_close(hidden_cosine(student, teacher), wanted)


def test_length_is_free_and_the_opposite_costs_two():
    x = torch.tensor([[[1.0, 2.0, 2.0]]])
    torch.testing.assert_close(hidden_cosine(7 * x, x), torch.tensor(0.0), rtol=0, atol=1e-6)
    torch.testing.assert_close(hidden_cosine(-7 * x, x), torch.tensor(2.0))
