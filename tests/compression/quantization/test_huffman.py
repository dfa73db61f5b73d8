"""The Huffman step: the same function, fewer bits, never more than a bit above the entropy."""

import numpy as np
import pytest
import torch

from efficientdl.compression import prune
from efficientdl.compression.quantization.huffman import huffman
from efficientdl.compression.quantization.kmeans import share_weights
from efficientdl.costs.count import count
from efficientdl.models.trained import trained
from tests.compression.pruning.test_prune import X, network

PICTURE = torch.zeros(1, 1, 28, 28)


def entropy_bits(symbols):
    p = np.bincount(symbols) / len(symbols)
    return -float((p[p > 0] * np.log2(p[p > 0])).sum())


def shared_cnn():
    pruned, _ = prune(trained("small_cnn_mnist"), PICTURE, sparsity=0.8)
    return share_weights(pruned, PICTURE, bits=4)


def test_the_function_is_the_same_and_the_model_given_is_not_coded():
    few, before = shared_cnn()
    coded, after = huffman(few, PICTURE)
    x = torch.rand(2, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    assert torch.equal(coded(x), few(x))
    assert count(few, PICTURE) == before
    assert after == count(coded, PICTURE)
    assert after.total.macs == before.total.macs
    assert after.total.weight_bits < before.total.weight_bits


def test_streams_are_within_a_bit_of_their_entropy():
    coded, _ = huffman(shared_cnn().model, PICTURE)
    for name in ("conv2.conv", "conv3.conv", "conv4.conv", "classifier"):
        codes, gaps, _ = coded.get_submodule(name).coded_weight()
        for stream in (codes, gaps):
            n, bound = len(stream.symbols), entropy_bits(stream.symbols)
            bits = 8 * len(stream.data)
            assert n * bound <= bits < n * (bound + 1) + 8  # the last byte is filled up


def test_a_network_without_codes_is_refused():
    with pytest.raises(ValueError, match=r"huffman: model must have shared weights: share_weights"):
        huffman(network(), X)
