"""Zero a group, remove it: the output is the same. On every network there is."""

import io
from copy import deepcopy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from efficientdl import models
from efficientdl.compression.pruning.structure import (
    channel_groups,
    cut_exactly,
    load_smaller,
    remove_channels,
    zero_channels,
)
from efficientdl.costs.count import count
from efficientdl.models.layers import channel_shuffle
from tests.compression.pruning.structure.networks import (
    NETWORKS,
    Written,
    X,
    conv,
    gen,
    randomised,
)


def near(ours, theirs):
    """Sums of fewer terms round otherwise; 1e-5 of the largest is a hundred roundings."""
    largest = float(theirs.detach().abs().max())
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5 * largest)


def makers_zeroed(model, groups, gone):
    """Only what makes the channels is set to zero; the layers that read them are left alone."""
    masked = zero_channels(model, groups, gone)
    weights, before = dict(masked.named_parameters()), dict(model.named_parameters())
    made = {s.weight for g in groups for s in g.slices if not s.reads}
    with torch.no_grad():
        for g in groups:
            for s in g.slices:
                if s.reads and s.weight not in made:
                    weights[s.weight].copy_(before[s.weight])
    for g in groups:  # a layer that reads one group and makes another: put its columns back
        for s in g.slices:
            if s.reads and s.weight in made:
                restore(weights[s.weight], before[s.weight], groups, gone, s.weight)
    return masked


@torch.no_grad()
def restore(weight, before, groups, gone, name):
    weight.copy_(before)
    for g in groups:
        for s in g.slices:
            if s.weight == name and not s.reads:
                places = [p for unit in gone[g.name] for p in s.places[unit]]
                weight.movedim(s.axis, 0)[places] = 0


def every_other(groups):
    return {g.name: range(0, len(g) - 1, 2) for g in groups}


def check(model, x):
    groups = channel_groups(model, x)
    gone = every_other(groups)
    masked, smaller = zero_channels(model, groups, gone), remove_channels(model, groups, gone)
    with torch.no_grad():
        y = smaller(x)
        near(y, masked(x))
        near(y, makers_zeroed(model, groups, gone)(x))
        assert not torch.allclose(y, model(x), rtol=0, atol=1e-4 * float(y.abs().max()))
    before, after = count(model, x).total, count(smaller, x).total
    assert after.macs < before.macs
    assert after.params == sum(p.numel() for p in smaller.parameters()) < before.params
    return smaller


SMALL = [name for name in models.names() if models.resolution(name) == 28]
LARGE = [name for name in models.names() if models.resolution(name) != 28]
FIXED = {"alexnet": 227, "vgg16": 224}  # a linear layer behind the last map fixes its size


def drawn(name, batch=2):
    side = models.resolution(name) if name in SMALL else FIXED.get(name, 64)
    channels = models.example(name).shape[1]
    x = torch.randn(batch, channels, side, side, generator=gen(3))
    return randomised(models.build(name, seed=0)), x


@pytest.mark.parametrize("name", SMALL)
def test_small_networks_give_the_same_masked_and_cut(name):
    check(*drawn(name))


@pytest.mark.slow
@pytest.mark.parametrize("name", LARGE)
def test_the_zoo_gives_the_same_masked_and_cut(name):
    check(*drawn(name, batch=1))


@pytest.mark.parametrize("name", NETWORKS)
def test_every_way_of_tying_gives_the_same_masked_and_cut(name):
    model = randomised(NETWORKS[name][0])
    groups = channel_groups(model, X)
    for group in groups:  # each by itself, and each unit of it
        for unit in range(len(group)):
            gone = {group.name: [unit]}
            with torch.no_grad():
                cut, masked = (
                    remove_channels(model, groups, gone),
                    zero_channels(model, groups, gone),
                )
                near(cut(X), masked(X))


def test_nothing_gone_is_the_model_itself():
    model, x = drawn("small_cnn")
    torch.testing.assert_close(remove_channels(model, channel_groups(model, x), {})(x), model(x))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["small_cnn", "mobilenet_v2", "shufflenet_v1_150"])
