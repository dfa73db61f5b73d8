"""What all low-rank techniques do alike: the whole model stays itself, and what cannot be, is said."""  # noqa: E501

import copy
import io

import pytest
import torch
from torch import nn

from efficientdl.compression import prune, quantize_weights
from efficientdl.compression.lowrank import (
    Energy,
    MacBudget,
    Share,
    Vbmf,
    factorize_channel,
    factorize_cp,
    factorize_spatial,
    factorize_svd,
    factorize_tucker,
)
from efficientdl.costs.count import count
from tests.models.layers.test_masked import drawn, gen

METHODS = [factorize_svd, factorize_spatial, factorize_channel, factorize_cp, factorize_tucker]
EACH = pytest.mark.parametrize("method", METHODS, ids=lambda method: method.__name__)
SLOW_CP = [*METHODS[:3], pytest.param(factorize_cp, marks=pytest.mark.slow), factorize_tucker]
X = torch.randn(2, 3, 9, 8, generator=gen(5))
WALKS = {
    "plain": {},
    "strided": {"stride": (2, 1), "padding": (1, 2), "bias": False},
    "dilated": {"dilation": (1, 2), "padding": 2},
    "same": {"padding": "same"},
    "reflected": {"padding": (1, 2), "padding_mode": "reflect"},
    "wrapped": {"padding": 1, "padding_mode": "circular", "stride": 2},
}


