"""Masked layers equal dense ones with zeros in their weights, and stay masked in training."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from efficientdl.costs.count import count
from efficientdl.models.layers.masked import MaskedConv2d, MaskedLinear
from efficientdl.protocols import Costed


def gen(seed=0):
    return torch.Generator().manual_seed(seed)


def drawn(layer):
    """The same layer with weights that do not depend on the global generator."""
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.normal_(generator=gen(parameter.numel()))
    return layer


def mask_of(layer, share=0.4):
    return torch.rand(layer.weight.shape, generator=gen(1)) < share


CONVS = {
    "plain": {"kernel_size": 3},
    "strided": {"kernel_size": 3, "stride": 2, "padding": 1, "bias": False},
    "grouped": {"kernel_size": (3, 1), "groups": 2, "dilation": 2},
    "same": {"kernel_size": 3, "padding": "same"},
    "wrapped": {"kernel_size": 3, "padding": 1, "padding_mode": "circular"},
}


@pytest.mark.parametrize("options", CONVS.values(), ids=CONVS)
def test_conv_equals_a_dense_one_with_zeros(options):
    conv = drawn(nn.Conv2d(4, 6, **options))
    masked = MaskedConv2d(conv, mask_of(conv))
    dense = copy.deepcopy(conv)
    dense.weight.data *= mask_of(conv)
    x = torch.randn(2, 4, 9, 8, generator=gen(2))
    torch.testing.assert_close(masked(x), dense(x), rtol=0, atol=0)
    assert masked.cost(tuple(x.shape)).macs == count(dense, x).total.macs


def test_linear_equals_a_dense_one_with_zeros():
    linear = drawn(nn.Linear(7, 5))
    masked = MaskedLinear(linear, mask_of(linear))
    x = torch.randn(3, 2, 7, generator=gen(2))
    expected = x.numpy() @ (linear.weight * mask_of(linear)).detach().numpy().T
    # 1e-6: float32 sums of seven terms in another order.
    np.testing.assert_allclose(
        masked(x).detach(), expected + linear.bias.detach().numpy(), atol=1e-6
    )
    assert masked.cost((3, 2, 7)).macs == 3 * 2 * 7 * 5


def test_all_kept_is_the_layer_itself_in_output_and_cost():
    conv = drawn(nn.Conv2d(4, 6, 3))
    masked = MaskedConv2d(conv, torch.ones_like(conv.weight, dtype=torch.bool))
    x = torch.randn(1, 4, 8, 8, generator=gen())
    torch.testing.assert_close(masked(x), conv(x), rtol=0, atol=0)
    assert count(masked, x) == count(conv, x)


@pytest.mark.parametrize(
    "optimizer",
    [
        lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.1),
        lambda p: torch.optim.AdamW(p, lr=0.1),
    ],
    ids=["sgd", "adamw"],
)
def test_dropped_weights_survive_training_and_kept_ones_move(optimizer):
    linear = drawn(nn.Linear(6, 4))
    mask = mask_of(linear)
    with torch.no_grad():
        linear.weight.mul_(mask)
    masked = MaskedLinear(linear, mask)
    before = masked.weight.detach().clone()
    steps = optimizer(masked.parameters())
    for _ in range(5):
        steps.zero_grad()
        (masked(torch.randn(8, 6, generator=gen(3))) - 1).square().sum().backward()
        steps.step()
    np.testing.assert_array_equal(masked.weight.detach()[~mask], 0)
    assert (masked.weight.detach() != before)[mask].all()


def test_the_gradient_is_the_dense_one_masked():
    linear = drawn(nn.Linear(6, 4)).double()
    mask = mask_of(linear)
    masked = MaskedLinear(copy.deepcopy(linear), mask)
    dense = copy.deepcopy(linear)
    dense.weight.data *= mask
    x = torch.randn(8, 6, generator=gen(3), dtype=torch.float64)
    masked(x).pow(2).sum().backward()
    dense(x).pow(2).sum().backward()
    torch.testing.assert_close(masked.weight.grad, dense.weight.grad * mask)


def test_stored_bits_are_values_indices_and_bias():
    linear = nn.Linear(64, 8)
    mask = torch.zeros(8, 64, dtype=torch.bool)
    mask[:, 0] = True  # one weight in each row, 64 places apart
    masked = MaskedLinear(linear, mask)
    # relative index of 6 bits: 8 values of 32 bits; the bias stays 8 floats
    assert masked.storage().form == "relative index"
    assert masked.cost((1, 64)).weight_bits == 8 * (32 + 6) + 8 * 32
    assert masked.cost((1, 64)).params == 8 * 64 + 8


def test_it_is_built_without_the_global_generator_and_leaves_its_layer_alone():
    conv = drawn(nn.Conv2d(2, 3, 3)).eval()
    conv.weight.requires_grad_(False)
    before, weight, mask = torch.get_rng_state(), conv.weight.clone(), mask_of(conv)
    masked = MaskedConv2d(conv, mask)
    mask.fill_(False)  # the layer has a mask of its own
    assert masked.mask.any()
    torch.testing.assert_close(torch.get_rng_state(), before, rtol=0, atol=0)
    torch.testing.assert_close(conv.weight, weight, rtol=0, atol=0)
    assert type(conv) is nn.Conv2d
    assert not masked.training
    assert not masked.weight.requires_grad
    assert masked.bias.requires_grad
    assert isinstance(masked, Costed)


def test_the_mask_is_saved_with_the_weights():
    linear = drawn(nn.Linear(6, 4))
    masked = MaskedLinear(linear, mask_of(linear))
    other = MaskedLinear(drawn(nn.Linear(6, 4)), torch.ones(4, 6, dtype=torch.bool))
    other.load_state_dict(masked.state_dict())
    x = torch.randn(3, 6, generator=gen())
    torch.testing.assert_close(other(x), masked(x), rtol=0, atol=0)
    assert f"kept={int(mask_of(linear).sum())} of 24" in repr(masked)


def test_in_torchs_fused_encoder_dropped_weights_stay_out():
    """In evaluation torch's layer reads the weight itself and never calls the masked layer."""
    encoder = drawn(nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True))
    for name in ("linear1", "linear2"):
        layer = encoder.get_submodule(name)
        setattr(encoder, name, MaskedLinear(layer, mask_of(layer)))
    assert encoder.linear1.weight[~encoder.linear1.mask].any()  # as after loading a dense network
    x = torch.randn(2, 5, 8, generator=gen(2))
    slow = encoder.train()(x)
    with torch.no_grad():
        fused = encoder.eval()(x)
    # 1e-5: the fused kernel sums in another order
    torch.testing.assert_close(fused, slow, rtol=1e-5, atol=1e-5)
    assert not encoder.linear1.weight[~encoder.linear1.mask].any()


def test_made_from_a_layer_in_evaluation_it_leaves_that_alone():
    layer = drawn(nn.Linear(3, 2)).eval()
    before = layer.weight.detach().clone()
    masked = MaskedLinear(layer, torch.zeros(2, 3, dtype=torch.bool))
    assert not masked.training
    torch.testing.assert_close(layer.weight.detach(), before, rtol=0, atol=0)


def test_a_mask_of_another_shape_is_named():
    with pytest.raises(
        ValueError, match=r"MaskedLinear: mask must have the weight's shape \(4, 6\)"
    ):
        MaskedLinear(nn.Linear(6, 4), torch.ones(6, 4, dtype=torch.bool))
