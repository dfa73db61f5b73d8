"""A network in onnxruntime gives what it gives in torch, however it was compressed."""

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from efficientdl import catalogue, models
from efficientdl._check import BadKind, BadValue
from efficientdl.catalogue import Compressor
from efficientdl.compression import factorize_svd, prune, prune_channels, quantize_weights
from efficientdl.models import seeded
from efficientdl.models.layers import Inception, InceptionWidths, InvertedResidual, ShuffleUnitV2
from efficientdl.models.layers.masked import MaskedConv2d
from efficientdl.systems.compiler.accelerate import accelerate
from efficientdl.systems.compiler.export import export_graph, export_onnx, run_onnx
from efficientdl.systems.compiler.graph import Graph, Value, node
from efficientdl.systems.compiler.passes import fuse
from efficientdl.systems.compiler.trace import trace
from efficientdl.tensors import PerTensor
from tests.promises.compressor import compressed, small_network


def assert_agrees(model, x, *, relative=1e-5):
    """Float32 sums in another order: to a part of the largest score, `relative`."""
    file = export_onnx(model, x)
    (ours,), expected = run_onnx(file, x), model.eval()(x).detach()
    torch.testing.assert_close(ours, expected, rtol=0, atol=relative * float(expected.abs().max()))
    return file


def test_the_identity_a_network_as_it_is():
    model, x = small_network()
    file = onnx.load_from_string(assert_agrees(model, x))
    held = {t.name: onnx.numpy_helper.to_array(t) for t in file.graph.initializer}
    for name, tensor in model.state_dict().items():
        if "num_batches" not in name:
            np.testing.assert_array_equal(held[name], tensor.numpy())


# Each rounds by sums of a few dozen terms, in five layers.
FLOAT = [
    "prune-fine-grained",
    "prune-channel",
    "prune-block",
    "prune-pattern",
    "prune-data-free",
    "lowrank-svd",
    "lowrank-channel",
    "lowrank-tucker",
    "quant-linear",
    "quant-fp16",
    "quant-kmeans",
    "quant-product",
    "quant-ternary",
    "quant-ttq",
]


@pytest.mark.parametrize("name", FLOAT)
def test_what_a_technique_made_smaller(name):
    technique = catalogue.load()[name]
    assert isinstance(technique.kind, Compressor)
    (model, _), x = compressed(technique)
    assert_agrees(model, x)


def wide():
    """Weights that are nearly all of the file: 256 KiB of them."""
    make = lambda: nn.Sequential(nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, 256))  # noqa: E731
    return seeded(make, seed=0), torch.randn(2, 256, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("bits", "times"), [(8, 4), (4, 8)])
def test_codes_make_the_file_as_many_times_smaller(bits, times):
    model, x = wide()
    before = len(export_onnx(model, x))
    small, _ = quantize_weights(model, x, bits=bits, granularity=PerTensor())
    after = len(assert_agrees(small, x))
    assert before / after > 0.9 * times  # biases, names and nodes take the rest


def test_channels_and_ranks_that_went_are_not_in_the_file():
    model, x = small_network()
    small, _ = prune_channels(model, x, sparsity=0.5)
    n_params = sum(p.numel() for p in small.parameters())
    file = onnx.load_from_string(assert_agrees(small, x))
    sizes = {t.name: int(np.prod(t.dims)) for t in file.graph.initializer}
    assert sum(sizes[name] for name, _ in small.named_parameters()) == n_params
    model, x = wide()
    low, _ = factorize_svd(model, x, rank=8)
    assert len(assert_agrees(low, x)) < len(export_onnx(model, x)) / 8


def test_masked_weights_are_zeros_in_the_file():
    model, x = small_network()
    small, _ = prune(model, x, sparsity=0.7)
    file = onnx.load_from_string(export_onnx(small, x))
    held = {t.name: onnx.numpy_helper.to_array(t) for t in file.graph.initializer}
    for name, module in small.named_modules():
        if hasattr(module, "mask"):
            np.testing.assert_array_equal(held[f"{name}.weight"] == 0, ~module.mask.numpy())


def test_a_mask_counts_though_the_weight_under_it_is_not_zero():
    dense = seeded(lambda: nn.Conv2d(2, 3, 3), seed=0)
    keep = torch.arange(54).reshape(3, 2, 3, 3) % 2 == 0
    masked = MaskedConv2d(dense, keep)
    x = torch.randn(1, 2, 5, 5, generator=torch.Generator().manual_seed(0))
    assert bool((masked.weight[~keep] != 0).all())
    assert_agrees(nn.Sequential(masked), x)


def test_half_precision_all_the_way():
    model, x = small_network()
    model, x = model.half(), x.half()
    (ours,) = run_onnx(export_onnx(model, x), x)
    assert ours.dtype == torch.float16
    # eleven bits of mantissa, rounded after each of five layers
    expected = model.float()(x.float()).detach()
    torch.testing.assert_close(
        ours.float(), expected, rtol=0, atol=5e-3 * float(expected.abs().max())
    )


