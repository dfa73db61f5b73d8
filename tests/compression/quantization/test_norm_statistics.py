"""Batch norm folded into the layer before it: the same function, and its statistics kept."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from efficientdl.compression.pruning import prune
from efficientdl.compression.quantization.norm_statistics import fold_with_statistics
from efficientdl.compression.quantization.weights import quantize_weights
from tests.compression.quantization.residual_net import X, residual_net


def test_folding_leaves_the_function_as_it_was():
    model = residual_net().double()
    folded, statistics = fold_with_statistics("test", model, X.double())
    # 1e-12: the same sums in float64, with the factor taken earlier
    torch.testing.assert_close(folded(X.double()), model(X.double()), rtol=1e-12, atol=1e-12)
    assert not any(isinstance(m, nn.BatchNorm2d) for m in folded.modules())
    assert statistics.keys() == {"stem", "depthwise", "pointwise"}
    np.testing.assert_array_equal(statistics["stem"].mean, model.stem_norm.bias.detach())
    np.testing.assert_array_equal(statistics["stem"].std, model.stem_norm.weight.detach().abs())


def test_a_layer_with_a_bias_and_a_norm_without_weights():
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4, affine=False)).eval()
    model[1].running_mean.fill_(0.3)
    x = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    folded, statistics = fold_with_statistics("test", model, x)
    torch.testing.assert_close(folded(x), model(x))
    np.testing.assert_array_equal(statistics["0"].mean, np.zeros(4))
    np.testing.assert_array_equal(statistics["0"].std, np.ones(4))


def test_a_masked_layer_keeps_its_mask():
    pruned, _ = prune(residual_net(), X, sparsity=0.7)
    folded, _ = fold_with_statistics("test", pruned, X)
    torch.testing.assert_close(folded(X), pruned(X), rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(folded.stem.mask, pruned.stem.mask)


def test_what_the_statistics_say_is_true_of_data_that_the_norm_saw():
    generator = torch.Generator().manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 4), nn.BatchNorm1d(4, momentum=1.0))
    with torch.no_grad():
        model[1].weight.uniform_(0.5, 2.0, generator=generator)
        model[1].weight[0] = -1.5
        model[1].bias.normal_(generator=generator)
        x = torch.randn(5000, 6, generator=generator)
        model(x)  # in training mode: the running statistics become those of this batch
        folded, statistics = fold_with_statistics("test", model.eval(), x)
        y = folded(x)
    torch.testing.assert_close(y.mean(dim=0), statistics["0"].mean, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(y.std(dim=0), statistics["0"].std, rtol=1e-3, atol=1e-3)


def test_the_model_given_stays_as_it_was():
    model = residual_net().train()
    state = copy.deepcopy(model.state_dict())
    folded, _ = fold_with_statistics("test", model, X)
    torch.testing.assert_close(model.state_dict(), state, rtol=0, atol=0)
    assert all(m.training for m in folded.modules())


class Twice(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(2, 2, 1)

    def forward(self, x):
        return self.conv(self.conv(x))


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (nn.Sequential(nn.BatchNorm2d(2), nn.Conv2d(2, 3, 1)), "each batch norm alone behind a"),
        (nn.Sequential(nn.Conv2d(2, 3, 1), nn.ReLU(), nn.BatchNorm2d(3)), "each batch norm alone"),
        (nn.Sequential(nn.Flatten(1, 2), nn.Conv1d(16, 3, 1)), "in Linear and Conv2d layers alone"),
        (nn.Sequential(nn.Conv2d(2, 3, 1), nn.LayerNorm(8)), "not hold weights that native_layer"),
        (nn.Sequential(Twice()), "use each layer once"),
    ],
)
def test_what_cannot_be_folded_is_named(body, words):
    with pytest.raises(ValueError, match=rf"test: model must .*{words}.*layer, got '"):
        fold_with_statistics("test", body.eval(), X)


def test_codes_and_models_without_layers_are_named():
    model = nn.Sequential(nn.Flatten(), nn.Linear(128, 3))
    coded, _ = quantize_weights(model, X, bits=4)
    with pytest.raises(ValueError, match=r"test: model must not be quantized yet: layer '1' hold"):
        fold_with_statistics("test", coded, X)
    with pytest.raises(ValueError, match=r"test: model must have a Linear or Conv2d layer, got '"):
        fold_with_statistics("test", nn.ReLU(), X)
