"""Labels of pixels: the measure against scikit-learn's."""

import numpy as np
import torch
from sklearn.metrics import jaccard_score
from torch.nn.functional import cross_entropy, one_hot

from efficientdl.compression.distillation import distil
from efficientdl.compression.distillation.tasks.segmentation import (
    mean_iou,
    segmentation_matches,
    segmenter,
)
from efficientdl.datasets.shapes import draw_shapes
from efficientdl.fit.plan import Training


def test_measure_is_scikit_learns():
    gen = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 4, (3, 6, 5), generator=gen)
    output = torch.randn(3, 4, 6, 5, generator=gen)
    wanted = jaccard_score(labels.flatten(), output.argmax(1).flatten(), average="macro")
    np.testing.assert_allclose(mean_iou(output, labels), wanted, rtol=1e-12)


def test_what_is_right_everywhere_is_one_and_absent_classes_do_not_count():
    labels = torch.tensor([[[0, 2], [2, 0]]])
    output = one_hot(labels, 4).movedim(-1, 1).float()
    assert mean_iou(output, labels) == 1.0


def test_a_segmenter_learns_under_another():
    data = draw_shapes(n_train=32, n_test=1, seed=0).train
    plan = Training(train=(data.x, data.labels), epochs=4, lr=1e-2, seed=0, loss=cross_entropy)
    start, taught = segmenter(2, seed=0), segmenter(4, seed=1)
    got, _ = distil(start, taught, data.x[:1], matches=segmentation_matches(), training=plan)
    before, after = (cross_entropy(net(data.x), data.labels) for net in (start, got))
    assert float(after.detach()) < float(before.detach())
