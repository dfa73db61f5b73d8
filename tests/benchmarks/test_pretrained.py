"""What the claims on a network trained on ImageNet are made of, and each of them in small."""

from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn.functional import kl_div

from benchmarks.headlines import Headline, agreement, pretrained, trainings
from benchmarks.headlines.bounded import Bounded, Equalized, unbounded
from benchmarks.headlines.sensitivity import bits_by_sensitivity
from efficientdl.compression.quantization import quantize_weights
from efficientdl.datasets.photographs import Crops
from efficientdl.models import build
from efficientdl.models.layers import conv_norm_activation
from efficientdl.models.pretrained import WHEELS
from efficientdl.tensors import PerTensor

WIDTHS = (2, 4, 8)


@st.composite
def networks(draw):
    """Up to five layers: their sizes, and a divergence that falls with the bits."""
    n = draw(st.integers(1, 5))
    sizes = draw(st.lists(st.integers(1, 30), min_size=n, max_size=n))
    falls = st.lists(st.floats(0, 9), min_size=3, max_size=3).map(lambda v: sorted(v, reverse=True))
    values = draw(st.lists(falls, min_size=n, max_size=n))
    divergences = {str(i): dict(zip(WIDTHS, v, strict=True)) for i, v in enumerate(values)}
    return divergences, {str(i): size for i, size in enumerate(sizes)}


@given(network=networks(), mean=st.integers(2, 8))
def test_chosen_bits_fit_and_no_single_step_would_still_help(network, mean):
    divergences, sizes = network
    bits = bits_by_sensitivity(divergences, sizes, mean)
    room = mean * sum(sizes.values()) - sum(bits[n] * size for n, size in sizes.items())
    assert room >= 0
    for name, choices in divergences.items():
        for more in (b for b in WIDTHS if b > bits[name]):
            too_large = (more - bits[name]) * sizes[name] > room
            assert too_large or choices[more] >= choices[bits[name]]


def test_chosen_bits_are_the_best_of_all_where_layers_are_alike():
    """Equal sizes and falls that grow smaller: then the greedy choice is the best one."""
    rng = np.random.default_rng(0)
    steps = np.sort(rng.uniform(size=(4, 2)), axis=1)[:, ::-1]  # the first step is worth more
    divergences = {
        str(i): {4: 2.0, 6: 2.0 - s[0], 8: 2.0 - s[0] - s[1]} for i, s in enumerate(steps)
    }
    bits = bits_by_sensitivity(divergences, dict.fromkeys(divergences, 7), 6)
    ours = sum(divergences[n][b] for n, b in bits.items())
    every = [c for c in product((4, 6, 8), repeat=4) if sum(c) <= 24]
    best = min(sum(divergences[str(i)][b] for i, b in enumerate(c)) for c in every)
    np.testing.assert_allclose(ours, best, rtol=1e-12)


def test_divergence_is_that_of_torch():
    gen = torch.Generator().manual_seed(0)
    theirs, ours = torch.randn(5, 7, generator=gen), torch.randn(5, 7, generator=gen)
    expected = kl_div(
        ours.double().log_softmax(1), theirs.double().softmax(1), reduction="batchmean"
    )
    torch.testing.assert_close(agreement.divergence(theirs, ours), expected)
    assert abs(float(agreement.divergence(theirs, theirs))) < 1e-12  # the same, to rounding


@pytest.fixture
def four_crops(monkeypatch):
    """Two pictures of two crops, and a float network that answers what it is given."""
    x = torch.tensor([[9.0, 0, 0], [0, 9, 0], [0, 0.1, 0], [0.1, 0, 0]])
    monkeypatch.setattr(agreement, "crops", lambda: Crops(x, ("a", "a", "b", "b")))
    monkeypatch.setattr(agreement, "_float_logits", lambda _: x)


