"""Load-balanced pruning: equal loads in every matrix, zeros that survive training."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from efficientdl.compression import prune, quantize_weights
from efficientdl.compression.pruning import magnitude
from efficientdl.compression.pruning.balanced import Balanced, prune_balanced
from efficientdl.costs.count import count
from efficientdl.tensors import PerChannel
from efficientdl.tensors.balanced import keep_balanced, kept_per_pe, load_balance
from tests.compression.pruning.small_task import X, network, same_weights
from tests.models.layers.test_masked import drawn, gen
from tests.promises.state import global_generators_untouched, untouched

SEQUENCE = torch.randn(5, 2, 8, generator=gen(3))


class Speech(nn.Module):
    """An LSTM, a GRU, attention and a linear layer, one after another."""

    def __init__(self):
        super().__init__()
        self.lstm, self.gru = nn.LSTM(8, 8, bidirectional=True), nn.GRU(16, 8)
        self.encoder = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0)
        self.head = nn.Linear(8, 12)

    def forward(self, x):
        return self.head(self.encoder(self.gru(self.lstm(x)[0])[0]))


def speech():
    model = drawn(Speech())
    for p in model.parameters():
        p.data *= 0.3
    return model


def matrices(model):
    return {n: p for n, p in model.named_parameters() if p.ndim == 2}


def test_with_nothing_to_prune_it_is_the_network():
    same, report = prune_balanced(speech(), SEQUENCE, sparsity=0, n_pes=8)
    torch.testing.assert_close(same(SEQUENCE), speech()(SEQUENCE), rtol=0, atol=0)
    assert report.total.weight_bits == count(speech(), SEQUENCE).total.weight_bits


@pytest.mark.parametrize("n_pes", [1, 4, 8])
def test_every_matrix_of_every_kind_of_layer_is_balanced(n_pes):
    model = speech()
    with untouched(model), global_generators_untouched():
        pruned, report = prune_balanced(model, SEQUENCE, sparsity=0.75, n_pes=n_pes)
    assert matrices(pruned).keys() == matrices(model).keys()
    assert len(matrices(pruned)) == 4 + 2 + 2 + 2 + 1  # recurrent both ways, attention, linear
    for name, weight in matrices(pruned).items():
        mask = weight != 0
        rows = kept_per_pe(mask, n_pes=n_pes)
        assert len(set(rows)) == 1, name
        assert abs(sum(rows) - 0.25 * weight.numel()) <= n_pes / 2
        kept = matrices(model)[name].detach()
        expected = kept * keep_balanced(kept.abs(), sparsity=0.75, n_pes=n_pes)
        torch.testing.assert_close(weight.detach(), expected, rtol=0, atol=0)
    assert report.total.weight_bits < 0.6 * count(model, SEQUENCE).total.weight_bits
    assert report.total.macs == count(model, SEQUENCE).total.macs


def test_plain_pruning_is_not_balanced_which_is_why():
    weight = speech().lstm.weight_ih_l0.detach() * torch.linspace(0.2, 2, 32)[:, None]
    plain, _ = prune(linear_of(weight), torch.zeros(1, 8), sparsity=0.75)
    balanced, _ = prune_balanced(linear_of(weight), torch.zeros(1, 8), sparsity=0.75, n_pes=8)
    assert load_balance(plain.mask, n_pes=8) < 0.8
    assert load_balance(balanced.mask, n_pes=8) == 1
    assert int(plain.mask.sum()) == int(balanced.mask.sum())


def linear_of(weight):
    layer = nn.Linear(8, 32, bias=False)
    layer.weight.data = weight.clone()
    return layer


def test_it_runs_as_the_network_with_zeros_does():
    pruned, _ = prune_balanced(speech(), SEQUENCE, sparsity=0.5, n_pes=4)
    dense = speech()
    for name, weight in matrices(dense).items():
        weight.data *= matrices(pruned)[name] != 0
    torch.testing.assert_close(pruned(SEQUENCE), dense(SEQUENCE), rtol=0, atol=0)


def test_zeros_survive_training():
    pruned, _ = prune_balanced(speech().train(), SEQUENCE, sparsity=0.8, n_pes=4)
    before = {name: p.detach().clone() for name, p in matrices(pruned).items()}
    steps = torch.optim.AdamW(pruned.parameters(), lr=0.01)
    for _ in range(4):
        steps.zero_grad()
        pruned(SEQUENCE).square().sum().backward()
        steps.step()
    for name, weight in matrices(pruned).items():
        old = before[name]
        assert not weight[old == 0].any(), name
        assert (weight[old != 0] != old[old != 0]).any(), name


def test_pruning_twice_goes_on_from_where_it_stopped():
    once, report = prune_balanced(speech(), SEQUENCE, sparsity=0.75, n_pes=4)
    half, _ = prune_balanced(speech(), SEQUENCE, sparsity=0.5, n_pes=4)
    twice, again = prune_balanced(half, SEQUENCE, sparsity=0.75, n_pes=4)
    same_weights(twice, once)
    assert again == report
    back, _ = prune_balanced(once, SEQUENCE, sparsity=0.5, n_pes=4)  # what is gone stays gone
    same_weights(back, once)  # masks included


def test_as_a_scope_of_prune_it_takes_any_criterion():
    mine, _ = prune(network(), X, sparsity=0.8, scope=Balanced(2))
    theirs, _ = prune_balanced(network(), X, sparsity=0.8, n_pes=2)
    same_weights(mine, theirs)
    other, _ = prune(
        network(), X, sparsity=0.8, scope=Balanced(2), criterion=lambda w, **_: -magnitude(w)
    )
    assert load_balance(other.fc.mask, n_pes=2) == 1
    assert not (other.fc.mask & mine.fc.mask).all()


def test_on_one_element_it_is_prune():
    mine, report = prune_balanced(network(), X, sparsity=0.7, n_pes=1)
    theirs, expected = prune(network(), X, sparsity=0.7)
    same_weights(mine, theirs)
    assert report == expected


def test_a_policy_prunes_the_layers_that_it_names():
    pruned, _ = prune_balanced(speech(), SEQUENCE, sparsity={"gru": 0.5}, n_pes=4)
    for name, weight in matrices(pruned).items():
        assert bool((weight == 0).any()) == name.startswith("gru"), name
    assert type(pruned.lstm) is nn.LSTM


def test_a_network_of_several_inputs_is_reported_too():
    attention = drawn(nn.MultiheadAttention(8, 2))
    pruned, report = prune_balanced(attention, (SEQUENCE,) * 3, sparsity=0.75)
    assert report == count(pruned, (SEQUENCE,) * 3)
    np.testing.assert_array_equal((pruned.out_proj.weight != 0).sum(), 16)


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
@pytest.mark.parametrize(
    "layer",
    [
        nn.LSTM(8, 8, 2, proj_size=4, bidirectional=True),
        nn.GRU(8, 8, 3, batch_first=True),
        nn.RNN(8, 8),
    ],
    ids=["lstm, projected", "gru, three layers", "rnn"],
)
def test_a_pruned_network_is_saved_and_loaded_into_a_fresh_one(layer):
    pruned, _ = prune_balanced(drawn(layer).eval(), SEQUENCE, sparsity=0.75, n_pes=4)
    for name, weight in matrices(pruned).items():
        loads = kept_per_pe(weight != 0, n_pes=4)
        assert loads == [weight.numel() // 16] * 4, name
    others = copy.deepcopy(layer)
    for p in others.parameters():
        p.data.neg_().add_(0.1)
    fresh, _ = prune_balanced(others, SEQUENCE, sparsity=0.5, n_pes=2)
    fresh.load_state_dict(pruned.state_dict())
    torch.testing.assert_close(fresh(SEQUENCE)[0], pruned(SEQUENCE)[0], rtol=0, atol=0)
    torch.testing.assert_close(
        copy.deepcopy(pruned)(SEQUENCE)[0], pruned(SEQUENCE)[0], rtol=0, atol=0
    )


def test_the_note_counts_every_matrix():
    _, report = prune_balanced(speech(), SEQUENCE, sparsity=0.75, n_pes=4)
    total = sum(p.numel() for p in matrices(speech()).values())
    assert report.note == (
        "removed single weights of 11 matrices, as many of each of 4 elements; "
        f"{total // 4:,} of {total:,} weights stay; a dense kernel does as many MACs as before"
    )


def test_bad_values_are_named():
    model = speech()
    with pytest.raises(ValueError, match=r"prune_balanced: sparsity must be in \[0, 1\), got 1.5"):
        prune_balanced(model, SEQUENCE, sparsity=1.5)
    with pytest.raises(
        ValueError, match=r"layer named in sparsity must be one of lstm, gru, encoder"
    ):
        prune_balanced(model, SEQUENCE, sparsity={"encoder.self_attn.out_proj": 0.5})
    with pytest.raises(ValueError, match=r"n_pes must be a whole number, 1 or more, got 0"):
        prune_balanced(model, SEQUENCE, sparsity=0.5, n_pes=0)
    with pytest.raises(
        ValueError, match=r"n_pes must be at most the 8 rows of 'encoder.self_attn.out_proj.weight'"
    ):
        prune_balanced(model, SEQUENCE, sparsity={"encoder.self_attn": 0.5}, n_pes=9)
    with pytest.raises(
        ValueError, match=r"must have a linear, convolution, recurrent or attention"
    ):
        prune_balanced(nn.ReLU(), SEQUENCE, sparsity=0.5)
    broken = copy.deepcopy(model)
    broken.gru.weight_hh_l0.data[0, 0] = float("nan")
    with pytest.raises(ValueError, match=r"model must have numbers in 'gru.weight_hh_l0', got nan"):
        prune_balanced(broken, SEQUENCE, sparsity=0.5)
    quantized, _ = quantize_weights(network(), X, bits=4)
    with pytest.raises(
        ValueError, match=r"prune_balanced: model must not be quantized yet: layer 'f"
    ):
        prune_balanced(quantized, X, sparsity=0.5)
    with pytest.raises(
        ValueError, match=r"Balanced: granularity must be PerGroup\(1\), each weight"
    ):
        prune(network(), X, sparsity=0.5, scope=Balanced(2), granularity=PerChannel())
