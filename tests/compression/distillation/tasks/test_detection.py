"""The detector: its target and what is read from it are each other's inverse."""

import numpy as np
import pytest
import torch
from torch import nn

from efficientdl.compression.distillation import distil
from efficientdl.compression.distillation.tasks.boxes import average_precision
from efficientdl.compression.distillation.tasks.detection import (
    N_SCORES,
    cells,
    detect,
    detection_loss,
    detection_matches,
    detector,
)
from efficientdl.datasets.shapes import draw_shapes
from efficientdl.fit.plan import Training

DATA = draw_shapes(n_train=48, n_test=16, seed=0)


class Oracle(nn.Module):
    """A detector that knows the target."""

    def __init__(self, target):
        super().__init__()
        scores = nn.functional.one_hot(target[:, 0].long(), N_SCORES).movedim(-1, 1) * 30.0
        self.output = torch.cat([scores, target[:, 1:]], dim=1)

    def forward(self, x):
        return self.output


def test_what_is_written_into_cells_is_read_from_them():
    oracle = Oracle(cells(DATA.train.objects, side=48))
    found = detect(oracle, DATA.train.x)
    assert average_precision(found, DATA.train.objects, n_classes=3) == pytest.approx(1.0)
    for one, objects in zip(found, DATA.train.objects, strict=True):
        there = objects[objects[:, 0] > 0]
        mine = torch.cat([one.classes[:, None].float(), one.boxes], dim=1)
        # Centres and sizes went through a division and a logarithm of float32.
        np.testing.assert_allclose(
            sorted(mine.tolist()), sorted(there.tolist()), rtol=1e-5, atol=1e-4
        )


def test_the_loss_is_zero_for_the_target_alone():
    target = cells(DATA.train.objects, side=48)
    oracle = Oracle(target)
    assert float(detection_loss(oracle.output, target)) < 1e-6
    moved = oracle.output.clone()
    moved[:, N_SCORES] += 2.0  # smooth L1 of 2 is 1.5
    np.testing.assert_allclose(float(detection_loss(moved, target)), 1.5, rtol=1e-5)


def test_offsets_of_empty_cells_are_free():
    target = cells(DATA.train.objects, side=48)
    output = Oracle(target).output
    empty = (target[:, :1] == 0).expand(-1, 4, -1, -1)
    output[:, N_SCORES:][empty] = 99.0
    assert float(detection_loss(output, target)) < 1e-6


def test_a_side_that_is_no_multiple_of_the_cells():
    with pytest.raises(ValueError, match=r"cells: stride must divide side = 50, got 8"):
        cells(DATA.train.objects, side=50)


def test_matches_are_zero_between_equals_but_for_the_bar_on_boxes():
    target = cells(DATA.train.objects, side=48)
    classes, boxes, _ = detection_matches(margin=0.0, seed=0)
    output = detector(4, seed=0).eval()(DATA.train.x).detach()
    assert float(classes.loss(output, output, target=target)) == pytest.approx(0, abs=1e-6)
    assert float(classes.loss(output, output, target=0 * target)) == 0
    assert float(boxes.loss(output, output, target=target)) == 0
    assert float(boxes.loss(output, Oracle(target).output, target=target)) > 0
    assert float(boxes.loss(output, output, target=0 * target)) == 0  # no shape anywhere
    assert boxes.wants_target
    assert classes.wants_target


def test_classes_are_compared_where_a_shape_is_and_where_the_teacher_suspects_one():
    """Two cells of 16 hold a shape, so six more count: where the teacher is least sure of none."""
    target = torch.zeros(1, 5, 4, 4)
    target[0, 0, 0, :2] = 1.0
    teacher = torch.zeros(1, 8, 4, 4)
    teacher[0, 0] = torch.arange(16.0).reshape(4, 4)  # ever surer of the background
    classes = detection_matches(seed=0)[0].loss
    for cell in range(16):
        student = teacher.clone()
        student[0, 3].flatten()[cell] = 5.0
        assert (float(classes(student, teacher, target=target)) != 0) == (cell < 8), cell


def test_a_detector_learns_under_another():
    target = cells(DATA.train.objects, side=48)
    plan = Training(train=(DATA.train.x, target), epochs=4, lr=1e-2, seed=0, loss=detection_loss)
    start, taught = detector(3, seed=0), detector(5, seed=1)
    x = DATA.train.x[:1]
    got, report = distil(start, taught, x, matches=detection_matches(seed=0), training=plan)
    with torch.no_grad():
        before, after = (float(detection_loss(net(DATA.train.x), target)) for net in (start, got))
    assert after < before
    assert report.total.params == sum(p.numel() for p in start.parameters())
