"""The recipe is its steps, and a real network becomes many times smaller."""

from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from efficientdl.automl.recipes import compress, deep_compression, file_bytes, load, save
from efficientdl.compression import prune, quantize_weights, train_prune_retrain
from efficientdl.compression.quantization.huffman import huffman
from efficientdl.compression.quantization.kmeans import share_weights
from efficientdl.costs.count import count
from efficientdl.datasets import load as load_data
from efficientdl.fit import Training, evaluate
from efficientdl.models.trained import trained
from efficientdl.protocols import Result
from tests.compression.pruning.test_prune import X, network


def test_no_step_is_the_model():
    """The identity."""
    model = network()
    assert compress(model, X, steps=[]) == Result(model, count(model, X))


def test_a_recipe_is_one_call_after_the_other():
    by_hand = quantize_weights(prune(network(), X, sparsity=0.5).model, X, bits=4)
    steps = [partial(prune, sparsity=0.5), partial(quantize_weights, bits=4)]
    recipe = compress(network(), X, steps=steps)
    assert torch.equal(recipe.model(X), by_hand.model(X))
    assert recipe.report == by_hand.report


def test_deep_compression_is_prune_share_huffman():
    labels = torch.randint(10, (len(X),), generator=torch.Generator().manual_seed(4))
    training = Training(train=(X, labels), epochs=2, lr=1e-3, seed=0)
    ours = deep_compression(network(), X, sparsity=0.7, bits=3, retrain=training, finetune=training)
    pruned = train_prune_retrain(network(), X, sparsity=0.7, retrain=training).model
    coded = huffman(share_weights(pruned, X, bits=3, finetune=training).model, X)
    assert torch.equal(ours.model(X), coded.model(X))
    assert ours.report == coded.report
    for i in (0, 4):  # nothing that was pruned comes back in either training
        np.testing.assert_array_equal(ours.model[i].weight.detach()[~pruned[i].mask], 0)


def test_each_step_makes_it_smaller():
    model, x = trained("small_cnn_mnist"), torch.zeros(1, 1, 28, 28)
    steps = [partial(prune, sparsity=0.8), partial(share_weights, bits=4), huffman]
    sizes = [
        compress(model, x, steps=steps[:n]).report.total.weight_bits for n in range(len(steps) + 1)
    ]
    assert sizes == sorted(sizes, reverse=True)
    assert len(set(sizes)) == 4


@pytest.mark.slow
def test_lenet_300_100_is_thirty_times_smaller_on_disk_and_as_good_to_two_points(tmp_path):
    """Short trainings on a few thousand digits; the paper's figures are for a benchmark to seek."""
    data, model = load_data("mnist"), trained("lenet_300_100_mnist")
    small, _ = deep_compression(
        model,
        data.test.x[:1],
        sparsity={"fc1": 0.9, "fc2": 0.89, "classifier": 0.7},
        bits=4,
        retrain=Training(train=data.train, epochs=3, lr=3e-3, seed=0),
        finetune=Training(train=data.train, epochs=1, lr=1e-3, seed=0),
    )
    path = tmp_path / "lenet.edlc"
    save(small, path)
    dense_bytes = sum(4 * p.numel() for p in model.parameters())
    assert path.stat().st_size == file_bytes(small)
    assert dense_bytes / path.stat().st_size > 30
    read = load(path, trained("lenet_300_100_mnist"))
    assert evaluate(read, data.test) == evaluate(small, data.test)
    assert evaluate(read, data.test) > evaluate(model, data.test) - 0.02


def test_bad_steps_and_options_are_named():
    with pytest.raises(TypeError, match=r"compress: step must be a function, got 'prune'"):
        compress(network(), X, steps=["prune"])
    with pytest.raises(TypeError, match=r"compress: what a step gives must be a Result, got 1"):
        compress(network(), X, steps=[lambda model, x: 1])
    with pytest.raises(ValueError, match=r"train_prune_retrain: sparsity must be in \[0, 1\)"):
        deep_compression(network(), X, sparsity=1.0, bits=2)
    with pytest.raises(ValueError, match=r"share_weights: bits must be .* got 33"):
        deep_compression(nn.Linear(4, 4), torch.zeros(1, 4), sparsity=0.0, bits=33)