def network():
    """Two convolutions and a head; the second convolution is used twice."""
    first, second = drawn(nn.Conv2d(3, 8, 3, padding=1)), drawn(nn.Conv2d(8, 8, (3, 2), stride=2))
    head = drawn(nn.Linear(8, 5))
    pooled = (nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return nn.Sequential(first, nn.ReLU(), second, nn.ReLU(), *pooled, head)


def n_weights(model):
    layers = (m for m in model.modules() if isinstance(m, nn.Linear | nn.Conv2d))
    return sum(layer.weight.numel() for layer in layers)


@EACH
@pytest.mark.parametrize("options", WALKS.values(), ids=WALKS)
def test_full_rank_is_the_layer_whatever_its_walk(method, options):
    conv = drawn(nn.Conv2d(3, 6, 3, **options)).double()
    same, _ = method(conv, X.double(), rank=Energy(1.0))
    # 1e-10: outputs of size 10 in float64, after products of orthogonal matrices
    torch.testing.assert_close(same(X.double()), conv(X.double()), rtol=0, atol=1e-10)


@pytest.mark.parametrize("method", SLOW_CP)
@pytest.mark.parametrize("rule", [2, Share(0.4), Energy(0.6), MacBudget(30_000), {"0": 1, "2": 3}])
def test_every_rule_serves_every_technique(method, rule):
    model = network()
    thin, report = method(model, X, rank=rule)
    assert report == count(thin, X)
    assert thin(X).shape == (2, 5)
    assert n_weights(thin) < n_weights(model)
    assert report.total.macs < count(model, X).total.macs
    assert isinstance(thin[0], nn.Sequential)
    torch.testing.assert_close(thin[0][-1].bias.shape, model[0].bias.shape)


@pytest.mark.parametrize(
    ("method", "rank", "said", "weights", "macs"),
    [
        (factorize_svd, {"2": 2, "6": 3}, "2 2, 6 3", 2 * (48 + 8) + 3 * 13, None),
        (factorize_spatial, {"0": 2}, "0 2", 2 * (9 + 24), 2 * (9 + 24) * 144),
        (factorize_tucker, {"0": (4, 2)}, "0 (4, 2)", 6 + 72 + 32, (6 + 72 + 32) * 144),
    ],
)
def test_the_report_says_the_ranks_and_what_they_came_to(method, rank, said, weights, macs):
    model = network()
    _, report = method(model, X, rank=rank)
    dense = count(model, X)
    numbers = sum(model.get_submodule(name).weight.numel() for name in rank)
    done = sum(dense.rows[name].macs for name in rank)
    if macs is None:  # its second layer walks: 4 x 4 positions of two images, and two rows
        macs = 2 * 16 * 2 * (48 + 8) + 2 * 3 * 13
    assert report.note == (
        f"Ranks: {said}. What is factorized keeps {weights / numbers:.1%} of its weights, biases "
        f"apart, and does {macs / done:.1%} of its MACs."
    )
    assert report.note in str(report)


def test_the_report_says_when_nothing_is_factorized_or_too_much_to_list():
    _, report = factorize_svd(network(), X, rank={})
    assert report.note == "No layer was named, so none is factorized."
    layers = [nn.Linear(4, 4) for _ in range(10)]
    _, report = factorize_svd(nn.Sequential(*layers), torch.zeros(1, 4), rank=1)
    assert "7 1, and 2 more. What" in report.note
    _, report = factorize_svd(nn.Linear(6, 4), torch.zeros(3, 6), rank=1)
    assert report.note.startswith("Ranks: the layer 1. What is factorized keeps 41.7%")


@EACH
def test_a_policy_changes_the_layers_that_it_names(method):
    model = network()
    thin, report = method(model, X, rank={"2": 2})
    assert type(thin[0]) is nn.Conv2d
    assert report.rows["0"] == count(model, X).rows["0"]
    assert isinstance(thin[2], nn.Sequential)
    torch.testing.assert_close(method(model, X, rank={}).model(X), model(X), rtol=0, atol=0)


@EACH
def test_flags_dtype_and_mode_are_the_layers(method):
    model = network().double().train()
    model[0].weight.requires_grad_(False)
    model[0].bias.requires_grad_(False)
    thin, _ = method(model, X.double(), rank=2)
    assert not any(p.requires_grad for p in thin[0].parameters())
    assert all(p.requires_grad for p in thin[2].parameters())
    assert {p.dtype for p in thin.parameters()} == {torch.float64}
    assert all(module.training for module in thin.modules())


@EACH
def test_it_saves_trains_and_goes_on_to_other_techniques(method):
    thin, _ = method(network(), X, rank=2)
    file = io.BytesIO()
    torch.save(thin.state_dict(), file)
    again, _ = method(network(), X, rank=2)
    file.seek(0)
    again.load_state_dict(torch.load(file))
    torch.testing.assert_close(again(X), thin(X), rtol=0, atol=0)
    thin(X).square().sum().backward()
    assert all(p.grad is not None for p in thin.parameters())
    small, report = quantize_weights(prune(thin, X, sparsity=0.5).model, X, bits=8)
    assert report.total.weight_bits < count(thin, X).total.weight_bits
    assert small(X).isfinite().all()


@EACH
def test_a_layer_that_is_used_twice_stays_one(method):
    conv = drawn(nn.Conv2d(3, 3, 3, padding=1))
    model = nn.Sequential(nn.Sequential(conv), nn.Sequential(conv))
    thin, report = method(model, X, rank={"0.0": 1})
    assert thin[1][0] is thin[0][0]
    assert report == count(thin, X)
    limit = report.total.macs
    free, _ = method(model, X, rank={"0.0": MacBudget(limit)})  # both calls are in the budget
    assert count(free, X).total.macs == limit


@EACH
def test_what_cannot_be_factorized_is_named(method):
    name = method.__name__
    grouped = nn.Sequential(nn.Conv2d(4, 4, 3, groups=2))
    four = torch.randn(1, 4, 8, 8, generator=gen(0))
    with pytest.raises(ValueError, match=rf"{name}: model must not be grouped at '0', .*groups=2"):
        method(grouped, four, rank=1)
    masked, _ = prune(network(), X, sparsity=0.5)
    with pytest.raises(ValueError, match=rf"{name}: model must have a plain .* at '0', .*Masked"):
        method(masked, X, rank=1)
    codes, _ = quantize_weights(network(), X, bits=8)
    with pytest.raises(ValueError, match=rf"{name}: model must not be quantized yet: layer '0'"):
        method(codes, X, rank=1)
    broken = network()
    broken[2].weight.data[0, 0, 0, 0] = float("nan")
    with pytest.raises(ValueError, match=rf"{name}: weight of layer '2' must hold finite .*nan"):
        method(broken, X, rank={"2": 1})
    tied = nn.Sequential(nn.Conv2d(3, 3, 3), nn.Conv2d(3, 3, 3))
    tied[1].weight = tied[0].weight
    with pytest.raises(ValueError, match=rf"{name}: model must not share the weight of layer '0'"):
        method(tied, X, rank=1)
    with pytest.raises(ValueError, match=rf"{name}: model must have a .*, got 'Sequential'"):
        method(nn.Sequential(nn.ReLU()), X, rank=1)


@EACH
def test_bad_ranks_are_named(method):
    model, name = network(), method.__name__
    with pytest.raises(ValueError, match=rf"{name}: rank must be a whole number, 1 or more, got 0"):
        method(model, X, rank=0)
    with pytest.raises(ValueError, match=rf"{name}: layer named in rank must be one of 0, 2.*'9'"):
        method(model, X, rank={"9": 1})
    with pytest.raises(
        ValueError, match=rf"{name}: rank must be at most \d+ for layer '0', got 99"
    ):
        method(model, X, rank={"0": 999})
    with pytest.raises(TypeError, match=r"rank must be a whole number|'rank'"):
        method(model, X, rank="half")
    with pytest.raises(TypeError, match=r"rank must be a whole number|'rank'"):
        method(model, X, rank=1.5)
    with pytest.raises(
        ValueError, match=rf"{name}: rank must leave layer '0' a share of 0.\d+, it"
    ):
        method(model, X, rank=Share(0.001))
    with pytest.raises(
        ValueError, match=rf"{name}: rank must allow \d+ MACs, what the least ranks"
    ):
        method(model, X, rank=MacBudget(1))


def test_attention_that_reads_a_weight_itself_is_refused_not_broken():
    attention = nn.MultiheadAttention(8, 2)
    block = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 8))
    block.add_module("attention", attention)
    with pytest.raises(
        ValueError, match=r"factorize_svd: layer named in rank must be one of 0, 1, got"
    ):
        factorize_svd(block, torch.zeros(1, 8), rank={"attention.out_proj": 2})


def test_the_model_given_stays_as_it_was():
    for method in METHODS:
        model = network()
        state, layers = copy.deepcopy(model.state_dict()), list(model)
        thin, _ = method(model, X, rank=2)
        for parameter in thin.parameters():
            parameter.data.zero_()
        torch.testing.assert_close(model.state_dict(), state, rtol=0, atol=0)
        assert list(model) == layers


def test_vbmf_is_for_weights_that_are_cut_at_singular_values():
    for method in (factorize_svd, factorize_spatial, factorize_tucker):
        assert n_weights(method(network(), X, rank=Vbmf()).model) < n_weights(network())
    for method in (factorize_cp, factorize_channel):
        with pytest.raises(ValueError, match=r"rank must be another rule: .* layer '0' cut no"):
            method(network(), X, rank=Vbmf())
