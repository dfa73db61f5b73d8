"""Overlap by counting pixels, average precision by hand and by brute force."""

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score

from efficientdl.compression.distillation.tasks.boxes import (
    Found,
    average_precision,
    overlap,
    suppress,
)


def found(*rows):
    """Rows of class, score, x, y, width, height."""
    table = torch.tensor(rows, dtype=torch.float32).reshape(-1, 6)
    return Found(table[:, 2:], table[:, 0].long(), table[:, 1])


def test_overlap_by_counting_pixels():
    rng = np.random.default_rng(0)
    low = rng.integers(0, 10, (12, 2))
    size = rng.integers(1, 10, (12, 2))
    masks = np.zeros((12, 20, 20), dtype=bool)
    for mask, (x, y), (w, h) in zip(masks, low, size, strict=True):
        mask[y : y + h, x : x + w] = True
    boxes = torch.from_numpy(np.concatenate([low + size / 2, size], axis=1))
    both = np.einsum("iyx,jyx->ij", masks.astype(int), masks.astype(int))
    either = (masks[:, None] | masks[None]).sum((2, 3))
    np.testing.assert_allclose(overlap(boxes, boxes), both / either, rtol=1e-12)


def test_boxes_without_an_area_overlap_nothing():
    flat = torch.tensor([[1.0, 1, 0, 2]])
    torch.testing.assert_close(overlap(flat, flat), torch.zeros(1, 1))


def test_suppression_keeps_the_surest_of_each_class():
    twice = found((1, 0.5, 5, 5, 4, 4), (1, 0.9, 5, 5, 4, 5), (2, 0.3, 5, 5, 4, 4))
    kept = suppress(twice)
    assert kept.scores.tolist() == pytest.approx([0.9, 0.3])
    assert kept.classes.tolist() == [1, 2]


def test_suppressing_nothing():
    assert len(suppress(found()).scores) == 0


def test_precision_by_hand():
    """Right, wrong, right, and one object never found: areas 1/3 and 2/3 of 1/3."""
    objects = torch.tensor([[[1.0, 5, 5, 4, 4], [1, 15, 5, 4, 4], [1, 25, 5, 4, 4]]])
    boxes = found((1, 0.9, 5, 5, 4, 4), (1, 0.8, 35, 5, 4, 4), (1, 0.7, 15, 5, 4, 4))
    got = average_precision([boxes], objects, n_classes=1)
    np.testing.assert_allclose(got, 1 / 3 + (2 / 3) / 3, rtol=1e-12)


def test_the_curve_is_made_to_fall():
    """Wrong, right, right: precision 1/2 at the first hit counts as the 2/3 of the second."""
    objects = torch.tensor([[[1.0, 5, 5, 4, 4], [1, 15, 5, 4, 4]]])
    boxes = found((1, 0.9, 35, 5, 4, 4), (1, 0.8, 5, 5, 4, 4), (1, 0.7, 15, 5, 4, 4))
    got = average_precision([boxes], objects, n_classes=1)
    np.testing.assert_allclose(got, 2 / 3, rtol=1e-12)


def test_an_object_is_found_once():
    objects = torch.tensor([[[1.0, 5, 5, 4, 4], [1, 15, 5, 4, 4]]])
    boxes = found((1, 0.9, 5, 5, 4, 4), (1, 0.8, 5, 5, 4, 4))
    assert average_precision([boxes], objects, n_classes=1) == pytest.approx(0.5)


def test_classes_are_kept_apart_and_pictures_too():
    objects = torch.tensor([[[1.0, 5, 5, 4, 4]], [[2.0, 5, 5, 4, 4]]])
    right = [found((1, 0.9, 5, 5, 4, 4)), found((2, 0.9, 5, 5, 4, 4))]
    assert average_precision(right, objects, n_classes=3) == 1.0  # the third does not occur
    assert average_precision(right[::-1], objects, n_classes=3) == 0.0
    assert average_precision([found(), right[1]], objects, n_classes=3) == 0.5


def test_against_scikit_learn_where_the_curve_need_not_be_made_to_fall():
    """One box on each object or on none; precision only falls where all right ones come first."""
    n = 40
    objects = torch.zeros(n, 1, 5)
    objects[:, 0] = torch.tensor([1.0, 5, 5, 4, 4])
    scores = torch.rand(n, generator=torch.Generator().manual_seed(0))
    right = scores > 0.4
    pictures = [
        found((1, float(s), 5.0 if r else 50.0, 5, 4, 4))
        for s, r in zip(scores, right, strict=True)
    ]
    wanted = average_precision_score(right.numpy(), scores.numpy()) * float(right.float().mean())
    np.testing.assert_allclose(
        average_precision(pictures, objects, n_classes=1), wanted, rtol=1e-6
    )  # float32 scores


def test_bad_input():
    with pytest.raises(ValueError, match=r"average_precision: found and objects must be equally"):
        average_precision([], torch.zeros(1, 1, 5), n_classes=1)
    with pytest.raises(ValueError, match=r"average_precision: objects must have one at least"):
        average_precision([found()], torch.zeros(1, 1, 5), n_classes=1)
