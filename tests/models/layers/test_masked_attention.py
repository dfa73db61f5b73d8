"""Masked attention equals dense attention with zeros, in every way that torch's can be called."""

import copy

import pytest
import torch
from torch import nn

from efficientdl.costs.count import count
from efficientdl.models.layers.masked_attention import MaskedMultiheadAttention
from efficientdl.protocols import Costed
from tests.models.layers.test_masked import drawn, gen
from tests.models.layers.test_masked_recurrent import masks_for, with_zeros
from tests.promises.state import global_generators_untouched

T, B, D = 5, 2, 8
X = torch.randn(T, B, D, generator=gen(3))
OTHER = torch.randn(7, B, D, generator=gen(4))
OPTIONS = {
    "plain": {},
    "no bias": {"bias": False},
    "extra key and value": {"add_bias_kv": True, "add_zero_attn": True},
}
CAUSAL = torch.triu(torch.ones(T, T, dtype=torch.bool), 1)


def attention(**options):
    return drawn(nn.MultiheadAttention(D, 2, **options))


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_equals_dense_attention_with_zeros(options):
    layer = attention(**options)
    masks = masks_for(layer)
    with global_generators_untouched():
        masked = MaskedMultiheadAttention(layer, masks)
    dense = with_zeros(layer, masks)
    hidden = torch.tensor([[False] * 6 + [True], [False] * 7])
    for arguments, more in (
        ((X, X, X), {}),
        ((X, X, X), {"attn_mask": CAUSAL, "need_weights": False}),
        ((X, OTHER, OTHER), {"key_padding_mask": hidden, "average_attn_weights": False}),
        ((X[:, 0], OTHER[:, 0], OTHER[:, 0]), {}),
    ):
        mine, theirs = masked(*arguments, **more), dense(*arguments, **more)
        torch.testing.assert_close(mine[0], theirs[0], rtol=0, atol=0)
        assert (mine[1] is None) == (theirs[1] is None)
        if mine[1] is not None:
            torch.testing.assert_close(mine[1], theirs[1], rtol=0, atol=0)


def test_batch_first_and_sizes_of_their_own():
    layer = attention(kdim=3, vdim=5, batch_first=True)
    masks = masks_for(layer)
    assert "q_proj_weight" in masks
    masked, dense = MaskedMultiheadAttention(layer, masks), with_zeros(layer, masks)
    inputs = (X.transpose(0, 1), OTHER.transpose(0, 1)[..., :3], OTHER.transpose(0, 1)[..., :5])
    torch.testing.assert_close(masked(*inputs), dense(*inputs), rtol=0, atol=0)


def test_in_an_encoder_masks_survive_training():
    encoder = drawn(nn.TransformerEncoderLayer(D, 2, 16, dropout=0.0))
    masks = masks_for(encoder.self_attn)
    masked = copy.deepcopy(encoder)
    masked.self_attn = MaskedMultiheadAttention(with_zeros(encoder.self_attn, masks), masks)
    steps = torch.optim.AdamW(masked.parameters(), lr=0.01)
    for _ in range(4):
        steps.zero_grad()
        masked(X).square().sum().backward()
        steps.step()
    for name, mask in masks.items():
        now = masked.self_attn.get_parameter(name).detach()
        assert not now[~mask].any()
        assert (now[mask] != encoder.self_attn.get_parameter(name)[mask]).any()
    # 1e-5: the kernel of inference sums in another order
    torch.testing.assert_close(masked.eval()(X), masked.train()(X), rtol=1e-5, atol=1e-5)


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors is in prototype stage")
@pytest.mark.parametrize("watched", [False, True], ids=["fused", "watched by a hook"])
def test_in_an_encoder_of_padded_batches_dropped_weights_stay_out(watched):
    """In evaluation torch's encoder reads weights itself, and packs padded batches as nested."""
    layer = nn.TransformerEncoderLayer(D, 2, 16, dropout=0.0, batch_first=True)
    encoder = drawn(nn.TransformerEncoder(layer, 2))
    for one in encoder.layers:
        one.self_attn = MaskedMultiheadAttention(one.self_attn, masks_for(one.self_attn))
        if watched:  # then torch does not fuse
            one.linear1.register_forward_hook(lambda *_: None)
    x, hidden = X.transpose(0, 1), torch.tensor([[False] * 3 + [True] * 2, [False] * 5])
    slow = encoder.train()(x, src_key_padding_mask=hidden)
    with torch.no_grad():
        fused = encoder.eval()(x, src_key_padding_mask=hidden)
    # 1e-5: the fused kernel sums in another order
    torch.testing.assert_close(fused[~hidden], slow[~hidden], rtol=1e-5, atol=1e-5)


def test_made_from_a_layer_in_evaluation_it_leaves_that_alone():
    layer = attention().eval()
    before = layer.in_proj_weight.detach().clone()
    none = {name: torch.zeros_like(mask) for name, mask in masks_for(layer).items()}
    masked = MaskedMultiheadAttention(layer, none)
    assert not any(module.training for module in masked.modules())
    torch.testing.assert_close(layer.in_proj_weight.detach(), before, rtol=0, atol=0)


def test_it_is_saved_and_loaded_into_a_fresh_one():
    layer = attention(kdim=3, vdim=5)
    masked = MaskedMultiheadAttention(layer, masks_for(layer))
    other = attention(kdim=3, vdim=5)
    fresh = MaskedMultiheadAttention(other, {n: ~m for n, m in masks_for(other).items()})
    fresh.load_state_dict(masked.state_dict())
    inputs = (X, OTHER[..., :3], OTHER[..., :5])
    torch.testing.assert_close(fresh(*inputs), masked(*inputs), rtol=0, atol=0)
    torch.testing.assert_close(copy.deepcopy(masked)(*inputs), masked(*inputs), rtol=0, atol=0)


def test_it_knows_what_it_stores():
    layer = attention()
    masked = MaskedMultiheadAttention(layer, masks_for(layer, share=0.1))
    assert isinstance(masked, Costed)
    mine, dense = count(masked, (X, X, X)).total, count(layer, (X, X, X)).total
    assert mine.weight_bits < dense.weight_bits
    assert (mine.macs, mine.params) == (dense.macs, dense.params)
    whole = {name: torch.ones_like(m) for name, m in masks_for(layer).items()}
    same = count(MaskedMultiheadAttention(layer, whole), (X, X, X)).total
    assert same.weight_bits == dense.weight_bits


def test_a_weight_that_is_not_there_is_refused():
    with pytest.raises(
        ValueError, match=r"MaskedMultiheadAttention: weight named in masks must be"
    ):
        MaskedMultiheadAttention(attention(), {"q_proj_weight": torch.ones(D, D, dtype=torch.bool)})
