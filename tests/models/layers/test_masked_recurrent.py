"""Masked recurrent layers equal dense ones with zeros, and stay masked in training."""

import copy
import io

import pytest
import torch
from torch import nn

from efficientdl.costs.count import count
from efficientdl.models.layers.masked_recurrent import MaskedGRU, MaskedLSTM, MaskedRNN
from efficientdl.protocols import Costed
from tests.models.layers.test_masked import drawn, gen
from tests.promises.state import global_generators_untouched

X = torch.randn(5, 2, 6, generator=gen(3))
FORMS = {
    "lstm": (MaskedLSTM, lambda: nn.LSTM(6, 4)),
    "lstm, two layers, both ways": (MaskedLSTM, lambda: nn.LSTM(6, 4, 2, bidirectional=True)),
    "lstm, batch first": (MaskedLSTM, lambda: nn.LSTM(6, 4, bias=False, batch_first=True)),
    "lstm, projected": (MaskedLSTM, lambda: nn.LSTM(6, 4, 2, proj_size=3, bidirectional=True)),
    "gru": (MaskedGRU, lambda: nn.GRU(6, 4, 2)),
    "rnn": (MaskedRNN, lambda: nn.RNN(6, 4, nonlinearity="relu")),
}
pytestmark = pytest.mark.filterwarnings(
    "ignore:LSTM with projections is not supported with oneDNN"  # how torch runs it, not what
)
EACH = pytest.mark.parametrize(("form", "make"), FORMS.values(), ids=FORMS)


def masks_for(layer, share=0.4):
    names = [name for name, p in layer.named_parameters() if p.ndim == 2]
    sizes = {name: layer.get_parameter(name).shape for name in names}
    return {
        n: torch.rand(size, generator=gen(i)) < share for i, (n, size) in enumerate(sizes.items())
    }


def with_zeros(layer, masks):
    dense = copy.deepcopy(layer)
    with torch.no_grad():
        for name, mask in masks.items():
            dense.get_parameter(name).mul_(mask)
    return dense


@EACH
def test_equals_a_dense_layer_with_zeros(form, make):
    layer = drawn(make())
    masks = masks_for(layer)
    with global_generators_untouched():
        masked = form(layer, masks)
    dense = with_zeros(layer, masks)
    y, state = masked(X)
    wanted, wanted_state = dense(X)
    torch.testing.assert_close(y, wanted, rtol=0, atol=0)
    torch.testing.assert_close(state, wanted_state, rtol=0, atol=0)
    y.square().sum().backward()
    wanted.square().sum().backward()
    for name, p in dense.named_parameters():
        mine, theirs = masked.get_parameter(name).grad, p.grad
        expected = theirs * masks[name] if name in masks else theirs
        torch.testing.assert_close(mine, expected, rtol=0, atol=0)


@EACH
def test_all_true_is_the_layer_itself(form, make):
    layer = drawn(make())
    masked = form(layer, {name: torch.ones_like(m) for name, m in masks_for(layer).items()})
    torch.testing.assert_close(masked(X)[0], layer(X)[0], rtol=0, atol=0)
    mine, theirs = count(masked, X), count(layer, X)
    assert mine == theirs


def test_copies_saves_loads_casts_and_exports():
    layer = drawn(nn.LSTM(6, 4))
    masked = MaskedLSTM(layer, masks_for(layer)).eval()
    wanted = masked(X)[0]
    torch.testing.assert_close(copy.deepcopy(masked)(X)[0], wanted, rtol=0, atol=0)
    file = io.BytesIO()
    torch.save(masked.state_dict(), file)
    file.seek(0)
    empty = MaskedLSTM(nn.LSTM(6, 4), {n: ~m for n, m in masks_for(layer).items()})
    empty.load_state_dict(torch.load(file))
    torch.testing.assert_close(empty(X)[0], wanted, rtol=0, atol=0)
    exported = torch.export.export(masked, (X,)).module()
    # 1e-6: the exported cell sums in another order
    torch.testing.assert_close(exported(X)[0], wanted, rtol=0, atol=1e-6)
    doubled = copy.deepcopy(masked).double()
    # 1e-6: float32 against float64
    torch.testing.assert_close(doubled(X.double())[0].float(), wanted, rtol=0, atol=1e-6)


def test_masks_survive_training():
    layer = drawn(nn.GRU(6, 4))
    masks = masks_for(layer)
    masked = MaskedGRU(with_zeros(layer, masks), masks)
    before = {name: p.detach().clone() for name, p in masked.named_parameters()}
    steps = torch.optim.AdamW(masked.parameters(), lr=0.1)
    for _ in range(5):
        steps.zero_grad()
        masked(X)[0].square().sum().backward()
        steps.step()
    for name, mask in masks.items():
        now = masked.get_parameter(name).detach()
        assert not now[~mask].any()
        assert (now != before[name]).any()


def test_it_knows_what_it_stores():
    layer = drawn(nn.LSTM(6, 4))
    masked = MaskedLSTM(layer, masks_for(layer, share=0.1))
    assert isinstance(masked, Costed)
    mine, dense = count(masked, X).total, count(layer, X).total
    assert mine.weight_bits < dense.weight_bits
    assert (mine.macs, mine.params) == (dense.macs, dense.params)


def test_the_mode_is_taken_over():
    assert not MaskedRNN(nn.RNN(2, 2).eval(), {}).training


def test_a_layer_that_is_none_is_refused():
    with pytest.raises(ValueError, match=r"MaskedRNN: weight named in masks must be one of weight"):
        MaskedRNN(nn.RNN(2, 2), {"weight_hh_l1": torch.ones(2, 2, dtype=torch.bool)})
