"""Regressors: they bring features to the teacher's shape, and depend on the seed alone."""

import pytest
import torch

from efficientdl.compression.distillation import regressor


def test_adapters_bring_maps_to_their_teachers_shape():
    student, theirs = torch.randn(2, 3, 7, 9), torch.randn(2, 5, 5, 9)
    assert regressor(student, theirs, seed=0)(student).shape == theirs.shape
    assert regressor(student[..., 0], theirs[..., 0].mT, seed=0)(student[..., 0]).shape[-1] == 5
    double = regressor(student.double(), theirs.double(), seed=0)
    assert double.weight.dtype == torch.float64
    with pytest.raises(ValueError, match=r"regressor: student_features must be at least as large"):
        regressor(theirs, student, seed=0)
    with pytest.raises(ValueError, match=r"regressor: student_features must have as many axes"):
        regressor(theirs[0], student, seed=0)


def test_the_seed_decides_the_weights():
    student, theirs = torch.zeros(2, 3, 7, 9), torch.zeros(2, 5, 5, 9)
    one, same, other = (regressor(student, theirs, seed=s).weight for s in (0, 0, 1))
    torch.testing.assert_close(one, same, rtol=0, atol=0)
    assert not torch.equal(one, other)
