"""Counting a model: by hand, against torch, and on the whole zoo."""

from copy import deepcopy

import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from efficientdl import models
from efficientdl.costs import count
from efficientdl.models.layers.masked import MaskedLinear
from efficientdl.report import Cost

NAMES = models.names()


@pytest.mark.parametrize("name", NAMES)
def test_zoo_equals_torch(name):
    model, x = models.skeleton(name), models.example(name, device="meta")
    total = count(model, x).total
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model.eval()(x)
    assert total.macs == counter.get_total_flops() // 2
    assert total.params == sum(p.numel() for p in model.parameters())
    assert total.weight_bits == 32 * total.params


def test_layers_by_hand():
    model = nn.Sequential(
        nn.Conv2d(4, 8, 3, padding=1, groups=2), nn.BatchNorm2d(8), nn.Flatten(), nn.Linear(128, 10)
    )
    report = count(model, torch.zeros(2, 4, 4, 4))
    conv_in, conv_out = 2 * 4 * 16, 2 * 8 * 16
    n_conv = 8 * 2 * 9 + 8
    assert report.rows == {
        "0": Cost(
            params=n_conv,
            macs=conv_out * 2 * 9,
            weight_bits=32 * n_conv,
            activation_bytes=4 * (conv_in + conv_out),
            traffic_bytes=4 * (n_conv + conv_in + conv_out),
        ),
        "1": Cost(
            params=16,
            macs=0,
            weight_bits=32 * 16,
            activation_bytes=4 * 2 * conv_out,
            traffic_bytes=4 * (16 + 2 * conv_out),
        ),
        "2": Cost(params=0, macs=0, weight_bits=0, activation_bytes=4 * conv_out, traffic_bytes=0),
        "3": Cost(
            params=1290,
            macs=2 * 128 * 10,
            weight_bits=32 * 1290,
            activation_bytes=4 * (conv_out + 20),
            traffic_bytes=4 * (1290 + conv_out + 20),
        ),
    }


class Attention(nn.Module):
    """Products in a formula, a weight of its own, a layer used through its weight."""

    def __init__(self):
        super().__init__()
        self.position = nn.Parameter(torch.zeros(5, 8))
        self.q, self.k = nn.Linear(8, 8, bias=False), nn.Linear(8, 8, bias=False)
        self.v = nn.Linear(8, 8, bias=False)

    def forward(self, x):
        x = x + self.position
        scores = functional.softmax(self.q(x) @ self.k(x).transpose(1, 2), dim=-1)
        return {"out": scores @ functional.linear(x, self.v.weight), "scores": (scores, None)}


def test_a_formula_counts_in_the_module_that_computes_it():
    report = count(Attention(), torch.zeros(1, 5, 8))
    assert report.rows["(model)"].macs == 5 * 8 * 8 + 2 * 5 * 5 * 8
    assert report.rows["q"].macs == 5 * 8 * 8
    assert report.rows["(model)"].params == 40
    assert report.rows["v"].params == 64
    assert report.rows["v"].macs == 0
    assert report.total.macs == 3 * 5 * 8 * 8 + 2 * 5 * 5 * 8


def test_tied_weights_count_once_and_move_twice():
    model = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 8))
    model[1].weight = model[0].weight
    report = count(model, torch.zeros(1, 8))
    assert report.total.params == 64 + 8 + 8
    assert report.rows["0"].traffic_bytes == report.rows["1"].traffic_bytes == 4 * (72 + 16)


def test_a_tied_weight_that_is_masked_is_stored_once():
    model = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 8))
    model[1].weight = model[0].weight
    mask = torch.arange(64).reshape(8, 8) % 4 == 0
    alone = count(MaskedLinear(deepcopy(model[0]), mask), torch.zeros(1, 8)).total
    masked = nn.Sequential(*(MaskedLinear(layer, mask) for layer in model))
    total = count(masked, torch.zeros(1, 8)).total
    assert total.params == alone.params + 8  # the other layer's bias
    assert total.weight_bits == alone.weight_bits + 8 * 32
    assert total.macs == 2 * alone.macs


def test_a_layer_called_twice_works_twice():
    layer = nn.Linear(8, 8)
    once = count(nn.Sequential(layer), torch.zeros(1, 8)).total
    twice = count(nn.Sequential(layer, layer), torch.zeros(1, 8)).total
    assert (twice.params, twice.weight_bits) == (once.params, once.weight_bits)
    assert (twice.macs, twice.traffic_bytes) == (2 * once.macs, 2 * once.traffic_bytes)
    assert twice.activation_bytes == once.activation_bytes


