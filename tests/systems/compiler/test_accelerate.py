"""An accelerated network gives what the masked one gives, and does less."""

import copy

import pytest
import torch
from torch import nn

from efficientdl.compression.pruning import prune
from efficientdl.compression.quantization import (
    binarize_network,
    half_precision,
    quantize_static,
    quantize_weights,
    share_weights,
    ternarize_weights,
    xnor_network,
)
from efficientdl.costs.count import count
from efficientdl.models import seeded
from efficientdl.models.layers.binary_linear import BinaryConv2d, BinaryLinear
from efficientdl.models.layers.chain import Chain
from efficientdl.models.layers.few_bit_input import FewBitInput, UnitLevels, Xnor
from efficientdl.models.layers.int4_linear import Int4Linear
from efficientdl.models.layers.int8 import Int8Conv2d, Int8Linear
from efficientdl.models.layers.masked import MaskedConv2d, MaskedLinear
from efficientdl.models.layers.quantized import QuantizedConv2d, QuantizedLinear
from efficientdl.models.layers.quantized_input import QuantizedInput
from efficientdl.models.layers.sparse import SparseConv2d, SparseLinear
from efficientdl.models.networks.mobilenet_v1 import mobilenet_v1_layers
from efficientdl.models.networks.small import lenet_5, lenet_300_100, small_cnn
from efficientdl.systems import accelerate
from efficientdl.tensors import PerChannel, PerTensor, choose_qparams, min_max

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


FAST = {
    "four bits": (lambda m, x: quantize_weights(m, x, bits=4), {Int4Linear: 2}),
    "codebooks": (lambda m, x: share_weights(m, x, bits=4), {Int4Linear: 2}),
    "ternary": (ternarize_weights, {Int4Linear: 2}),
    "pruned codebooks": (
        lambda m, x: share_weights(prune(m, x, sparsity=0.8).model, x, bits=5),
        {SparseConv2d: 2, SparseLinear: 2},
    ),
    "signs": (binarize_network, {BinaryConv2d: 1, BinaryLinear: 2}),
    "xnor": (xnor_network, {BinaryConv2d: 1, BinaryLinear: 2}),
    "static": (quantize_static, {Int8Conv2d: 2, Int8Linear: 2}),
}


@pytest.mark.parametrize(("compress", "kinds"), FAST.values(), ids=FAST)
def test_each_representation_has_its_kernel(compress, kinds):
    x = images(4)
    result = compress(seeded(lenet_5, seed=0).eval(), x)
    fast = accelerate(result)
    found = [type(m) for m in fast.modules() if type(m).__module__.startswith("efficientdl")]
    ours = set(kinds) | {Int4Linear, SparseLinear, SparseConv2d, BinaryLinear, BinaryConv2d}
    assert {k: found.count(k) for k in ours if k in found} == kinds
    # In double the emulated sums of signs are exact, as those of the kernel are: at zero, a sum
    # that is off in its last bit may have the other sign.
    expected = copy.deepcopy(result.model).double()(x.double()).detach()
    torch.testing.assert_close(fast(x).double(), expected, rtol=1e-5, atol=1e-5)
    assert count(fast, x).total.macs <= count(result.model, x).total.macs


def test_signs_are_exact():
    x = images(4)
    small = binarize_network(seeded(small_cnn, seed=0).eval(), x)
    torch.testing.assert_close(accelerate(small)(x), small.model(x).detach(), rtol=0, atol=0)


def coded(layer, bits=4, rule=min_max):
    kind = QuantizedConv2d if isinstance(layer, nn.Conv2d) else QuantizedLinear
    qparams = choose_qparams(layer.weight, bits=bits, granularity=PerChannel(), rule=rule)
    return kind(layer, qparams, granularity=PerChannel()).eval()


