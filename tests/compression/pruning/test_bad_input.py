"""Every way of masking names its caller in every error, and takes what is merely unusual."""

import pytest
import torch
from torch import nn

from efficientdl.compression import quantize_weights
from efficientdl.compression.pruning import (
    l2_norm,
    magnitude,
    obd,
    obs,
    optimal_brain_surgeon,
    prune,
    prune_n_of_m,
    prune_patterns,
    sensitivity,
    taylor,
)
from tests.models.layers.test_masked import drawn, gen

X = torch.randn(6, 4, 5, 5, generator=gen(5))
Y = torch.arange(6) % 2
DATA = (X, Y)
HALF = {
    prune: {"sparsity": 0.5},
    prune_n_of_m: {"n": 2},
    prune_patterns: {"n_kept": 4},
    optimal_brain_surgeon: {"sparsity": 0.5},
}
WAYS = pytest.mark.parametrize("way", HALF, ids=lambda way: way.__name__)
BY_SCORE = pytest.mark.parametrize("way", list(HALF)[:3], ids=lambda way: way.__name__)
CRITERIA = pytest.mark.parametrize(
    "criterion", [magnitude, l2_norm, taylor, obd, obs, sensitivity], ids=lambda c: c.__name__
)


def network():
    body = [drawn(nn.Conv2d(4, 8, 3)), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(*body, drawn(nn.Linear(8, 2)))


class Tied(nn.Module):
    """Two convolutions with one weight, the second of them on a smaller map."""

    def __init__(self):
        super().__init__()
        self.first, self.second = drawn(nn.Conv2d(4, 4, 3)), nn.Conv2d(4, 4, 3, stride=2)
        self.second.weight = self.first.weight
        self.head = drawn(nn.Linear(4, 2))

    def forward(self, x):
        y = self.second(self.first(x).relu()).relu()
        return self.head(y.mean(dim=(2, 3)))


def fails(way, model, rule, error=ValueError, **options):
    with pytest.raises(error, match=f"^{way.__name__}: {rule}"):
        way(model, X, **{**HALF[way], **options})


@WAYS
def test_models_that_cannot_be_pruned_are_named(way):
    fails(way, nn.ReLU(), "model must have a Linear or Conv2d layer, got 'ReLU'")
    with pytest.raises(
        TypeError, match=rf"{way.__name__}: model must be a Module, got 'vgg'|'model'"
    ):
        way("vgg", X, **HALF[way])
    fails(way, network().to("meta"), "model must hold values: layer '0' is on the meta device")
    fails(way, quantize_weights(network(), X, bits=4).model, "model must .* layer '0'|model must h")
    for value in ("nan", "inf"):
        model = network()
        model[0].weight.data[1, 2, 0, 0] = float(value)
        fails(way, model, f"model must hold finite weights in layer '0', got {value}")


def test_a_layer_of_no_weights_is_named():
    with pytest.warns(UserWarning, match="zero-element"):
        empty = nn.Sequential(nn.Linear(0, 3))
    for way in (prune, prune_n_of_m, optimal_brain_surgeon):
        fails(way, empty, r"model must hold weights in layer '0', got \(3, 0\)")
    for way in (prune, optimal_brain_surgeon):
        fails(
            way,
            network(),
            "layer named in sparsity must be one of 0, 4, got '1'",
            sparsity={"1": 0},
        )
    fails(
        prune_n_of_m, network(), "layer named in n must be one of 0, 4, got 'head'", n={"head": 2}
    )


@pytest.mark.parametrize("way", [prune, optimal_brain_surgeon], ids=lambda way: way.__name__)
@pytest.mark.parametrize("value", [1.0, 1.5, -0.1, float("inf")])
def test_a_sparsity_out_of_range_is_named(way, value):
    fails(way, network(), rf"sparsity must be in \[0, 1\), got {value}", sparsity=value)
    fails(way, network(), rf"sparsity must be in \[0, 1\), got {value}", sparsity={"4": value})
    fails(way, network(), "sparsity must be a number, got nan", sparsity=float("nan"))


@BY_SCORE
def test_data_that_criteria_cannot_use_are_named(way):
    model = network()
    fails(way, model, "data must be given: the criterion asks for grad, got None", criterion=taylor)
    for criterion in (taylor, obd, obs, sensitivity):
        given = {"criterion": criterion}
        fails(way, model, "data x must hold finite numbers, got nan", data=(X / 0 * 0, Y), **given)
        fails(way, model, "data x and data y must be equally long", data=(X, Y[:2]), **given)
        fails(way, model, "number of data examples must be", data=(X[:0], Y[:0]), **given)
    with pytest.raises(TypeError, match=rf"{way.__name__}: data must be \(x, y\), got ten|'data'"):
        way(model, X, **HALF[way], criterion=taylor, data=X)  # caught by its type, with shapes
    two = nn.Sequential(nn.Conv2d(4, 4, 3))  # a map for an output
    for criterion in (obd, sensitivity):
        rule = r"model must give outputs `n c`, a row for each example, got \(6, 4, 3, 3\)"
        fails(way, two, rule, criterion=criterion, data=DATA)


@BY_SCORE
def test_scores_that_cannot_be_used_are_named(way):
    def flat(weight, **_):
        return weight[0]

    def none(weight, **_):
        return weight * float("nan")

    def asks(weight, *, hessian, **_):
        return weight

    fails(
        way, network(), "criterion must give layer '0' scores of its weight's sha", criterion=flat
    )
    fails(way, network(), "criterion must give layer '0' scores that are numbers", criterion=none)
    fails(way, network(), "statistic named by criterion must be one of", criterion=asks)


def test_inputs_that_surgery_cannot_use_are_named():
    way = optimal_brain_surgeon
    fails(way, network(), "inputs must hold finite numbers, got nan", inputs=X / 0 * 0)
    fails(way, nn.Linear(5, 2), "dampening must be larger", inputs=0 * X + 1, dampening=0)


@CRITERIA
@pytest.mark.parametrize("which", ["first", "second", "both"])
def test_a_shared_weight_is_pruned_once_and_everywhere(which, criterion):
    model = Tied()
    share = 0.5 if which == "both" else {which: 0.5}
    pruned, report = prune(model, X, sparsity=share, criterion=criterion, data=DATA)
    assert pruned.first.weight is pruned.second.weight
    torch.testing.assert_close(pruned.first.mask, pruned.second.mask)
    assert int(pruned.first.weight.count_nonzero()) == 72
    assert int(model.first.weight.count_nonzero()) == 144
    every = 144 + 8 * (which == "both")
    assert f"; {every // 2} of {every} weights stay" in report.note


def test_a_shared_weights_statistics_are_those_of_all_its_uses():
    model = Tied().double()
    x = X.double()
    pruned, _ = prune(model, x, sparsity=0.5, criterion=obd, data=(x, Y))

    def loss_of(weight):
        both = {"first.weight": weight, "second.weight": weight}
        output = torch.func.functional_call(model, both, x)
        return nn.functional.cross_entropy(output, Y)

    jacobian = torch.func.jacrev(
        lambda w: torch.func.functional_call(model, {"first.weight": w, "second.weight": w}, x)
    )(model.first.weight.detach())
    p = model(x).softmax(dim=1)
    curvature = torch.diag_embed(p) - p[:, :, None] * p[:, None, :]  # of cross-entropy
    h = torch.einsum("ncoirs,ncd,ndoirs->oirs", jacobian, curvature, jacobian) / len(x)
    scores = obd(model.first.weight, hessian_diagonal=h)
    assert scores[~pruned.first.mask].max() <= scores[pruned.first.mask].min()


def test_layers_that_share_a_weight_are_told_the_same():
    rule = "layer 'first' must be told the same as 'second', whose weight it shares, got"
    fails(prune, Tied(), rule, sparsity={"first": 0.5, "second": 0.6})
    fails(optimal_brain_surgeon, Tied(), rule, sparsity={"first": 0.5, "second": 0.6})
    fails(prune_n_of_m, Tied(), rule, n={"first": 2, "second": 1})


@CRITERIA
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64], ids=str)
def test_every_precision_is_kept_and_small_weights_are_told_apart(criterion, dtype):
    model = network().to(dtype)
    model[0].weight.data.mul_(1e-4)  # its squares are zero in half precision
    x = X.to(dtype)
    pruned, _ = prune(model, x, sparsity=0.5, criterion=criterion, data=(x, Y))
    assert pruned[0].weight.dtype == dtype
    assert int(pruned[0].mask.sum()) == 144
    like = prune(model.float(), x.float(), sparsity=0.5, criterion=criterion, data=(x.float(), Y))
    same = (pruned[0].mask == like.model[0].mask).float().mean()
    assert same == 1 if dtype != torch.float64 else same > 0.97  # rounded to single: near ties


@WAYS
def test_ties_and_layers_of_zeros_lose_exactly_as_many(way):
    for value in (0.0, 1.0):
        conv = nn.Conv2d(4, 8, 3)
        nn.init.constant_(conv.weight, value)
        mask = way(conv, X, **HALF[way]).model.mask
        assert int(mask.sum()) == (8 * 4 * 4 if way is prune_patterns else 144)
