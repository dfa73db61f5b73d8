"""Channel pruning: smaller layers, the channels of least norm gone, nothing else changed."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from efficientdl.compression.pruning import globally, per_layer, prune, taylor
from efficientdl.compression.pruning.channel import n_going, prune_channels, unit_scores
from efficientdl.compression.pruning.criteria import magnitude
from efficientdl.compression.pruning.structure import channel_groups
from efficientdl.costs.count import count
from efficientdl.tensors import PerGroup
from tests.compression.pruning.structure.networks import NETWORKS, X, conv, gen, randomised

DATA = X, torch.tensor([0, 1])


def chain():
    return randomised(
        nn.Sequential(conv(3, 8), nn.BatchNorm2d(8), nn.ReLU(), conv(8, 4), conv(4, 2))
    )


def test_sparsity_0_is_the_model_itself():
    model = chain()
    same, report = prune_channels(model, X, sparsity=0.0)
    torch.testing.assert_close(same(X), model(X), rtol=0, atol=0)
    assert report == count(model, X)


@settings(deadline=None, max_examples=100)
@given(share=st.floats(0, 1), n=st.integers(1, 40))
def test_every_technique_takes_the_same_number_for_a_share(share, n):
    """The number that `per_layer` leaves out of `n` different scores."""
    scores = {"": torch.arange(float(n))}
    masks = per_layer(scores, {"": torch.ones(n, dtype=torch.bool)}, {"": share}, PerGroup(1))
    assert n_going(share, n) == min(n - 1, n - int(masks[""].sum()))


@settings(deadline=None, max_examples=20)
@given(sparsity=st.floats(0, 0.99), round_to=st.integers(1, 4))
def test_as_many_channels_stay_as_asked_for(sparsity, round_to):
    smaller, _ = prune_channels(chain(), X, sparsity=sparsity, round_to=round_to)
    for layer, n in ((smaller[0], 8), (smaller[3], 4)):
        nearest = n - min(range(n + 1), key=lambda k: abs(k - sparsity * n))
        rounded = int(np.ceil(max(nearest, 1) / round_to)) * round_to
        assert layer.out_channels == min(rounded, n)


def test_what_goes_is_what_numpy_finds_to_have_the_least_norms():
    model = chain()
    smaller, _ = prune_channels(model, X, sparsity=0.5)
    first, second = (model[i].weight.detach().numpy() for i in (0, 3))
    score = np.linalg.norm(first.reshape(8, -1), axis=1) + np.linalg.norm(
        second[:, :, 0, 0], axis=0
    )
    stays = np.sort(np.argsort(-score)[:4])
    np.testing.assert_array_equal(smaller[0].weight.detach(), first[stays])
    np.testing.assert_array_equal(smaller[1].running_var, model[1].running_var[stays])


def test_scores_sum_over_all_that_is_tied():
    model = randomised(NETWORKS["residual"][0])
    scores = unit_scores("f", model, channel_groups(model, X), magnitude)["stem"]
    stem, branch, head = (
        layer.weight.detach().double() for layer in (model.stem, model.branch, model.head)
    )
    out = stem.flatten(1).norm(dim=1) + branch.flatten(1).norm(dim=1)
    reads = branch.transpose(0, 1).flatten(1).norm(dim=1) + head.transpose(0, 1).flatten(1).norm(
        dim=1
    )
    torch.testing.assert_close(scores, out + reads)


def test_the_same_channels_go_by_layer_with_a_policy_and_the_rest_stays():
    smaller, _ = prune_channels(chain(), X, sparsity={"3": 0.5})
    assert (smaller[0].out_channels, smaller[3].out_channels) == (8, 2)


def test_globally_takes_more_where_less_is_lost_and_leaves_one_everywhere():
    model = chain()
    with (
        torch.no_grad()
    ):  # one channel of the first group carries it, those of the second are alike
        model[0].weight[1:].mul_(1e-3)
        model[3].weight[:, 1:].mul_(1e-3)
    smaller, _ = prune_channels(model, X, sparsity=0.5, scope=globally)
    assert smaller[0].out_channels < 4 < 2 * smaller[3].out_channels
    smaller, _ = prune_channels(model, X, sparsity=0.9, scope=globally)
    assert min(smaller[0].out_channels, smaller[3].out_channels) == 1


def test_macs_and_parameters_of_the_report_are_those_of_a_hand_count():
    smaller, report = prune_channels(chain(), X, sparsity=0.5)
    pixels = 2 * 6 * 6
    assert report.total.macs == pixels * (3 * 4 + 4 * 2 + 2 * 2)
    assert report.total.params == (3 * 4 + 4) + 2 * 4 + (4 * 2 + 2) + (2 * 2 + 2)
    assert smaller[1].num_features == 4


def test_any_criterion_by_the_weight_alone_will_do():
    model = chain()
    last = lambda weight, **_: torch.arange(float(weight.numel())).reshape(weight.shape)  # noqa: E731
    smaller, _ = prune_channels(model, X, sparsity={"0": 0.5}, criterion=last)
    torch.testing.assert_close(smaller[0].weight, model[0].weight[4:])


def flat_loss(y, labels):
    return functional.cross_entropy(y.mean((2, 3)), labels)


def test_a_criterion_gets_the_statistics_that_it_asks_for():
    """Taylor's scores by autograd, units ranked by NumPy."""
    model = chain()
    smaller, _ = prune_channels(
        model, X, sparsity={"0": 0.5}, criterion=taylor, data=DATA, loss=flat_loss
    )
    weights = [model[0].weight, model[3].weight]
    grads = torch.autograd.grad(flat_loss(model(DATA[0]), DATA[1]), weights)
    made, read = ((w * g).abs().detach().numpy() for w, g in zip(weights, grads, strict=True))
    score = np.linalg.norm(made.reshape(8, -1), axis=1) + np.linalg.norm(read[:, :, 0, 0], axis=0)
    stays = np.sort(np.argsort(-score)[:4])
    assert not np.array_equal(stays, np.sort(np.argsort(-norms(model))[:4]))
    np.testing.assert_array_equal(smaller[0].weight.detach(), weights[0][stays].detach())


