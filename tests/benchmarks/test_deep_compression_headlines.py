"""The headlines of Deep Compression: the recipe, and what is counted, in a quick version."""

import numpy as np
import pytest

from benchmarks.headlines import Headline, deep_compression, trainings
from efficientdl.compression.pruning import prune
from efficientdl.compression.quantization import share_weights
from efficientdl.models import build

N_PARAMETERS = {"lenet_300_100": 266_610, "lenet_5": 431_080}


@pytest.fixture
def quick(monkeypatch):
    for name, value in {"seeds": 1, "passes": 0.05, "test": 0.05}.items():
        monkeypatch.setitem(trainings.SIZES, name, value)


@pytest.mark.parametrize("network", deep_compression.PLANS)
def test_the_shares_and_bits_fit_every_layer(network):
    """A codebook may not have more values than its layer keeps weights: 8 bits of conv1, say."""
    model, x = build(network, seed=0), trainings.example(network)
    pruned = prune(model, x, sparsity=deep_compression.HAN[network]).model
    few = share_weights(pruned, x, bits=deep_compression.PLANS[network].bits).model
    wanted = deep_compression.PLANS[network].bits
    for name in deep_compression.HAN[network]:
        bits = wanted[name] if isinstance(wanted, dict) else wanted
        assert few.get_submodule(name).codebooks.shape[1] == 2**bits


@pytest.mark.slow
@pytest.mark.parametrize("claim", deep_compression.CLAIMS, ids=lambda claim: claim.__name__)
def test_every_claim_comes_out_with_the_sizes_in_order(quick, claim):
    found = claim()
    assert isinstance(found, Headline)
    figures = {name: np.array(values) for name, values in found.figures.items()}
    dense = 4 * N_PARAMETERS[claim.__name__.replace("deep_compression", "lenet")]
    np.testing.assert_allclose(figures["dense, KiB"] * 1024, dense)
    np.testing.assert_allclose(figures["times smaller"] * figures["file, KiB"] * 1024, dense)
    np.testing.assert_allclose(
        figures["points lost"], figures["dense, %"] - figures["compressed, %"]
    )
    shares = [
        "pruned, % of dense bytes",
        "and shared, % of dense bytes",
        "file, % of dense bytes",
        "and Huffman coded, % of dense bytes",
    ]
    falling = [float(figures[name][0]) for name in shares]  # the file has a frame, too
    assert falling == sorted(falling, reverse=True)
    assert found.holds == (figures["points lost"][0] <= 0.5 and figures["times smaller"][0] >= 30)
