"""Dynamic surgery: what was cut by mistake comes back, which plain pruning never does."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torch import nn
from torch.nn.functional import mse_loss

from efficientdl.compression import prune, quantize_weights
from efficientdl.compression.pruning.masks import with_masks
from efficientdl.compression.pruning.retrain import train_prune_retrain
from efficientdl.compression.pruning.schedules import at_once
from efficientdl.compression.pruning.surgery import _Surgery, dynamic_surgery, splice
from efficientdl.fit import Recipe
from efficientdl.fit.plan import Training
from efficientdl.models.layers.reweighted import Reweighted
from tests.compression.pruning.small_nets import convnet
from tests.compression.pruning.small_task import (
    X,
    interrupted_in,
    network,
    same_weights,
    training,
)
from tests.promises.state import global_generators_untouched, untouched

FLOATS = st.floats(-2, 2)


@settings(deadline=None, max_examples=60)
@given(
    weight=arrays(np.float64, 12, elements=FLOATS),
    mask=arrays(np.bool_, 12),
    low=st.floats(0, 1),
    margin=st.floats(0, 1),
)
def test_splice_is_the_three_cases_of_the_paper(weight, mask, low, margin):
    high = low + margin
    new = splice(torch.from_numpy(weight), torch.from_numpy(mask), low=low, high=high)
    cases = []
    for w, kept in zip(abs(weight), mask, strict=True):
        if w < low:
            cases.append(False)
        elif w < high:
            cases.append(bool(kept))
        else:
            cases.append(True)
    assert new.tolist() == cases


def test_without_training_it_is_magnitude_pruning():
    for sparsity in (0.0, 0.3, 0.9, {"head": 0.5}):
        mine, report = dynamic_surgery(network(), X, sparsity=sparsity, margin=0.5)
        theirs, expected = prune(network(), X, sparsity=sparsity)
        same_weights(mine, theirs)
        assert report == expected


def test_the_gradient_of_a_cut_weight_is_that_of_its_place():
    """Equation 2: the loss by the masked weight, at every entry. Closed form for least squares."""
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(20, 6, generator=generator), torch.randn(20, 3, generator=generator)
    layer = nn.Linear(6, 3, bias=False)
    weight = layer.weight.detach().clone().double()
    mask = torch.rand(3, 6, generator=generator) < 0.5
    surgery = _Surgery(layer.weight)
    surgery.mask.copy_(mask)
    operated = Reweighted(layer, surgery)
    (operated(x) - y).square().sum().backward()
    residual = x.double() @ (weight * mask).T - y
    grad = layer.weight.grad
    np.testing.assert_allclose(grad, 2 * residual.T @ x.double(), rtol=1e-4)  # float32 sums
    assert grad[~mask].abs().min() > 0
    torch.testing.assert_close(operated.weight.double(), weight * mask)


def regression():
    """Weights whose true sizes turn the initial order round: the small ones are those needed."""
    x = torch.randn(256, 4, generator=torch.Generator().manual_seed(0))
    y = x @ torch.tensor([[2.0], [0.0], [0.0], [-2.0]])
    start = nn.Linear(4, 1, bias=False)
    start.weight.data = torch.tensor([[0.05, 0.6, 0.5, 0.1]])
    recipe = Recipe(batch=16, weight_decay=0.0)
    learn = Training(train=(x, y), epochs=10, lr=0.05, seed=0, loss=mse_loss, recipe=recipe)
    return start, x, learn


def test_a_wrongly_pruned_weight_comes_back():
    start, x, learn = regression()
    operated, _ = dynamic_surgery(start, x, sparsity=0.5, training=learn)
    assert operated.mask.tolist() == [[True, False, False, True]]
    # 0.1: the learning rate falls to nothing before the last digit is reached
    np.testing.assert_allclose(operated.weight.detach(), [[2, 0, 0, -2]], atol=0.1)
    pruned, _ = train_prune_retrain(start, x, sparsity=0.5, retrain=learn)
    assert pruned.mask.tolist() == [[False, True, True, False]]  # and stays wrong


def test_a_schedule_that_ends_at_once_leaves_the_first_masks():
    """No update after the first step: the masks of magnitude, though weights have moved."""
    start, x, learn = regression()
    operated, _ = dynamic_surgery(start, x, sparsity=0.5, training=learn, schedule=at_once)
    assert operated.mask.tolist() == [[False, True, True, False]]


@pytest.mark.parametrize("margin", [0.0, 0.2])
def test_zeros_are_those_asked_for_and_at_most_those_between_the_thresholds(margin):
    model = network()
    with untouched(model), global_generators_untouched():
        operated, report = dynamic_surgery(
            model,
            X,
            sparsity={"fc": 0.8},
            training=training(),
            margin=margin,
            # updates to the end: after each step the masks are those of the weights
            schedule=lambda _: 0.0,
        )
    share = float((operated.fc.weight == 0).float().mean())
    asked = round(0.8 * 1024) / 1024
    assert share == asked if margin == 0 else asked <= share < asked + 0.1
    assert type(operated.head) is nn.Linear
    assert not any(isinstance(m, Reweighted) for m in operated.modules())
    assert report.rows["fc"].weight_bits < 32 * 1024


def test_a_mask_that_was_there_before_stays():
    mask = torch.ones(16, 64, dtype=torch.bool)
    mask[:, :8] = False
    start = with_masks(network(), {"fc": mask})
    operated, _ = dynamic_surgery(start, X, sparsity=0.5, training=training())
    assert not operated.fc.mask[:, :8].any()
    assert not operated.fc.weight[:, :8].any()


@pytest.mark.parametrize("step", [3, 12])
def test_interrupted_it_has_the_sparsity_asked_for_and_says_so(step):
    learn = interrupted_in(training(), step=step)
    operated, report = dynamic_surgery(network(), X, sparsity=0.8, training=learn, margin=0.0)
    share = float((operated.fc.weight == 0).float().mean())
    assert share == round(0.8 * 1024) / 1024
    assert report.note.endswith(f"interrupted after {step // 8} of 2 epochs")


def test_of_weights_as_large_as_the_threshold_some_go():
    """A ternary layer has no threshold that parts its weights."""
    layer = nn.Linear(8, 4)
    layer.weight.data.fill_(1.0)
    operated, _ = dynamic_surgery(layer, torch.zeros(1, 8), sparsity=0.75)
    assert int(operated.mask.sum()) == 8
    layer.weight.data[:2] = 0.0  # more zeros than are asked for
    operated, _ = dynamic_surgery(layer, torch.zeros(1, 8), sparsity=0.25)
    assert int(operated.mask.sum()) == 24


def test_convolutions_are_operated_on_too():
    net, x = convnet(), torch.zeros(1, 2, 6, 6, dtype=torch.float64)
    same_weights(
        dynamic_surgery(net, x, sparsity=0.6).model,
        prune(net, x, sparsity=0.6).model,
    )


def test_layers_that_share_a_weight_share_its_mask():
    model = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 8))
    model[1].weight = model[0].weight
    operated, _ = dynamic_surgery(model, torch.zeros(1, 8), sparsity=0.75)
    assert operated[0].weight is operated[1].weight
    np.testing.assert_array_equal(operated[0].mask, operated[1].mask)
    np.testing.assert_array_equal(operated[0].mask, operated[0].weight.detach() != 0)


def test_it_replays():
    one, two = (
        dynamic_surgery(network(), X, sparsity=0.8, training=training()).model for _ in range(2)
    )
    same_weights(one, two)


def test_bad_values_are_named():
    with pytest.raises(ValueError, match=r"dynamic_surgery: sparsity must be in \[0, 1\), got 1"):
        dynamic_surgery(network(), X, sparsity=1.0)
    with pytest.raises(ValueError, match=r"dynamic_surgery: margin must be at least 0, got -0.1"):
        dynamic_surgery(network(), X, sparsity=0.5, margin=-0.1)
    with pytest.raises(
        ValueError, match=r"layer named in sparsity must be one of fc, head, got 'bo"
    ):
        dynamic_surgery(network(), X, sparsity={"body": 0.5})
    quantized, _ = quantize_weights(network(), X, bits=4)
    with pytest.raises(ValueError, match=r"dynamic_surgery: model must not be quantized yet"):
        dynamic_surgery(quantized, X, sparsity=0.5)
    broken = network()
    broken.fc.weight.data[0, 0] = float("nan")
    with pytest.raises(
        ValueError, match=r"dynamic_surgery: model must hold finite weights in layer 'fc', got nan"
    ):
        dynamic_surgery(broken, X, sparsity=0.5)
    with pytest.raises(ValueError, match=r"splice: high must be at least 1.0, got 0.5"):
        splice(torch.ones(2), torch.ones(2, dtype=torch.bool), low=1.0, high=0.5)
