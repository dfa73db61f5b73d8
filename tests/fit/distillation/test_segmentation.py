"""Pixels and pairs of pixels, by brute force."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from efficientdl.fit.distillation import affinity, pairwise, pixelwise


def maps(seed, c=4):
    gen = torch.Generator().manual_seed(seed)
    return torch.randn(2, c, 3, 2, generator=gen, dtype=torch.float64)


@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_pixels_are_torchs_divergence_one_by_one(temperature):
    student, teacher = maps(0), maps(1)
    each = [
        functional.kl_div(
            (student[n, :, i, j] / temperature).log_softmax(0),
            (teacher[n, :, i, j] / temperature).softmax(0),
            reduction="sum",
        )
        for n in range(2)
        for i in range(3)
        for j in range(2)
    ]
    wanted = temperature**2 * torch.stack(each).mean()
    torch.testing.assert_close(pixelwise(student, teacher, temperature=temperature), wanted)


def cosines(x):
    vectors = x.numpy().reshape(*x.shape[:2], -1)
    a = np.empty((len(x), 6, 6))
    for n, i, j in np.ndindex(a.shape):
        u, v = vectors[n, :, i], vectors[n, :, j]
        a[n, i, j] = u @ v / np.sqrt((u @ u) * (v @ v))
    return a


def test_pairs_by_brute_force_at_different_widths():
    student, teacher = maps(0, c=3), maps(1, c=7)
    np.testing.assert_allclose(affinity(student), cosines(student), rtol=0, atol=1e-14)
    wanted = np.mean((cosines(student) - cosines(teacher)) ** 2)
    np.testing.assert_allclose(float(pairwise(student, teacher)), wanted, rtol=1e-12)


def test_turning_all_feature_vectors_together_is_free():
    teacher = maps(0)
    turn, _ = torch.linalg.qr(maps(2).flatten(1)[0, :16].reshape(4, 4))
    turned = torch.einsum("dc,nchw->ndhw", turn, teacher)
    assert float(pairwise(turned, teacher)) < 1e-28  # squares of float64's rounding
    assert float(pairwise(turned.flip(2), teacher)) > 1e-2


def test_temperature_out_of_range():
    with pytest.raises(ValueError, match=r"pixelwise: temperature must be a positive number"):
        pixelwise(maps(0), maps(1), temperature=0.0)
