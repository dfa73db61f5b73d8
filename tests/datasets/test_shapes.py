"""Shapes on photographs: what is drawn is what is written down."""

import numpy as np
import pytest
import torch
from skimage import data as photographs

from efficientdl.datasets.shapes import CLASSES, LARGEST, MOST, SMALLEST, draw_shapes

DATA = draw_shapes(n_train=60, n_test=30, seed=0)


def each():
    for part in (DATA.train, DATA.test):
        for x, objects, labels in zip(*part, strict=True):
            yield x[0], objects[objects[:, 0] > 0], labels


def test_sizes_and_values():
    assert DATA.train.x.shape == (60, 1, 48, 48)
    assert DATA.test.objects.shape == (30, MOST, 5)
    assert DATA.train.labels.dtype == torch.int64
    for x, objects, _ in each():
        assert 0 <= float(x.min()) <= float(x.max()) <= 1
        assert 1 <= len(objects) <= MOST
        assert bool((objects[:, 3:] >= SMALLEST).all() & (objects[:, 3:] <= LARGEST).all())


def test_boxes_are_as_tight_as_the_labels_allow():
    """Half a pixel at each edge of a disc, and a row at the tip of a triangle, hold no centre."""
    for _, objects, labels in each():
        for kind, x, y, width, height in objects.tolist():
            inside = np.zeros((48, 48), dtype=bool)
            rows, columns = np.mgrid[:48, :48] + 0.5
            inside[(abs(columns - x) < width / 2) & (abs(rows - y) < height / 2)] = True
            mine = (labels.numpy() == kind) & inside
            down, right = np.nonzero(mine)
            np.testing.assert_allclose(right.min(), x - width / 2, atol=1)
            np.testing.assert_allclose(right.max() + 1, x + width / 2, atol=1)
            np.testing.assert_allclose(down.min(), y - height / 2, atol=1)
            np.testing.assert_allclose(down.max() + 1, y + height / 2, atol=1)


def test_areas_are_those_of_the_shapes():
    share = {"disc": np.pi / 4, "square": 1.0, "triangle": 0.5}
    for _, objects, labels in each():
        for label, name in enumerate(CLASSES[1:], start=1):
            wanted = sum(share[name] * float(row[3] * row[4]) for row in objects if row[0] == label)
            edge = 2 * sum(float(row[3]) for row in objects if row[0] == label)
            # Pixels are counted whole: up to half a pixel along the outline.
            np.testing.assert_allclose(int((labels == label).sum()), wanted, atol=max(edge, 1))


def test_a_triangle_stands_on_its_base():
    for _, objects, labels in each():
        for kind, _, y, _, height in objects.tolist():
            if CLASSES[int(kind)] == "triangle" and int((objects[:, 0] == kind).sum()) == 1:
                rows = (labels == kind).sum(1)
                assert int(rows[round(y + height / 2) - 1]) > 2 * int(rows[round(y - height / 4)])


def test_shapes_do_not_overlap():
    for _, objects, _ in each():
        for i, a in enumerate(objects):
            for b in objects[i + 1 :]:
                apart = (a[1:3] - b[1:3]).abs() >= (a[3:] + b[3:]) / 2
                assert bool(apart.any())


def test_backgrounds_are_crops_of_real_photographs():
    """Around the shapes the pixels are a photograph's, and those of the parts differ."""
    grey = photographs.camera().astype(np.float32) / 255
    corners = np.lib.stride_tricks.sliding_window_view(grey, (1, 6))[:, :, 0]
    found = 0
    for x, _, labels in zip(*DATA.train, strict=True):
        free = bool((labels[0, :6] == 0).all())
        found += free and bool((corners == x[0, 0, :6].numpy()).all(-1).any())
    # A third of the pictures have this photograph behind them.
    assert 10 < found < 40
    assert not any(
        bool((x[0, :6, :6].numpy() == y[0, :6, :6].numpy()).all())
        for x in DATA.train.x[:20]
        for y in DATA.test.x
    )


def test_it_is_the_seed_alone_that_decides():
    again = draw_shapes(n_train=60, n_test=30, seed=0)
    other = draw_shapes(n_train=60, n_test=30, seed=1)
    torch.testing.assert_close(tuple(again.train), tuple(DATA.train), rtol=0, atol=0)
    assert not torch.equal(other.train.labels, DATA.train.labels)


@pytest.mark.parametrize("wrong", [{"n_train": 0}, {"n_test": -1}, {"seed": -1}, {"side": 31}])
def test_out_of_range(wrong):
    ((name, value),) = wrong.items()
    with pytest.raises(ValueError, match=rf"draw_shapes: {name} must be a whole.*, got {value}"):
        draw_shapes(**{"n_train": 1, "n_test": 1, "seed": 0, **wrong})
