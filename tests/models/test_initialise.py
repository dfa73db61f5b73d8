import math
import random

import numpy as np
import pytest
import torch
from torch import nn

from efficientdl.models import names, outline, seeded, skeleton
from efficientdl.models import registry as registry_module

HEAVY = {"alexnet", "vgg16"}
CASES = [pytest.param(n, marks=pytest.mark.slow if n in HEAVY else ()) for n in names()]


@pytest.fixture
def poisoned_memory():
    """Fill all fresh memory with NaN, or the largest integer, as torch's debugging mode does."""
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


@pytest.mark.parametrize("name", CASES)
def test_no_memory_is_left_as_it_was_found(name, poisoned_memory):
    assert torch.empty(3).isnan().all(), "the poison works"
    model = registry_module.build(name, seed=0, classes=10)
    for key, tensor in model.state_dict().items():
        if tensor.is_floating_point():
            assert tensor.isfinite().all(), key
        else:
            assert (tensor == 0).all(), key  # the batches that a norm has counted


def test_convolutions_and_linear_layers_have_the_variance_of_their_rule():
    for make, variance in (
        (lambda: nn.Conv2d(64, 96, 3, groups=2), 2 / (32 * 9)),
        (lambda: nn.Conv2d(256, 256, 7, groups=256), 2 / 49),
        (lambda: nn.Linear(300, 200), 1 / 300),
    ):
        weight = seeded(make, seed=3).weight.double()
        n = weight.numel()
        # Sample mean and variance of n normal draws, within five standard errors.
        assert abs(weight.mean()) < 5 * math.sqrt(variance / n)
        assert abs(weight.square().mean() / variance - 1) < 5 * math.sqrt(2 / n)


def test_norms_start_as_the_identity():
    x = torch.randn(4, 6, 5, 5, generator=torch.Generator().manual_seed(0))
    norm = seeded(lambda: nn.BatchNorm2d(6, eps=0.0), seed=0).eval()
    torch.testing.assert_close(norm(x), x, rtol=0, atol=0)
    assert norm.num_batches_tracked == 0
    for make in (lambda: nn.GroupNorm(2, 6), lambda: nn.LayerNorm(5)):
        y = seeded(make, seed=0)(x)
        torch.testing.assert_close(y, make()(x))


def test_the_seed_alone_decides():
    def make():
        return nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Flatten(), nn.Linear(8, 2))

    first, again, other = (seeded(make, seed=seed).state_dict() for seed in (1, 1, 2))
    torch.testing.assert_close(first, again, rtol=0, atol=0)
    assert not torch.equal(first["0.weight"], other["0.weight"])


def test_two_layers_of_a_network_are_drawn_apart():
    pair = seeded(lambda: nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4)), seed=0)
    assert not torch.equal(pair[0].weight, pair[1].weight)


@pytest.mark.parametrize(
    "make",
    [
        lambda: skeleton("resnet50"),
        lambda: seeded(lambda: nn.Sequential(nn.Conv2d(3, 8, 3), nn.Linear(8, 2)), seed=0),
    ],
)
def test_no_global_generator_is_moved(make):
    before = torch.get_rng_state(), random.getstate(), np.random.get_state()  # noqa: NPY002
    make()
    torch.testing.assert_close(torch.get_rng_state(), before[0], rtol=0, atol=0)
    assert random.getstate() == before[1]
    np.testing.assert_array_equal(np.random.get_state()[1], before[2][1])  # noqa: NPY002


def test_an_outline_takes_no_memory():
    model = outline(lambda: nn.Linear(10**6, 10**6))
    assert model.weight.is_meta
    assert model.bias.is_meta


def test_a_layer_without_a_rule_is_named():
    with pytest.raises(ValueError, match=r"seeded: layer '1' must be a convolution.*'Embedding'"):
        seeded(lambda: nn.Sequential(nn.ReLU(), nn.Embedding(3, 4)), seed=0)
    with pytest.raises(ValueError, match="seeded: seed must be a whole number"):
        seeded(lambda: nn.Linear(1, 1), seed=-1)
