"""Fusion: a norm goes into the weights, an activation into its product; what is shared stays."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from efficientdl import models
from efficientdl.systems.compiler.graph import Graph, Value, constant, node
from efficientdl.systems.compiler.passes.fusion import fuse
from efficientdl.systems.compiler.trace import trace
from tests.systems.compiler.drawn import assert_never_dearer
from tests.systems.compiler.test_trace import prepared

ZOO = models.names()
WITHOUT_NORMS = ("alexnet", "googlenet", "vgg16", "squeezenet", "lenet_300_100", "lenet_5")


def brick(*, activation=nn.ReLU, bias=False):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3, bias=bias), nn.BatchNorm2d(4), activation())
    for tensor in (model[1].weight.data, model[1].running_var):
        tensor.uniform_(0.5, 2)
    for tensor in (model[1].bias.data, model[1].running_mean):
        tensor.normal_()
    return model.double().eval()


X = torch.randn(2, 3, 6, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


@pytest.fixture(autouse=True)
def _same_generator():
    with torch.random.fork_rng():
        yield


def test_a_network_with_nothing_to_fuse_stays_what_it_is():
    graph = trace(nn.Sequential(nn.Conv2d(3, 4, 3), nn.MaxPool2d(2)).double(), X)
    assert fuse(graph) == graph


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("activation", [nn.ReLU, nn.ReLU6, nn.Hardswish, nn.SiLU])
def test_three_become_one(activation, bias):
    model = brick(activation=activation, bias=bias)
    fused = fuse(trace(model, X))
    assert [n.op for n in fused.nodes] == ["conv2d"]
    # 1e-12: 27 products of the order of one, in float64
    torch.testing.assert_close(fused.run(X), [model(X)], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("bias", [False, True])
def test_the_new_weights_are_those_that_torch_makes(bias):
    model = brick(bias=bias)
    theirs = nn.utils.fuse_conv_bn_eval(model[0], model[1])
    fused = fuse(trace(model, X))
    weight, new_bias = (fused.constants[name] for name in fused.nodes[0].inputs[1:])
    torch.testing.assert_close(weight, theirs.weight.data, rtol=1e-14, atol=1e-14)
    torch.testing.assert_close(new_bias, theirs.bias.data, rtol=1e-14, atol=1e-14)


def test_a_linear_layer_takes_its_norm_too():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Tanh()).double().eval()
    model[1].running_mean.normal_()
    x = torch.randn(5, 3, dtype=torch.float64)
    fused = fuse(trace(model, x))
    assert [n.op for n in fused.nodes] == ["linear"]
    torch.testing.assert_close(fused.run(x), [model(x)], rtol=1e-12, atol=1e-12)


def test_in_float32_the_weights_are_rounded_once():
    model = brick().float()
    fused = fuse(trace(model, X.float()))
    weight = fused.constants[fused.nodes[0].inputs[1]]
    exact = nn.utils.fuse_conv_bn_eval(brick()[0], brick()[1]).weight.data
    norm, conv = model[1].double(), model[0].double()
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    expected = (conv.weight * scale.reshape(-1, 1, 1, 1)).float()
    torch.testing.assert_close(weight, expected, rtol=0, atol=0)
    assert exact.dtype is torch.float64
    assert weight.dtype is torch.float32


class Shared(nn.Module):
    """A map that is normed, and also given as it is."""

    def __init__(self):
        super().__init__()
        self.brick = brick()

    def forward(self, x):
        y = self.brick[0](x)
        return self.brick[1](y) + y


def test_what_something_else_takes_stays():
    graph = trace(Shared(), X)
    assert [n.op for n in fuse(graph).nodes] == ["conv2d", "batch_norm", "add"]


def test_weights_of_two_layers_are_not_scaled_for_one():
    graph = trace(brick(), X)
    again = replace(
        graph.nodes[0], name="again", outputs=(replace(graph.nodes[0].outputs[0], name="again"),)
    )
    both = replace(graph, nodes=(*graph.nodes, again), outputs=(*graph.outputs, "again"))
    assert [n.op for n in fuse(both).nodes] == ["conv2d", "batch_norm", "relu", "conv2d"]


def test_an_output_between_is_given_as_it_was():
    graph = trace(brick(), X)
    both = replace(graph, outputs=(graph.nodes[0].name, *graph.outputs))
    torch.testing.assert_close(fuse(both).run(X), both.run(X), rtol=0, atol=0)


def test_one_activation_at_most_is_taken_in():
    x = Value("x", (1, 4))
    w = torch.ones(2, 4)
    product = node("p", "linear", [x, constant("w", w)])
    first = node("first", "relu", product.outputs)
    second = node("second", "tanh", first.outputs)
    fused = fuse(Graph((x,), {"w": w}, (product, first, second), ("second",)))
    assert [n.op for n in fused.nodes] == ["linear", "tanh"]


def test_a_norm_after_an_activation_stays():
    model = nn.Sequential(brick()[0], nn.ReLU(), brick()[1]).double().eval()
    assert [n.op for n in fuse(trace(model, X)).nodes] == ["conv2d", "batch_norm"]


def test_a_norm_on_rows_of_vectors_stays():
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(5)).double().eval()
    x = torch.zeros(2, 5, 3, dtype=torch.float64)
    assert [n.op for n in fuse(trace(model, x)).nodes] == ["linear", "batch_norm"]


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in ZOO if name not in WITHOUT_NORMS])
def test_the_zoo_in_float64(name):
    model, x = prepared(name)
    model, x = model.double(), x.double()
    graph = trace(model, x)
    fused = fuse(graph)
    (before,), (after,) = graph.run(x), fused.run(x)
    # 1e-10 of the largest output: rounding of float64 through at most 70 layers, whose random
    # norms may magnify it
    assert float((after - before).abs().max()) <= 1e-10 * float(before.abs().max())
    assert "batch_norm" not in {n.op for n in fused.nodes}
    assert_never_dearer(graph, fused)


@pytest.mark.slow
@pytest.mark.parametrize("name", WITHOUT_NORMS)
def test_where_there_is_no_norm_fusion_is_exact_in_float32(name):
    model, x = prepared(name)
    graph = trace(model, x)
    fused = fuse(graph)
    assert not {"relu", "batch_norm"} & {n.op for n in fused.nodes}
    torch.testing.assert_close(fused.run(x), graph.run(x), rtol=0, atol=0)
    assert_never_dearer(graph, fused)
