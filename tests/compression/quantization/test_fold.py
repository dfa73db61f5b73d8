"""Folding: the same function, the weights that torch fuses, and what cannot be folded by name."""

import copy

import pytest
import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from efficientdl.compression import prune
from efficientdl.compression.quantization.fold import fold_batch_norm, norm_pairs
from efficientdl.compression.quantization.weights import quantize_weights
from efficientdl.costs.count import count
from efficientdl.models import build, seeded
from efficientdl.models.trained import trained
from tests.compression.quantization.residual_net import X, residual_net


class Branching(nn.Module):
    """What a convolution gives goes to a norm and around it."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(2, 2, 1), nn.BatchNorm2d(2)

    def forward(self, x):
        y = self.conv(x)
        return y + self.norm(y)


class Shared(nn.Module):
    """One convolution, two norms."""

    def __init__(self):
        super().__init__()
        self.conv, self.a, self.b = nn.Conv2d(2, 2, 1), nn.BatchNorm2d(2), nn.BatchNorm2d(2)

    def forward(self, x):
        return self.b(self.conv(self.a(self.conv(x))))


def test_the_function_stays_the_same():
    model, (folded, report) = (
        residual_net().double(),
        fold_batch_norm(residual_net().double(), X.double()),
    )
    assert not any(isinstance(m, nn.BatchNorm2d) for m in folded.modules())
    torch.testing.assert_close(
        folded(X.double()), model(X.double()), rtol=1e-12, atol=1e-12
    )  # float64
    before = count(model, X.double()).total
    assert report.total.macs == before.macs
    assert before.params - report.total.params == 3 * 8  # of 16 factors, 8 biases stay


def test_weights_are_those_that_torch_fuses():
    model = residual_net()
    folded, _ = fold_batch_norm(model, X)
    for name in ("stem", "depthwise", "pointwise"):
        fused = fuse_conv_bn_eval(getattr(model, name), getattr(model, f"{name}_norm"))
        ours = getattr(folded, name)
        torch.testing.assert_close(ours.weight, fused.weight)
        torch.testing.assert_close(ours.bias, fused.bias)


def test_pairs_are_found_by_the_run_and_not_by_names_or_order():
    pairs = norm_pairs("call", residual_net(), X)
    assert pairs == {f"{n}_norm": n for n in ("stem", "depthwise", "pointwise")}
    model = seeded(lambda: nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4)), seed=0).eval()
    folded, _ = fold_batch_norm(model, torch.zeros(2, 3))
    x = torch.ones(5, 3)
    torch.testing.assert_close(folded(x), model(x))


def test_a_network_without_norms_stays_as_it_is():
    model = trained("lenet_5_mnist")
    folded, _ = fold_batch_norm(model, torch.zeros(1, 1, 28, 28))
    torch.testing.assert_close(folded.state_dict(), model.state_dict(), rtol=0, atol=0)


def test_a_real_network_with_residuals_and_depthwise_layers():
    model, x = build("mobilenet_v2", classes=10, seed=0).eval(), torch.randn(1, 3, 32, 32)
    folded, _ = fold_batch_norm(model, x)
    assert not any(isinstance(m, nn.BatchNorm2d) for m in folded.modules())
    # 1e-4: float32 through 52 layers
    torch.testing.assert_close(folded(x), model(x), rtol=1e-4, atol=1e-4)


def test_masks_stay():
    pruned, _ = prune(residual_net(), X, sparsity=0.7)
    folded, _ = fold_batch_norm(pruned, X)
    torch.testing.assert_close(folded(X), pruned(X), rtol=1e-5, atol=1e-4)  # float32, logits of 40
    torch.testing.assert_close(folded.stem.mask, pruned.stem.mask)


def test_flags_and_modes_stay_and_the_model_given_too():
    model = residual_net().train()
    model.stem.weight.requires_grad_(False)
    state = copy.deepcopy(model.state_dict())
    folded, _ = fold_batch_norm(model, X)
    assert not folded.stem.weight.requires_grad
    assert folded.pointwise.weight.requires_grad
    assert {m.training for m in folded.modules()} == {True}
    torch.testing.assert_close(model.state_dict(), state, rtol=0, atol=0)


def refused(model, name, x):
    with pytest.raises(ValueError, match=rf"fold_batch_norm: model must have .*, got '{name}'"):
        fold_batch_norm(model, x)


def test_what_cannot_be_folded_is_named():
    x = torch.ones(2, 2, 4, 4)
    refused(nn.Sequential(nn.BatchNorm2d(2), nn.Conv2d(2, 2, 1)), "0", x)
    refused(nn.Sequential(nn.Conv2d(2, 2, 1), nn.ReLU(), nn.BatchNorm2d(2)), "2", x)
    refused(nn.Sequential(nn.ConvTranspose2d(2, 2, 1), nn.BatchNorm2d(2)), "1", x)
    refused(nn.Sequential(nn.Conv1d(2, 2, 1), nn.BatchNorm1d(2)), "1", x[:, :, 0])
    untracked = nn.BatchNorm2d(2, track_running_stats=False)
    refused(nn.Sequential(nn.Conv2d(2, 2, 1), untracked), "1", x)
    refused(Branching(), "norm", x)
    refused(Shared(), "a", x)
    coded, _ = quantize_weights(nn.Sequential(nn.Conv2d(2, 2, 1), nn.BatchNorm2d(2)), x, bits=8)
    refused(coded, "1", x)


def test_an_instance_norm_is_another_thing():
    model = seeded(lambda: nn.Sequential(nn.Conv2d(2, 2, 1), nn.InstanceNorm2d(2)), seed=0)
    folded, _ = fold_batch_norm(model, X)
    torch.testing.assert_close(folded(X), model(X), rtol=0, atol=0)
