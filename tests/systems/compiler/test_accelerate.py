"""An accelerated network gives what the masked one gives, and does less."""

import copy

import pytest
import torch
from torch import nn

from efficientdl.compression.pruning import prune
from efficientdl.costs.count import count
from efficientdl.models import seeded
from efficientdl.models.layers.masked import MaskedConv2d, MaskedLinear
from efficientdl.models.layers.sparse import SparseConv2d, SparseLinear
from efficientdl.models.networks.small import lenet_5, lenet_300_100, small_cnn
from efficientdl.systems import accelerate

CLOSE = {"rtol": 1e-5, "atol": 1e-5}  # float32 sums in another order, layer after layer


def images(n=2):
    return torch.randn(n, 1, 28, 28, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("network", [lenet_300_100, lenet_5, small_cnn])
def test_the_outputs_stay_and_the_macs_go(network):
    x = images()
    dense = seeded(network, seed=0).eval()
    masked = prune(dense, x, sparsity=0.9).model
    fast = accelerate(masked)
    torch.testing.assert_close(fast(x), masked(x).detach(), **CLOSE)
    ours, theirs = count(fast, x).total, count(masked, x).total
    assert ours.params == theirs.params
    kept = [int(m.mask.sum()) for m in masked.modules() if hasattr(m, "mask")]
    assert len(kept) == sum(isinstance(m, SparseLinear | SparseConv2d) for m in fast.modules())
    assert ours.macs < theirs.macs / 5
    assert {type(m) for m in masked.modules()}.isdisjoint({SparseLinear, SparseConv2d})


def half(layer):
    mask = torch.zeros_like(layer.weight, dtype=torch.bool)
    mask[::2] = True
    return (MaskedConv2d if isinstance(layer, nn.Conv2d) else MaskedLinear)(layer, mask)


def test_the_model_stays_as_it_was_and_the_copy_is_for_inference():
    model = nn.Sequential(half(nn.Linear(4, 6)), nn.Dropout(0.5)).train()
    before = copy.deepcopy(model.state_dict())
    fast = accelerate(model)
    assert model.training
    assert isinstance(model[0], MaskedLinear)
    assert not any(m.training for m in fast.modules())
    for name, value in model.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)


def test_what_drops_nothing_stays_dense():
    whole = MaskedLinear(nn.Linear(4, 4), torch.ones(4, 4, dtype=torch.bool))
    fast = accelerate(nn.Sequential(whole, half(nn.Linear(4, 4)), nn.Linear(4, 2)))
    assert [type(m) for m in fast] == [MaskedLinear, SparseLinear, nn.Linear]


def test_a_layer_that_stands_twice_is_one_layer_still():
    shared = half(nn.Linear(4, 4))
    fast = accelerate(nn.ModuleDict({"a": shared, "b": nn.Sequential(shared)}))
    assert fast["a"] is fast["b"][0]


def test_a_layer_by_itself_and_a_second_time():
    conv = half(nn.Conv2d(2, 4, 3))
    fast = accelerate(conv)
    assert isinstance(fast, SparseConv2d)
    with pytest.raises(ValueError, match="must have a masked Linear or Conv2d layer"):
        accelerate(fast)


@pytest.mark.parametrize(
    "model",
    [
        nn.Linear(2, 2),
        nn.ReLU(),
        MaskedLinear(nn.Linear(2, 2), torch.ones(2, 2, dtype=torch.bool)),
    ],
)
def test_nothing_to_accelerate_is_an_error(model):
    message = r"accelerate: model must have a masked Linear or Conv2d layer that drops weights, got"
    with pytest.raises(ValueError, match=message):
        accelerate(model)


def test_what_is_no_model_is_named():
    with pytest.raises(TypeError, match=r"accelerate: model must be a Module, got 3"):
        accelerate(3)