def test_a_graph_after_its_passes():
    model, x = small_network()
    graph = fuse(trace(model, x))
    file = export_graph(graph)
    assert "BatchNormalization" not in {n.op_type for n in onnx.load_from_string(file).graph.node}
    torch.testing.assert_close(run_onnx(file, x), graph.run(x), rtol=1e-5, atol=1e-6)


def test_a_layer_in_two_places_is_stored_once():
    layer = seeded(lambda: nn.Linear(128, 128), seed=0)
    x = torch.randn(1, 128, generator=torch.Generator().manual_seed(0))
    twice = nn.Sequential(layer, nn.ReLU(), layer)
    small, _ = quantize_weights(nn.Sequential(layer), x, bits=8)
    coded = nn.Sequential(small[0], nn.ReLU(), small[0])
    once = len(export_onnx(nn.Sequential(layer), x))
    assert len(assert_agrees(twice, x)) < 1.1 * once
    assert len(assert_agrees(coded, x)) < once / 3


class TwoInputs(nn.Module):
    def forward(self, a, b):
        return a + b, torch.relu(a)


def test_several_inputs_and_outputs():
    a, b = torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(0))
    model = TwoInputs()
    torch.testing.assert_close(run_onnx(export_onnx(model, (a, b)), a, b), list(model(a, b)))


def test_it_writes_where_it_is_told_to(tmp_path):
    model, x = small_network()
    path = tmp_path / "small.onnx"
    assert export_onnx(model, x, path) == path.read_bytes() == export_onnx(model, x)


BLOCKS = {
    "inception": (lambda: Inception(8, InceptionWidths(4, 3, 5, 2, 3, 4)), 8),
    "shuffle": (lambda: ShuffleUnitV2(8, 8, stride=1), 8),
    "inverted": (lambda: InvertedResidual(8, 8, hidden=24, stride=1), 8),
}


@pytest.mark.parametrize("name", BLOCKS)
def test_blocks_of_the_zoo(name):
    make, channels = BLOCKS[name]
    x = torch.randn(2, channels, 9, 9, generator=torch.Generator().manual_seed(0))
    assert_agrees(seeded(make, seed=0).eval(), x)


@pytest.mark.parametrize("name", ["small_cnn", "lenet_5", "inverted_w4_d1_late"])
def test_small_networks_of_the_zoo(name):
    assert_agrees(models.build(name, seed=0).eval(), models.example(name))


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "squeezenet",
        "googlenet",
        "resnet50",
        "mobilenet_v1",
        "mobilenet_v2",
        "mobilenet_v3_large",
        "shufflenet_v1_150",
        "shufflenet_v2_150",
        "efficientnet_lite0",
    ],
)
def test_large_networks_of_the_zoo(name):
    shape = models.example(name).shape
    x = torch.rand(1, *shape[1:], generator=torch.Generator().manual_seed(0))
    # fifty layers and more, each of which rounds sums of up to some thousand terms
    assert_agrees(models.build(name, seed=0).eval(), x, relative=1e-4)


class DataDependent(nn.Module):
    def forward(self, x):
        return x[x > 0]


def sparse():
    model, x = small_network()
    return accelerate(prune(model, x, sparsity=0.5).model), x


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: (DataDependent(), torch.ones(3)), "trace: "),
        (lambda: (nn.ELU(), torch.ones(3)), "trace: operation must be one of"),
        (lambda: (nn.ReLU(), torch.ones(3).double()), "x must be float32 or float16"),
        (lambda: (nn.ReLU(), torch.ones(3).long()), "x must be float32 or float16"),
        (
            lambda: (nn.Linear(3, 3, device="meta"), torch.ones(3, device="meta")),
            "export_onnx: model must hold numbers, on the CPU, got 'meta'",
        ),
        (sparse, "export_onnx: model must be exported before `accelerate`"),
    ],
)
def test_what_has_no_file_is_refused(make, message):
    with torch.random.fork_rng(devices=[]):
        model, x = make()
    with pytest.raises(BadValue, match=message):
        export_onnx(model, x)


def test_graphs_of_other_numbers_are_refused():
    x = Value("x", (1, 4), torch.float64)
    graph = Graph((x,), {}, (node("y", "relu", [x]),), ("y",))
    with pytest.raises(BadValue, match="values of the graph must all be float32 or all float16"):
        export_graph(graph)


def test_what_the_model_raises_is_its_own():
    model, _ = small_network()
    with pytest.raises(RuntimeError, match="channels"):
        export_onnx(model, torch.ones(1, 3, 8, 8))


def test_other_kinds_are_refused():
    with pytest.raises(BadKind, match="export_onnx: path must be a str or Path"):
        export_onnx(nn.ReLU(), torch.ones(3), path=3)
    with pytest.raises(BadKind, match="export_graph: graph must be a Graph, got 3"):
        export_graph(3)