@pytest.mark.usefixtures("four_crops")
def test_agreement_counts_first_answers_by_picture_and_where_float_is_sure():
    same = agreement.kept(nn.Identity())
    assert same[:2] == (100, 100)
    assert same.by_picture == (100, 100)
    other = nn.Linear(3, 3, bias=False)  # the last two classes change places
    with torch.no_grad():
        other.weight.copy_(torch.tensor([[1.0, 0, 0], [0, 0, 1], [0, 1, 0]]))
    found = agreement.kept(other)
    assert (found.same, found.sure, found.by_picture) == (50, 50, (50, 50))
    assert found.divergence > 1
    assert agreement.keeps_more(same, found)
    assert not agreement.keeps_more(found, same)
    assert not agreement.keeps_more(same, same)


def awake(seed=0):
    """A network of ReLU6 whose norms have statistics that differ from channel to channel."""
    model = build("efficientnet_lite0", seed=seed, classes=4).eval()
    gen = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for norm in (m for m in model.modules() if isinstance(m, nn.BatchNorm2d)):
            norm.weight.copy_(torch.rand(norm.weight.shape, generator=gen) * 3 + 0.1)
            norm.bias.copy_(torch.randn(norm.bias.shape, generator=gen))
    return model


def test_equalizing_with_bounds_leaves_the_function_as_it_was():
    model, x = awake(), torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    model, x = model.double(), x.double()
    level = Equalized(model, x)
    with torch.no_grad():
        wanted, ours, opened = model(x), level.model(x), unbounded(model)(x)
    torch.testing.assert_close(ours, wanted, rtol=1e-8, atol=1e-8)  # float64, fifty layers
    assert float((opened - wanted).abs().max()) > 1e-3, "the bounds are reached"
    factors = torch.cat(list(level.factors.values()))
    assert float(factors.max() / factors.min()) > 1.5, "channels are scaled apart"
    assert sum(isinstance(m, Bounded) for m in level.model.modules()) == 33


def test_biases_are_corrected_by_the_mean_that_a_layer_is_given():
    """Normal pixels, and norms that know it: what the second layer is given can be counted."""
    gen = torch.Generator().manual_seed(0)
    bricks = [conv_norm_activation(nn.Conv2d(c, 5, 1, bias=False), nn.ReLU6) for c in (4, 5)]
    model = nn.Sequential(*bricks).eval()
    with torch.no_grad():
        for conv, norm in ((brick.conv, brick.norm) for brick in bricks):
            conv.weight.copy_(torch.randn(conv.weight.shape, generator=gen))
            norm.running_var.copy_(conv.weight.flatten(1).square().sum(1))  # of normal pixels
            norm.weight.copy_(torch.tensor([0.1, 1.0, 3.0, 6.0, 12.0]))
            norm.bias.copy_(torch.randn(5, generator=gen))
    x = torch.randn(1, 4, 500, 500, generator=gen)
    level = Equalized(model, x[..., :1, :1])
    small = quantize_weights(level.model, x, bits=3, granularity=PerTensor()).model
    with torch.no_grad():
        given = level.model[0](x).mean(dim=(0, 2, 3))
        before, after = level.model[1].conv, level.corrected(small)[1].conv
        error = (after.weight - before.weight).flatten(1)
    assert float(level.factors["0.conv"].max() / level.factors["0.conv"].min()) > 1.5
    moved = (before.bias - after.bias).detach()
    # A mean over 250,000 pixels is known to a thousandth or two of what is averaged.
    torch.testing.assert_close(moved, error @ given, rtol=0, atol=0.01 * float(moved.abs().max()))


@pytest.mark.full
@pytest.mark.parametrize("claim", pretrained.CLAIMS, ids=lambda claim: claim.__name__)
def test_every_claim_runs_in_small(claim, monkeypatch):
    wheel = next(iter(WHEELS.values()))
    pytest.importorskip(wheel.module, reason=f"{wheel.package} is not installed")
    for name, value in {"seeds": 1, "passes": 0.05, "test": 0.02}.items():
        monkeypatch.setitem(trainings.SIZES, name, value)
    found = claim()
    assert isinstance(found, Headline)
    assert found.ours
    assert all(np.isfinite(v) for values in found.figures.values() for v in values)
