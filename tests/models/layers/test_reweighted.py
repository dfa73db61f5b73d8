"""A layer with a rule for its weight equals the layer with the weight that the rule gives."""

import copy
import io

import pytest
import torch
from torch import nn

from efficientdl.models.layers.masked import MaskedConv2d, MaskedLinear
from efficientdl.models.layers.reweighted import Reweighted
from tests.models.layers.test_masked import CONVS, drawn, gen, mask_of


class Scale(nn.Module):
    """A rule with a parameter: the weight times a number."""

    def __init__(self, factor=1.0):
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(factor))

    def forward(self, weight):
        return weight * self.factor


def scaled(layer, factor=0.5):
    other = copy.deepcopy(layer)
    other.weight.data *= factor
    return other


@pytest.mark.parametrize("options", CONVS.values(), ids=CONVS)
def test_convolutions_of_all_kinds(options):
    conv = drawn(nn.Conv2d(4, 6, **options))
    x = torch.randn(2, 4, 9, 8, generator=gen(2))
    torch.testing.assert_close(Reweighted(conv, nn.Identity())(x), conv(x), rtol=0, atol=0)
    torch.testing.assert_close(Reweighted(conv, Scale(0.5))(x), scaled(conv)(x), rtol=0, atol=0)
    masked = MaskedConv2d(conv, mask_of(conv))
    torch.testing.assert_close(Reweighted(masked, Scale(0.5))(x), scaled(masked)(x), rtol=0, atol=0)


def test_linear_layers_masked_or_not():
    linear, x = drawn(nn.Linear(7, 5)), torch.randn(3, 2, 7, generator=gen(2))
    torch.testing.assert_close(Reweighted(linear, Scale(0.5))(x), scaled(linear)(x), rtol=0, atol=0)
    masked = MaskedLinear(linear, mask_of(linear))
    reweighted = Reweighted(masked, Scale(0.5))
    torch.testing.assert_close(reweighted(x), scaled(masked)(x), rtol=0, atol=0)
    reweighted(x).sum().backward()
    assert not linear.weight.grad[~mask_of(linear)].any()
    assert reweighted.rule.factor.grad != 0


def test_copies_are_independent_and_can_be_saved():
    one = Reweighted(drawn(nn.Linear(3, 2)), Scale(0.5)).eval()
    other, file = copy.deepcopy(one), io.BytesIO()
    other.rule.factor.data.zero_()
    assert one.weight.any()
    assert not other.weight.any()
    torch.save(one, file)
    file.seek(0)
    x = torch.ones(1, 3)
    torch.testing.assert_close(torch.load(file, weights_only=False)(x), one(x), rtol=0, atol=0)


def test_in_torchs_fused_encoder_the_rule_holds():
    """In evaluation torch's layer reads weight and bias from here, and never calls the layer."""
    encoder = drawn(nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True)).eval()
    encoder.linear1 = Reweighted(encoder.linear1, Scale(0.5))
    x = torch.randn(2, 5, 8, generator=gen(2))
    with torch.no_grad():
        fused = encoder(x)
    # 1e-5: the fused kernel sums in another order
    torch.testing.assert_close(fused, encoder(x), rtol=1e-5, atol=1e-5)
    assert encoder.linear1.bias is encoder.linear1.layer.bias


def test_the_mode_is_the_layers():
    assert not Reweighted(nn.Linear(2, 2).eval(), Scale()).rule.training


def test_a_layer_that_is_none_is_refused():
    with pytest.raises(TypeError, match=r"layer must be a Linear or Conv2d, got ReLU|'layer'"):
        Reweighted(nn.ReLU(), Scale())
