"""Ternary weights: three values, the paper's threshold and size, and a training through them."""

import numpy as np
import pytest
import torch

from efficientdl.compression.quantization.ternary import ternarize_weights
from efficientdl.fit import evaluate
from efficientdl.tensors import PerChannel
from tests.compression.quantization.small_mnist import NAMES, TEST, X, network, training
from tests.promises.state import global_generators_untouched, untouched


def by_hand(weight):
    """The paper's equations in NumPy, over a row."""
    threshold = 0.7 * np.abs(weight).mean()
    beyond = np.abs(weight) > threshold
    return np.sign(weight) * beyond * np.abs(weight)[beyond].mean()


def test_weights_are_what_the_paper_says_by_layer_and_by_channel():
    model = network()
    whole, _ = ternarize_weights(model, X)
    rows, _ = ternarize_weights(model, X, granularity=PerChannel())
    for name in NAMES:
        weight = model.get_submodule(name).weight.detach().numpy()
        np.testing.assert_allclose(
            whole.get_submodule(name).weight, by_hand(weight), rtol=1e-5, atol=1e-8
        )
        assert len(whole.get_submodule(name).weight.unique()) == 3
        per_row = np.stack([by_hand(row) for row in weight])
        np.testing.assert_allclose(rows.get_submodule(name).weight, per_row, rtol=1e-5, atol=1e-8)


def test_two_bits_are_stored_for_each_weight_and_a_scale():
    _, report = ternarize_weights(network(), X)
    assert report.rows["conv2"].weight_bits == 2 * 3200 + 32
    assert report.rows["fc"].weight_bits == 2 * 2560 + 32 + 10 * 32


@pytest.mark.slow
def test_a_trained_network_beats_chance_by_far_and_rounding_alone():
    model = network()
    with untouched(model), global_generators_untouched():
        small, _ = ternarize_weights(model, X, training=training())
    trained = training().run(network())
    rounded, _ = ternarize_weights(trained, X)
    assert evaluate(small, TEST) > 0.7  # chance is 0.1
    assert evaluate(small, TEST) > evaluate(rounded, TEST)
    for name in NAMES:
        assert len(small.get_submodule(name).weight.unique()) == 3
        assert not torch.equal(small.get_submodule(name).codes, rounded.get_submodule(name).codes)