def test_a_cut_network_saves_loads_copies_trains_and_exports(name):
    model, x = drawn(name)
    smaller = check(model, x)
    file = io.BytesIO()
    torch.save(smaller.state_dict(), file)
    file.seek(0)
    again = load_smaller(models.skeleton(name), torch.load(file, weights_only=True)).eval()
    assert str(again) == str(smaller)
    with torch.no_grad():
        y = smaller(x)
        torch.testing.assert_close(again(x), y, rtol=0, atol=0)
        torch.testing.assert_close(deepcopy(smaller)(x), y, rtol=0, atol=0)
        near(torch.export.export(smaller, (x,)).module()(x), y)
    trained = smaller.train()
    optimizer = torch.optim.SGD(trained.parameters(), lr=1e-3)
    trained(x).square().mean().backward()
    optimizer.step()
    assert all(p.grad is not None for p in trained.parameters())
    assert not torch.equal(trained.eval()(x), y)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning")  # torch's own, inside its export
def test_a_cut_network_goes_to_onnx():
    pytest.importorskip("onnxscript", reason="torch exports to ONNX by onnxscript")
    onnxruntime = pytest.importorskip("onnxruntime", reason="it runs what was exported")
    smaller = check(*drawn("mobilenet_v2"))
    x = drawn("mobilenet_v2")[1]
    program = torch.onnx.export(smaller, (x,), dynamo=True, verbose=False)
    session = onnxruntime.InferenceSession(program.model_proto.SerializeToString())
    (theirs,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
    near(torch.from_numpy(theirs), smaller(x).detach())


def test_stored_weights_must_be_those_of_a_smaller_network():
    model = nn.Sequential(conv(3, 6), conv(6, 2))
    weights = model.state_dict()
    with pytest.raises(ValueError, match=r"load_smaller: weight must be there, got '1\.bias'"):
        load_smaller(model, {k: v for k, v in weights.items() if k != "1.bias"})
    with pytest.raises(ValueError, match="must be one of the model's, got 'head'"):
        load_smaller(model, weights | {"head": X})
    with pytest.raises(ValueError, match=r"'1\.bias' must be a smaller one of \(2,\), got \(3,\)"):
        load_smaller(model, weights | {"1.bias": torch.zeros(3)})


@settings(deadline=None, max_examples=15)
@given(data=st.data())
@torch.no_grad()
def test_any_cut_network_is_read_back(data):
    name = data.draw(st.sampled_from(sorted(NETWORKS)))
    model = randomised(NETWORKS[name][0])
    groups = [group for group in channel_groups(model, X) if len(group) > 1]
    gone = {g.name: data.draw(st.sets(st.integers(1, len(g) - 1))) for g in groups}
    smaller = remove_channels(model, groups, gone)
    again = load_smaller(model, smaller.state_dict())
    assert str(again) == str(smaller)
    torch.testing.assert_close(again(X), smaller(X), rtol=0, atol=0)


def test_layers_say_the_sizes_that_they_have():
    model = nn.Sequential(
        conv(3, 6),
        nn.BatchNorm2d(6),
        nn.PReLU(6),
        conv(6, 6, 3, groups=6),
        nn.ConvTranspose2d(6, 4, 2),
        nn.Flatten(),
        nn.Linear(196, 3),
        nn.Linear(3, 2),
    )
    groups = channel_groups(model, X)
    smaller = remove_channels(model, groups, {"0": [0, 3], "4": [1], "6": [2]})
    ours = torch.nn.Sequential(
        conv(3, 4),
        nn.BatchNorm2d(4),
        nn.PReLU(4),
        conv(4, 4, 3, groups=4),
        nn.ConvTranspose2d(4, 3, 2),
        nn.Flatten(),
        nn.Linear(147, 2),
        nn.Linear(2, 2),
    )
    assert str(smaller) == str(ours)
    assert [p.shape for p in smaller.parameters()] == [p.shape for p in ours.parameters()]


def test_flags_and_ties_stay():
    model = NETWORKS["tied"][0]
    model[0].bias.requires_grad_(False)
    smaller = remove_channels(model, channel_groups(model, X), {"0": [2, 4]})
    assert smaller[2].weight is smaller[4].weight
    assert smaller[2].weight.shape == (4, 4, 1, 1)
    assert not smaller[0].bias.requires_grad
    assert smaller[0].weight.requires_grad


STEPS = {  # step: output from what came in and what the layer made of it, and its width
    "conv": (lambda y, z: z, 1),
    "depthwise": (lambda y, z: z, 1),
    "add": (lambda y, z: y + z, 1),
    "cat": (lambda y, z: torch.cat([y, z], dim=1), 2),
    "split": (lambda y, z: torch.mul(*z.chunk(2, dim=1)), 0.5),
    "shuffle": (lambda y, z: channel_shuffle(z, 2), 1),
}


def wired(steps):
    """A network of the steps, left out where the width would become odd or very large."""
    layers, width, wiring = {"stem": conv(3, 8)}, 8, []
    for i, step in enumerate(steps):
        join, factor = STEPS[step]
        if 4 <= width * factor <= 32:
            layers[f"layer{i}"] = conv(width, width, 3, groups=width if step == "depthwise" else 1)
            wiring.append((f"layer{i}", join))
            width = int(width * factor)

    def forward(m, x):
        y = m.stem(x)
        for name, join in wiring:
            y = join(y, getattr(m, name)(y).relu())
        return m.head(y)

    return Written(forward, **layers, head=conv(width, 2))


@settings(deadline=None, max_examples=40)
@given(steps=st.lists(st.sampled_from(list(STEPS)), max_size=6), seed=st.integers(0, 99))
@torch.no_grad()
def test_random_graphs_give_the_same_masked_and_cut(steps, seed):
    model = randomised(wired(steps), seed)
    groups = channel_groups(model, X)
    gone = every_other(groups)
    smaller = remove_channels(model, groups, gone)
    near(smaller(X), zero_channels(model, groups, gone)(X))
    for group in groups:
        for s in group.slices:
            name, _, own = s.weight.rpartition(".")
            assert getattr(smaller.get_submodule(name), own).shape[s.axis] > 0


def test_numbers_of_channels_written_down_are_found_out():
    fixed = Written(
        lambda m, x: m.head(m.stem(x).reshape(2, 6, 36).unflatten(2, (6, 6))),
        stem=conv(3, 6),
        head=conv(6, 2),
    )
    counted = Written(
        lambda m, x: m.head((y := m.stem(x)) * y.shape[1]), stem=conv(3, 8), head=conv(8, 2)
    )
    for model, rule in ((fixed, "it does not run"), (counted, "it computes something else")):
        groups = channel_groups(randomised(model), X)
        with pytest.raises(ValueError, match=f"f: model must not write .* behind 'stem'.* {rule}"):
            cut_exactly("f", model, groups, {"stem": [0]}, X)


def test_of_several_groups_the_guilty_one_is_named():
    model = Written(
        lambda m, x: m.head(m.middle(m.stem(x)).split(4, dim=1)[1]),
        stem=conv(3, 6),
        middle=conv(6, 8),
        head=conv(4, 2),
    )
    groups = channel_groups(randomised(model), X)
    assert [group.name for group in groups] == ["stem", "middle"]
    with pytest.raises(ValueError, match="numbers of channels down, as behind 'middle': once cut"):
        cut_exactly("f", model, groups, {"stem": [0], "middle": [0]}, X)
    assert cut_exactly("f", model, groups, {"stem": [0], "middle": []}, X).stem.out_channels == 5


def test_unknown_groups_and_units_are_refused():
    model, _ = NETWORKS["residual"]
    groups = channel_groups(model, X)
    with pytest.raises(ValueError, match="group must be one of stem, got 'stm'; did you mean"):
        remove_channels(model, groups, {"stm": [0]})
    with pytest.raises(ValueError, match=r"unit must be a whole number in \[0, 5\], got 6"):
        remove_channels(model, groups, {"stem": [6]})
