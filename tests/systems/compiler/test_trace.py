"""From a network to its graph: bit by bit what torch computes, on every network of the zoo."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from efficientdl import models
from efficientdl.costs.count import count
from efficientdl.systems.compiler.graph import check
from efficientdl.systems.compiler.trace import trace
from tests.promises.state import global_generators_untouched

LARGE = ("alexnet", "vgg16", "resnet50")


def prepared(name):
    """A network with norms that do something, and a picture."""
    generator = torch.Generator().manual_seed(0)
    model = models.build(name, seed=0)
    for norm in (m for m in model.modules() if isinstance(m, nn.BatchNorm2d)):
        for tensor, low, high in (
            (norm.weight, 0.5, 1.5),
            (norm.bias, -1, 1),
            (norm.running_mean, -1, 1),
            (norm.running_var, 0.5, 2),
        ):
            tensor.data.uniform_(low, high, generator=generator)
    return model, torch.randn(models.example(name).shape, generator=generator)


def agree(model, x):
    graph = trace(model, x)
    model.eval()
    with torch.no_grad():
        expected = model(*x) if isinstance(x, tuple) else model(x)
    given = x if isinstance(x, tuple) else (x,)
    expected = list(expected) if isinstance(expected, tuple) else [expected]
    torch.testing.assert_close(graph.run(*given), expected, rtol=0, atol=0)
    return graph


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(n, marks=[pytest.mark.slow] * (n in models.names()[:12]))
        for n in models.names()
    ],
)
def test_every_network_of_the_zoo_to_the_bit(name):
    agree(*prepared(name))


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(n, marks=[pytest.mark.slow] * (n in models.names()[:12]))
        for n in models.names()
    ],
)
def test_an_outline_counts_as_much_as_its_network(name):
    model, x = models.skeleton(name), models.example(name, device="meta")
    graph, counted = trace(model, x), count(model, x).total
    statistics = sum(b.numel() for n, b in model.named_buffers() if "running" in n)
    cost = graph.cost()
    assert cost.macs == counted.macs
    assert cost.params == counted.params + statistics  # which a graph holds as constants, too


class Everything(nn.Module):
    """Operations by name, by method, by number and in place."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 3, padding="same")
        self.norm = nn.BatchNorm2d(4)
        self.relu = nn.ReLU(inplace=True)
        self.bare = nn.BatchNorm2d(4, affine=False)
        self.drop = nn.Dropout(0.5, inplace=True)
        self.layer = nn.LayerNorm(5, elementwise_affine=False)
        self.fc = nn.Linear(5, 3, bias=False)

    def forward(self, x, other):
        y = self.relu(self.norm(self.conv(x)))
        y += other
        y.mul_(2)
        a, b = self.bare(self.drop(y)).split(2, 1)
        y = torch.cat([a.sigmoid() + 1, F.softmax(b, -1)], dim=-3)
        y = F.pad(y, (1, 0, 0, 1))[:, 1:, :-1, 1:]
        y = F.avg_pool2d(F.max_pool2d(y, 2, 1, ceil_mode=True), (1, 2), stride=1)
        y = F.adaptive_avg_pool2d(y, (5, 3)).transpose(-1, -2).mean(1)
        return self.fc(self.layer(y)) @ self.fc.weight, F.gelu(y).unsqueeze(0).squeeze(0).flatten()


def test_whatever_a_network_does_in_the_closed_set():
    generator = torch.Generator().manual_seed(0)
    x = tuple(torch.randn(1, 4, 6, 6, generator=generator) for _ in range(2))
    graph = agree(Everything(), x)
    assert [value.name for value in graph.inputs] == ["x0", "x1"]


def test_a_value_written_over_through_a_view_is_followed():
    class Writes(nn.Module):
        def forward(self, x):
            y = x * 2
            torch.relu_(y.view(-1))
            return y + 1

    agree(Writes(), torch.tensor([[-1.0, 2.0]]))


def test_the_model_is_left_alone():
    model = models.build("small_cnn", seed=0)
    model.conv1.eval()
    modes = [m.training for m in model.modules()]
    state = {name: t.clone() for name, t in model.state_dict().items()}
    with global_generators_untouched():
        graph = trace(model, models.example("small_cnn"))
    assert [m.training for m in model.modules()] == modes
    torch.testing.assert_close(dict(model.state_dict()), state, rtol=0, atol=0)
    weight = graph.constants["conv1.conv.weight"]
    assert weight.data_ptr() == model.conv1.conv.weight.data_ptr()  # not a copy
    assert not weight.requires_grad


def test_names_are_those_of_the_layers():
    graph = trace(models.skeleton("squeezenet"), models.example("squeezenet", device="meta"))
    names = [n.name for n in graph.nodes]
    assert names[:3] == ["conv1.conv", "conv1.activation", "pool1"]
    assert "fire2.concat" in names
    check(graph)


class Step(nn.Module):
    def __init__(self, forward):
        super().__init__()
        self.register_buffer("count", torch.zeros(1))
        self.step = forward

    def forward(self, x):
        return self.step(self, x)


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (lambda _, x: x.cumsum(1), "trace: operation must be one of .*, got 'cumsum'"),
        (lambda m, x: m.count.add_(1) + x, "must not write into its inputs or buffers"),
        (lambda _, x: (x.relu(), 3), "trace: model must give tensors"),
        (lambda _, x: x @ torch.ones(7, 7), "trace: model must run"),
        (lambda _, x: F.hardtanh(x), "trace: hardtanh must be from 0 to 6"),
        (lambda _, x: F.gelu(x, approximate="tanh"), "trace: gelu must be exact"),
        (lambda _, x: torch.add(x, x, alpha=2), "trace: alpha of add must be 1"),
        (lambda _, x: x[:, ::2], "trace: step of slice must be 1"),
        (lambda _, x: F.pad(x, (1, 1), mode="reflect"), "trace: "),
        (lambda _, x: F.instance_norm(x[None, None]), "trace: "),
    ],
)
def test_what_is_not_in_the_closed_set_is_refused(step, message):
    with pytest.raises(ValueError, match=message):
        trace(Step(step), torch.ones(2, 3))


def test_a_norm_without_statistics_is_refused():
    with pytest.raises(ValueError, match="trace: batch norm must have running statistics"):
        trace(nn.BatchNorm2d(3, track_running_stats=False), torch.ones(1, 3, 2, 2))


def test_a_model_and_a_tensor_are_demanded():
    with pytest.raises(TypeError, match=r"trace: model must be a Module|Type-check error"):
        trace(3, torch.ones(1))
    with pytest.raises(TypeError, match=r"trace: x must be a Tensor or tuple|Type-check error"):
        trace(nn.ReLU(), [1.0])
