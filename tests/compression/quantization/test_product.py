"""Product quantization: each block against scikit-learn, and the error against the codebooks."""

import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans
from torch import nn

from efficientdl.compression import prune
from efficientdl.compression.quantization.product import quantize_product
from efficientdl.costs.count import count
from efficientdl.models.trained import trained
from tests.compression.pruning.test_prune import X, network

SMALL_X = torch.zeros(1, 1, 28, 28)


def rows_of(layer):
    return layer.weight.detach().flatten(1).double()


def error(bits, n_codebooks, seed=0):
    """On a trained network, whose third convolution is 64 filters of 288 weights."""
    model = trained("small_cnn_mnist")
    name = "conv3.conv"
    few = quantize_product(
        model, SMALL_X, bits={name: bits}, n_codebooks={name: n_codebooks}, seed=seed
    ).model
    return float((rows_of(few.get_submodule(name)) - rows_of(model.get_submodule(name))).norm())


def test_error_falls_with_codebooks_and_with_bits():
    by_books = [error(3, n) for n in (1, 4, 32, 288)]
    assert by_books == sorted(by_books, reverse=True)
    assert len(set(by_books)) == 4
    by_bits = [error(bits, 32) for bits in (1, 2, 4, 6)]
    assert by_bits == sorted(by_bits, reverse=True)
    assert by_bits[-1] == 0  # as many entries as rows


def test_each_block_is_a_fixed_point_of_scikit_learns_k_means():
    model = nn.Linear(12, 64)
    model.weight.data = torch.randn(64, 12, generator=torch.Generator().manual_seed(5))
    few = quantize_product(model, torch.zeros(1, 12), bits=3, n_codebooks=4, seed=0).model
    for b in range(4):
        block = model.weight.detach()[:, 3 * b : 3 * b + 3].double().numpy()
        book = few.codebooks.detach()[b].double().numpy()
        codes = few.codes[:, b].numpy()
        again = KMeans(8, init=book, n_init=1, tol=0).fit(block)
        ours = ((book[codes] - block) ** 2).sum()
        np.testing.assert_allclose(again.inertia_, ours, rtol=1e-6)  # float32 centroids
        np.testing.assert_array_equal(again.labels_, codes)
        np.testing.assert_array_equal(few.weight.detach()[:, 3 * b : 3 * b + 3], book[codes])


def test_storage_is_codes_for_each_block_and_the_codebooks():
    few, report = quantize_product(network(), X, bits=2, n_codebooks={"0": 9, "4": 4}, seed=0)
    assert report.rows["0"].weight_bits == 8 * 9 * 2 + 4 * 27 * 32 + 8 * 32
    assert report.rows["4"].weight_bits == 10 * 4 * 2 + 4 * 8 * 32 + 10 * 32
    assert report == count(few, X)


def test_pruned_weights_stay_zero():
    pruned, _ = prune(network(), X, sparsity=0.5)
    few, _ = quantize_product(pruned, X, bits=2, n_codebooks=1, seed=0)
    np.testing.assert_array_equal(few[4].weight.detach()[~pruned[4].mask], 0)


def test_a_seed_replays_and_another_starts_elsewhere():
    one, again, other = (
        quantize_product(network(), X, bits=2, n_codebooks={"0": 9, "4": 4}, seed=s).model(X)
        for s in (0, 0, 1)
    )
    assert torch.equal(one, again)
    assert not torch.equal(one, other)


def test_bad_options_are_named():
    options = {"bits": 2, "n_codebooks": 1, "seed": 0}
    for name, value, said in [
        ("bits", 0, r"bits must be .* \[1, 8\], got 0"),
        ("bits", 4, r"bits must leave layer '0', whose weight has 8 rows.* got 4"),
        ("n_codebooks", 5, r"n_codebooks must divide the columns of layer '0' = 27, got 5"),
        ("n_codebooks", {"4": 2}, r"n_codebooks must name layer '0', whose bits are given"),
        ("seed", -1, r"seed must be .* got -1"),
    ]:
        with pytest.raises(ValueError, match=rf"quantize_product: {said}"):
            quantize_product(network(), X, **{**options, name: value})
    model = network()
    model[0].weight.data[0] = float("inf")
    with pytest.raises(ValueError, match=r"must hold finite weights in layer '0', got inf"):
        quantize_product(model, X, **options)
