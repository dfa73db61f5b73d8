import subprocess
import sys
from collections import Counter

import pytest
import torch
from torch import nn

from efficientdl.catalogue import catalogue
from efficientdl.models import build, example, names, resolution, skeleton
from efficientdl.models.registry import TABLE_1
from tests.models.tracing import traced

TABLE = list(TABLE_1)

# Where the paper has dropout: how many layers of it, and the share that they drop.
DROPOUT = {
    "alexnet": [0.5, 0.5],
    "vgg16": [0.5, 0.5],
    "googlenet": [0.4],
    "squeezenet": [0.5],
    "mobilenet_v3_large": [0.2],
}


def test_the_table_has_the_surveys_networks():
    assert TABLE == [
        "alexnet",
        "googlenet",
        "vgg16",
        "resnet50",
        "squeezenet",
        "mobilenet_v1",
        "mobilenet_v2",
        "mobilenet_v2_140",
        "mobilenet_v3_large",
        "shufflenet_v1_150",
        "shufflenet_v2_150",
        "shufflenet_v2_200",
    ]
    assert names()[: len(TABLE)] == TABLE


@pytest.mark.parametrize("name", names())
def test_a_skeleton_takes_its_example_and_holds_no_memory(name):
    model, x = skeleton(name), example(name, batch=3, device="meta")
    assert all(t.is_meta for t in model.state_dict().values())
    assert model.training
    assert x.shape[2:] == (resolution(name), resolution(name))
    assert model(x).shape == (3, 10 if resolution(name) == 28 else 1000)


@pytest.mark.parametrize("name", names())
def test_the_number_of_classes_is_that_of_the_answer(name):
    assert skeleton(name, classes=7)(example(name, device="meta")).shape == (1, 7)


@pytest.mark.parametrize("name", TABLE)
def test_a_network_can_be_traced(name):
    graph = traced(skeleton(name))
    assert graph(example(name, device="meta")).shape == (1, 1000)
    called = {str(node.target) for node in graph.graph.nodes if node.op == "call_module"}
    leaves = {n for n, m in skeleton(name).named_modules() if not list(m.children())}
    assert called == leaves, "every layer is a node of its own"


@pytest.mark.parametrize("name", ["mobilenet_v3_large", "shufflenet_v1_150", "shufflenet_v2_150"])
def test_a_traced_network_gives_the_same_answer(name):
    model = build(name, seed=0, classes=10).eval()
    x = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(traced(model)(x), model(x), rtol=0, atol=0)


@pytest.mark.parametrize("name", TABLE)
def test_every_layer_runs_exactly_once_and_changes_nothing_in_place(name):
    model, calls = skeleton(name), Counter()
    for path, module in model.named_modules():
        if not list(module.children()):
            module.register_forward_hook(lambda m, x, y, path=path: calls.update([path]))
            assert not getattr(module, "inplace", False), path
    model(example(name, device="meta"))
    leaves = [path for path, m in model.named_modules() if not list(m.children())]
    assert calls == Counter(leaves)


@pytest.mark.parametrize("name", TABLE)
def test_dropout_is_where_the_paper_has_it(name):
    found = [m.p for m in skeleton(name).modules() if isinstance(m, nn.Dropout)]
    assert found == DROPOUT.get(name, [])


@pytest.mark.parametrize("name", ["squeezenet", "shufflenet_v2_150", "mobilenet_v2"])
def test_a_seed_replays_and_another_differs(name):
    state = torch.get_rng_state()
    first, again, other = (build(name, seed=seed).state_dict() for seed in (5, 5, 6))
    torch.testing.assert_close(first, again, rtol=0, atol=0)
    assert not torch.equal(next(iter(first.values())), next(iter(other.values())))
    torch.testing.assert_close(torch.get_rng_state(), state, rtol=0, atol=0)


def test_the_number_of_classes_changes_the_last_layer_alone():
    many, few = (build("squeezenet", seed=0, classes=c).state_dict() for c in (1000, 10))
    last = {"conv10.conv.weight", "conv10.conv.bias"}
    assert {k for k in many if many[k].shape != few[k].shape} == last
    backbone = [{k: v for k, v in s.items() if k not in last} for s in (many, few)]
    torch.testing.assert_close(*backbone, rtol=0, atol=0)


def test_a_built_network_trains():
    model = build("shufflenet_v2_150", seed=0, classes=3)
    assert model.training
    x = torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    nn.functional.cross_entropy(model(x), torch.tensor([0, 1, 2, 0])).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


def test_resolutions_are_those_of_the_catalogue():
    variants = {"arch-mobilenet-v2": ["", "_140"], "arch-shufflenet-v2": ["_150", "_200"]}
    variants |= {"arch-mobilenet-v3": ["_large"], "arch-shufflenet-v1": ["_150"]}
    listed = [t for i, t in catalogue.items() if i.startswith("arch-") and "networks." in t.symbol]
    found = {}
    for technique in listed:
        for variant in variants.get(technique.id, [""]):
            name = technique.id.removeprefix("arch-").replace("-", "_") + variant
            found[name] = technique.kind.resolution
    assert {name: found[name] for name in TABLE} == {name: resolution(name) for name in TABLE}


def test_an_example_is_zeros_of_the_right_shape():
    torch.testing.assert_close(example("alexnet", batch=2), torch.zeros(2, 3, 227, 227))


def test_an_unknown_name_suggests_the_nearest():
    for call in (resolution, skeleton, example, lambda name: build(name, seed=0)):
        with pytest.raises(ValueError, match="got 'resnet5'; did you mean 'resnet50'"):
            call("resnet5")


def test_bad_numbers_are_named():
    with pytest.raises(ValueError, match="build: classes must be a whole number, 1 or more, got 0"):
        build("resnet50", seed=0, classes=0)
    with pytest.raises(ValueError, match="skeleton: classes must be a whole number, 1 or more"):
        skeleton("resnet50", classes=-3)
    with pytest.raises(ValueError, match="build: seed must be a whole number"):
        build("resnet50", seed=-1)
    with pytest.raises(ValueError, match="example: batch must be a whole number, 1 or more"):
        example("resnet50", batch=0)
    with pytest.raises(TypeError, match="classes"):  # said by the shape checker where that is on
        build("resnet50", seed=0, classes=2.5)


@pytest.mark.slow
def test_importing_the_zoo_loads_torch_and_nothing_else_that_is_heavy():
    heavy = ["IPython", "ipywidgets", "numba", "pandas", "plotly", "scipy", "skimage", "sklearn"]
    code = f"import sys, efficientdl.models; print([m for m in {heavy} if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert out.stdout.strip() == "[]"