class Packed(nn.Module):
    """A layer that knows what it costs better than a counter could."""

    def __init__(self, **figures):
        super().__init__()
        self.inner = nn.Linear(8, 8)
        self.figures = figures

    def forward(self, x):
        return self.inner(x)

    def cost(self, x_shape):
        return Cost(macs=7 * x_shape[0], **self.figures)


def test_a_layer_that_knows_its_cost_is_asked():
    told = {"params": 72, "weight_bits": 100, "activation_bytes": 5, "traffic_bytes": 6}
    report = count(nn.Sequential(Packed(**told), nn.ReLU()), torch.zeros(3, 8))
    assert report.rows["0"] == Cost(macs=21, **told)
    assert list(report.rows) == ["0", "1"]


def test_what_it_does_not_say_is_counted():
    row = count(nn.Sequential(Packed(weight_bits=100)), torch.zeros(3, 8)).rows["0"]
    activation_bytes = 4 * 2 * 3 * 8
    assert row == Cost(72, 21, 100, activation_bytes, 13 + activation_bytes)


def test_a_layer_that_knows_its_cost_called_twice():
    layer = Packed(weight_bits=100)
    report = count(nn.Sequential(layer, layer), torch.zeros(3, 8))
    assert (report.total.macs, report.total.weight_bits, report.total.params) == (42, 100, 72)
    assert report.total.traffic_bytes == 2 * (13 + 4 * 2 * 3 * 8)


def test_a_layer_named_cost_is_no_answer():
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.cost = nn.Linear(4, 4)

        def forward(self, x):
            return self.cost(x)

    assert list(count(Model(), torch.zeros(1, 4)).rows) == ["cost"]


def test_an_embedding_reads_what_it_looks_up():
    report = count(nn.Embedding(1000, 4), torch.zeros(2, 3, dtype=torch.int64))
    out = 4 * 2 * 3 * 4
    assert report.total.params == 4000
    assert report.total.traffic_bytes == out + out + 8 * 6


def test_half_precision_halves_the_bytes():
    x = torch.zeros(1, 3, 8, 8, device="meta")
    single = count(nn.Conv2d(3, 4, 3, device="meta"), x).total
    half = count(nn.Conv2d(3, 4, 3, device="meta", dtype=torch.half), x.half()).total
    assert single.macs == half.macs
    for figure in ("weight_bits", "activation_bytes", "traffic_bytes"):
        assert getattr(single, figure) == 2 * getattr(half, figure)


def test_in_place_holds_one_tensor():
    def of(layer):
        return count(nn.Sequential(nn.Linear(4, 4), layer), torch.zeros(1, 4)).rows["1"]

    assert of(nn.ReLU()).activation_bytes == 2 * of(nn.ReLU(inplace=True)).activation_bytes == 32


@pytest.mark.parametrize("name", ["small_cnn", "mobilenet_v2", "shufflenet_v1_150"])
def test_meta_counts_what_the_processor_does(name):
    model, x = models.build(name, seed=0), models.example(name)
    assert count(model, x) == count(models.skeleton(name), x.to("meta"))


def test_several_arguments():
    report = count(nn.Bilinear(3, 4, 5), (torch.zeros(2, 3), torch.zeros(2, 4)))
    assert report.rows["(model)"].params == 3 * 4 * 5 + 5


@pytest.mark.parametrize("batch", [1, 3])
def test_macs_and_activations_grow_with_the_batch(batch):
    model = models.skeleton("small_cnn")
    one = count(model, models.example("small_cnn", device="meta")).total
    many = count(model, models.example("small_cnn", batch=batch, device="meta")).total
    assert (many.macs, many.activation_bytes) == (batch * one.macs, batch * one.activation_bytes)
    assert many.params == one.params


def test_errors_say_what_to_pass():
    with pytest.raises(TypeError, match=r"count: model must be a Module, got 3|parameter 'model'"):
        count(3, torch.zeros(1))
    with pytest.raises(TypeError, match=r"count: x must be a Tensor or tuple|parameter 'x'"):
        count(nn.ReLU(), [1])
    with pytest.raises(ValueError, match="count: x must hold a tensor"):
        count(nn.ReLU(), (1,))
    with pytest.raises(ValueError, match="count: x must be on the model's device, meta, got 'cpu'"):
        count(models.skeleton("small_cnn"), models.example("small_cnn"))
