"""Accuracy and masks of lab 02's panels, against `prune` and `evaluate` on the whole network."""

import pytest
import torch

from efficientdl import datasets, fit, models
from efficientdl.compression.pruning import globally, masks_of, per_layer, prune
from efficientdl.compression.pruning.criteria import l2_norm, magnitude, taylor
from efficientdl.course.panels import lab_02_subject as subject
from efficientdl.course.panels.lab_02_subject import ALONE, LAYERS, TOGETHER
from efficientdl.tensors import PerChannel, PerGroup, PerKernel

pytestmark = pytest.mark.slow  # the network and its images are read


def evaluated(model):
    return fit.evaluate(model, datasets.load("fashion_mnist").val)


def pruned(**options):
    model = models.trained("small_cnn_fashion")
    return prune(model, torch.zeros(1, 1, 28, 28), **options).model


def test_without_masks_it_is_the_network_itself():
    assert subject.accuracy({}) == subject.dense() == evaluated(models.trained("small_cnn_fashion"))


@pytest.mark.parametrize("layer", LAYERS)
def test_accuracy_of_one_masked_layer_is_that_of_the_pruned_network(layer):
    worth = {layer: magnitude(subject.weights()[layer])}
    masks = subject.masks(worth, 0.9, granularity=PerGroup(1), scope=ALONE)
    assert subject.accuracy(masks) == evaluated(pruned(sparsity={layer: 0.9}))


@pytest.mark.parametrize(("name", "scope"), [(ALONE, per_layer), (TOGETHER, globally)])
@pytest.mark.parametrize("granularity", [PerGroup(1), PerKernel(), PerChannel()])
def test_masks_are_those_of_prune(name, scope, granularity):
    worth = {layer: l2_norm(weight) for layer, weight in subject.weights().items()}
    ours = subject.masks(worth, 0.6, granularity=granularity, scope=name)
    theirs = pruned(sparsity=0.6, criterion=l2_norm, granularity=granularity, scope=scope)
    torch.testing.assert_close(ours, masks_of(theirs))
    assert subject.accuracy(ours) == evaluated(theirs) == subject.accuracy_of(theirs)


def test_scores_use_the_first_training_images():
    x, y = subject.examples()
    train = datasets.load("fashion_mnist").train
    assert len(x) == len(y) == subject.EXAMPLES
    torch.testing.assert_close(x, train.x[: len(x)])
    ours = subject.masks(subject.scores(taylor), 0.5, granularity=PerGroup(1), scope=ALONE)
    theirs = pruned(sparsity=0.5, criterion=taylor, data=(x, y))
    torch.testing.assert_close(ours, masks_of(theirs))


def test_the_shared_network_stays_as_it_was_trained():
    subject.accuracy({layer: torch.zeros_like(w) > 0 for layer, w in subject.weights().items()})
    fresh = models.trained("small_cnn_fashion").state_dict()
    torch.testing.assert_close(dict(subject.network().state_dict()), dict(fresh))