def test_a_layer_whose_weight_another_one_reads_stays():
    unit = FewBitInput(coded(nn.Linear(64, 64)), UnitLevels(2))
    float_inside = Xnor(nn.Linear(64, 64))
    byte = QuantizedInput(
        coded(nn.Linear(64, 64)),
        choose_qparams(torch.rand(9), bits=9, granularity=PerTensor(), rule=min_max),
    )
    fast = accelerate(nn.Sequential(unit, float_inside, byte, coded(nn.Linear(64, 64))))
    kinds = [type(m) for m in fast]
    assert kinds == [FewBitInput, Xnor, QuantizedInput, Int4Linear]
    assert type(fast[0].layer) is type(fast[2].layer) is QuantizedLinear
    assert count(fast, torch.zeros(1, 64)).total.macs == 4 * 64 * 64


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


def separable():
    """A stem and a depthwise separable block with norms whose statistics are not those of birth."""
    model = seeded(lambda: mobilenet_v1_layers(10)[:3], seed=0).eval()
    for norm in (m for m in model.modules() if isinstance(m, nn.BatchNorm2d)):
        drawn = torch.Generator().manual_seed(norm.num_features)
        for tensor in (norm.weight, norm.bias, norm.running_mean, norm.running_var):
            tensor.data.uniform_(0.2, 1.5, generator=drawn)
    return model


@pytest.mark.parametrize("n", [1, 3])
def test_norms_activations_and_depthwise_layers_run_in_the_chain(n):
    x = torch.randn(n, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    masked = prune(separable(), x, sparsity=0.6).model
    fast = accelerate(masked)
    assert isinstance(fast, Chain)
    kept = {name: t for name, t in masked.state_dict().items() if "pointwise.conv" not in name}
    same = fast.state_dict()
    for name in (name for name in kept if ".norm." in name):
        torch.testing.assert_close(same[name], kept[name], rtol=0, atol=0)
    torch.testing.assert_close(fast(x), masked(x).detach(), rtol=1e-4, atol=1e-5)
    assert count(fast, x).total.params == count(masked, x).total.params


def test_what_drops_nothing_stays_dense():
    whole = MaskedLinear(nn.Linear(4, 4), torch.ones(4, 4, dtype=torch.bool))
    fast = accelerate(nn.Sequential(whole, half(nn.Linear(4, 4)), nn.Linear(4, 2)))
    assert [type(m) for m in fast] == [MaskedLinear, SparseLinear, nn.Linear]


def test_a_depthwise_convolution_stays_on_its_dense_kernel():
    depthwise = half(nn.Conv2d(4, 4, 3, groups=4))
    fast = accelerate(nn.Sequential(depthwise, half(nn.Conv2d(4, 4, 1))))
    assert [type(m) for m in fast] == [MaskedConv2d, SparseConv2d]


def test_a_layer_that_stands_twice_is_one_layer_still():
    shared = half(nn.Linear(4, 4))
    fast = accelerate(nn.ModuleDict({"a": shared, "b": nn.Sequential(shared)}))
    assert fast["a"] is fast["b"][0]


def test_a_layer_by_itself_and_a_second_time():
    conv = half(nn.Conv2d(2, 4, 3))
    fast = accelerate(conv)
    assert isinstance(fast, SparseConv2d)
    with pytest.raises(ValueError, match="must have a Linear or ungrouped Conv2d layer whose"):
        accelerate(fast)


@pytest.mark.parametrize(
    "model",
    [
        nn.Linear(2, 2),
        nn.ReLU(),
        MaskedLinear(nn.Linear(2, 2), torch.ones(2, 2, dtype=torch.bool)),
        coded(nn.Linear(2, 2), bits=8),
        half(nn.Conv2d(4, 4, 3, groups=4)),
        half_precision(nn.Linear(2, 2), torch.zeros(1, 2)).model,
    ],
)
def test_nothing_to_accelerate_is_an_error(model):
    message = "accelerate: model must have a Linear or ungrouped Conv2d layer whose mask .*, got"
    with pytest.raises(ValueError, match=message):
        accelerate(model)


def test_what_is_no_model_is_named():
    with pytest.raises(TypeError, match=r"accelerate: model must be a Module, got 3"):
        accelerate(3)
