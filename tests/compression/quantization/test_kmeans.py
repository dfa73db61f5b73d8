"""k-means sharing: clusters against scikit-learn, centroids against gathered gradients."""

import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans
from torch import nn

from efficientdl.compression import prune
from efficientdl.compression.quantization.kmeans import share_weights
from efficientdl.costs.count import count
from efficientdl.fit.history import Recipe
from efficientdl.fit.plan import Training
from efficientdl.models.trained import trained
from efficientdl.tensors.codebooks import density_start
from tests.compression.pruning.test_prune import X, network

DIGITS = torch.randint(10, (len(X),), generator=torch.Generator().manual_seed(4))


def values_of(layer):
    weight = layer.weight.detach()
    return weight[layer.mask] if getattr(layer, "mask", None) is not None else weight.flatten()


@pytest.mark.parametrize("bits", [1, 2, 4, 5])
def test_clusters_of_a_trained_network_are_no_worse_than_scikit_learns(bits):
    """Beside its own k-means++, and its rounds from the paper's linear start."""
    model, x = trained("small_cnn_mnist"), torch.zeros(1, 1, 28, 28)
    pruned, _ = prune(model, x, sparsity={"classifier": 0.9})
    few = share_weights(pruned, x, bits={"classifier": bits}).model.classifier
    values = values_of(pruned.classifier)
    ours = float((values_of(few) - values).double().square().sum())
    points = values.double().numpy()[:, None]
    line = np.linspace(points.min(), points.max(), 2**bits)[:, None]
    for options in ({"init": "k-means++", "random_state": 0}, {"init": line}):
        theirs = KMeans(2**bits, n_init=1, tol=0, max_iter=1000, **options).fit(points).inertia_
        assert ours <= theirs * (1 + 1e-6)  # centroids in float32


def test_there_are_as_many_values_as_codes_tell_apart():
    few, _ = share_weights(network(), X, bits={"0": 2, "4": 5})
    assert few[0].weight.unique().numel() == 4
    assert few[4].weight.unique().numel() == 32


def test_pruned_weights_stay_zero_and_have_no_code():
    pruned, _ = prune(network(), X, sparsity=0.75)
    few, report = share_weights(pruned, X, bits=2)
    for name in ("0", "4"):
        before, after = pruned.get_submodule(name), few.get_submodule(name)
        np.testing.assert_array_equal(after.weight.detach()[~before.mask], 0)
        assert values_of(after).unique().numel() == 4
    assert report.total.weight_bits < share_weights(network(), X, bits=2).report.total.weight_bits


def test_one_step_of_fine_tuning_moves_each_centroid_by_its_gathered_gradient():
    """AdamW's first step is `lr` against the sign; where gradients gather to zero it is none."""
    lr, seed = 1e-3, 0
    recipe = Recipe(batch=len(X), weight_decay=0.0)
    training = Training(train=(X, DIGITS), epochs=1, lr=lr, seed=seed, recipe=recipe)
    still = share_weights(network(), X, bits=3).model
    moved = share_weights(network(), X, bits=3, finetune=training).model
    dense = network()
    dense[0].weight.data = still[0].weight.detach().clone()
    dense[4].weight.data = still[4].weight.detach().clone()
    nn.functional.cross_entropy(dense(X), DIGITS).backward()
    for i in (0, 4):
        np.testing.assert_array_equal(moved[i].codes, still[i].codes)
        codes, grad = still[i].codes.flatten(), dense[i].weight.grad.flatten()
        gathered = torch.stack([grad[codes == code].sum() for code in range(8)])
        step = (moved[i].codebooks - still[i].codebooks).detach().flatten()
        far = gathered.abs() > 1e-5  # nearer to zero, Adam's epsilon and rounding have their say
        assert int(far.sum()) >= 6
        np.testing.assert_allclose(step[far], -lr * gathered[far].sign(), rtol=1e-2)


def test_fine_tuning_lowers_the_loss():
    training = Training(train=(X, DIGITS), epochs=20, lr=3e-3, seed=0)
    before, after = (
        nn.functional.cross_entropy(share_weights(network(), X, **o).model(X), DIGITS).detach()
        for o in ({"bits": 2}, {"bits": 2, "finetune": training})
    )
    assert after < before


def test_the_report_is_codes_codebooks_and_biases():
    few, report = share_weights(network(), X, bits=3)
    for name, (channels, size) in {"0": (8, 27), "4": (10, 8)}.items():
        bits = channels * size * 3 + 8 * 32 + channels * 32
        assert report.rows[name].weight_bits == bits
    assert report == count(few, X)


def test_constant_and_zero_weights_are_exact():
    for value in (0.0, 0.1):
        model = network()
        nn.init.constant_(model[4].weight, value)
        few, _ = share_weights(model, X, bits={"4": 4}, start=density_start)
        np.testing.assert_array_equal(few[4].weight.detach(), model[4].weight.detach())


def test_bad_layers_and_options_are_named():
    model = network()
    for bits in (0, 9):
        with pytest.raises(
            ValueError, match=rf"share_weights: bits must be .*\[1, 8\], got {bits}"
        ):
            share_weights(model, X, bits=bits)
    with pytest.raises(ValueError, match=r"layer '4', which keeps 80 weights.*, got 7"):
        share_weights(model, X, bits=7)
    model[4].weight.data[0, 0] = float("nan")
    with pytest.raises(ValueError, match=r"must hold finite weights in layer '4', got nan"):
        share_weights(model, X, bits=2)