def norms(model):
    first, second = (model[i].weight.detach().numpy() for i in (0, 3))
    return np.linalg.norm(first.reshape(8, -1), axis=1) + np.linalg.norm(second[:, :, 0, 0], axis=0)


def test_weights_that_a_mask_drops_do_not_count():
    model = prune(chain(), X, sparsity=0.5).model
    dense = chain()
    with torch.no_grad():
        for i in (0, 3, 4):
            dense[i].weight.mul_(model[i].mask)
            model[i].weight.add_(~model[i].mask * 9.0)
    ours = unit_scores("f", model, channel_groups(model, X), magnitude)
    theirs = unit_scores("f", dense, channel_groups(dense, X), magnitude)
    torch.testing.assert_close(ours, theirs)


def test_globally_groups_are_compared_by_their_scores_over_the_mean():
    model = chain()
    smaller, _ = prune_channels(model, X, sparsity=0.5, scope=globally)
    raw = unit_scores("f", model, channel_groups(model, X), magnitude)
    relative = np.concatenate([s.numpy() / s.numpy().mean() for s in raw.values()])
    stays = np.sort(np.argsort(-relative)[:6])
    assert (smaller[0].out_channels, smaller[3].out_channels) == (sum(stays < 8), sum(stays >= 8))


def test_the_note_says_what_was_removed_and_what_is_left():
    report = prune_channels(chain(), X, sparsity={"0": 0.5}).report
    before, after = count(chain(), X).total, report.total
    assert report.note == (
        f"removed 50 % of the channels of 1 group (4 of 8), which leaves "
        f"{100 * after.params / before.params:.3g} % of the parameters and "
        f"{100 * after.macs / before.macs:.3g} % of the MACs"
    )


def test_bad_requests_are_refused():
    for bad in (-0.1, 1.0, 1.5):
        with pytest.raises(
            ValueError, match=rf"prune_channels: sparsity must be in \[0, 1\), got {bad}"
        ):
            prune_channels(chain(), X, sparsity=bad)
    with pytest.raises(ValueError, match="layer named in sparsity must be one of 0, 3, got '1'"):
        prune_channels(chain(), X, sparsity={"1": 0.5})
    with pytest.raises(ValueError, match="round_to must be a whole number, 1 or more, got 0"):
        prune_channels(chain(), X, sparsity=0.5, round_to=0)
    with pytest.raises(ValueError, match="must have channels that can go"):
        prune_channels(conv(3, 2), X, sparsity=0.5)
    broken = chain()
    broken[0].weight.data[0] = float("nan")
    with pytest.raises(ValueError, match=r"must have finite weights: those of '0\.weight' are not"):
        prune_channels(broken, X, sparsity=0.5)

    with pytest.raises(ValueError, match=r"prune_channels: data must be given: .* asks for grad"):
        prune_channels(chain(), X, sparsity=0.5, criterion=taylor)
    with pytest.raises(ValueError, match="criterion must give layer '0' scores of its weight's sh"):
        prune_channels(chain(), X, sparsity=0.5, criterion=lambda weight, **_: weight[0])
    transposed = nn.Sequential(nn.ConvTranspose2d(3, 4, 2), conv(4, 2))
    with pytest.raises(ValueError, match=r"not of a Linear or Conv2d layer: grad, got '0\.weight'"):
        prune_channels(transposed, X, sparsity=0.5, criterion=taylor, data=DATA, loss=flat_loss)
    with pytest.raises(ValueError, match=r"criterion must give '0\.weight' scores of its shape"):
        prune_channels(
            transposed, X, sparsity=0.5, criterion=lambda weight, **_: weight[: 8 - 2 * len(weight)]
        )


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_any_float_type_stays_what_it_is(dtype):
    x = torch.randn(2, 3, 6, 6, generator=gen(1)).to(dtype)
    smaller, _ = prune_channels(chain().to(dtype), x, sparsity=0.5)
    assert {p.dtype for p in smaller.parameters()} == {dtype}
