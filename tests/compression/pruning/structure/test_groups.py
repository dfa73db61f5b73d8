"""Groups of channels: counted by hand, printed, and refused where nothing is known."""

import pytest
import torch
from torch import nn

from efficientdl import models
from efficientdl.compression import quantize_weights
from efficientdl.compression.pruning import prune
from efficientdl.compression.pruning.structure import channel_groups, demand_groups, demand_values
from efficientdl.compression.pruning.structure.groups import Group, Slice
from tests.compression.pruning.structure.networks import NETWORKS, Written, X, conv, gen


@pytest.mark.parametrize("name", NETWORKS)
def test_units_are_as_many_as_counted_by_hand(name):
    model, units = NETWORKS[name]
    assert [len(group) for group in channel_groups(model, X)] == units


def test_a_group_prints_what_goes_together():
    model = nn.Sequential(
        conv(3, 4), nn.BatchNorm2d(4), conv(4, 4, 3, groups=4), nn.Flatten(), nn.Linear(144, 2)
    )
    (group,) = channel_groups(model, X)
    assert str(group).splitlines() == [
        "0: 4 units",
        "  0 out 0:4",
        "  -> 1 batch norm 0:4",
        "  -> 2 depthwise 0:4",
        "  -> 4 in 0:144 (36 for each unit)",
    ]


def test_long_lists_of_places_are_cut_short():
    places = tuple((10 * i,) for i in range(6))
    assert str(Slice("a", "a.weight", 0, "out", places)) == "a out 0:1, 10:11, ... 6 runs"
    assert len(Group("a", (Slice("a", "a.weight", 0, "out", places),))) == 6


def test_a_skeleton_on_the_meta_device_is_enough_to_look():
    on_meta = channel_groups(
        models.skeleton("squeezenet"), models.example("squeezenet", device="meta")
    )
    # by the paper's table: the stem, and squeeze, expand 1x1 and expand 3x3 of eight fire modules
    assert len(on_meta) == 1 + 3 * 8
    assert [len(g) for g in on_meta][:4] == [96, 16, 64, 64]


@pytest.mark.slow
def test_the_zoo_has_as_many_groups_as_its_papers_have_separate_layers():
    def count_of(name):
        x = torch.zeros(1, 3, 64, 64)
        return len(channel_groups(models.build(name, seed=0), x))

    assert count_of("mobilenet_v2") == 16 + 1 + 7 + 1  # expansions, stem, stages, last
    assert count_of("resnet50") == 2 * 16 + 1 + 4  # inside of 16 blocks, stem, trunks


def test_the_hidden_layer_of_a_transformer_can_go_and_its_trunk_cannot():
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    groups = channel_groups(layer, torch.randn(2, 5, 8, generator=gen(0)))
    assert [(g.name, len(g)) for g in groups] == [("linear1", 16)]


def test_masked_layers_lose_places_of_their_masks_too():
    masked = prune(nn.Sequential(conv(3, 4), conv(4, 2)), X, sparsity=0.5).model
    (group,) = channel_groups(masked, X)
    assert {s.weight for s in group.slices} == {
        "0.weight",
        "0.mask",
        "0.bias",
        "1.weight",
        "1.mask",
    }


def test_a_table_tied_to_a_classifier_is_one_group_of_columns():
    table, head = nn.Embedding(7, 4), nn.Linear(4, 7, bias=False)
    head.weight = table.weight
    model = nn.Sequential(table, nn.Linear(4, 4), head)
    groups = channel_groups(model, torch.tensor([[1, 2]]))
    assert [len(g) for g in groups] == [4]
    assert {s.weight for s in groups[0].slices} == {"0.weight", "1.weight", "1.bias"}


@pytest.mark.parametrize(
    "norm",
    [
        nn.LayerNorm([6, 6, 6]),
        nn.GroupNorm(1, 6),
        nn.GroupNorm(2, 6, affine=False),
        nn.InstanceNorm2d(6, affine=True),
        nn.LocalResponseNorm(3),
        nn.Softmax(dim=1),
    ],
    ids=["layer", "one group", "no scale", "instance", "response", "softmax"],
)
def test_what_mixes_channels_keeps_them(norm):
    assert channel_groups(nn.Sequential(conv(3, 6), norm, conv(6, 2)), X) == []


def test_an_operation_without_a_rule_names_its_module():
    rolled = Written(lambda m, x: m.stem(x).roll(1, 1), stem=conv(3, 6))
    model = nn.Sequential(rolled, conv(6, 2))
    with pytest.raises(ValueError, match=r"put channels through roll.*in the module, got '0'"):
        channel_groups(model, X)
    indexed = Written(lambda m, x: m.stem(x)[:, [1, 0, 2]], stem=conv(3, 3))
    with pytest.raises(ValueError, match=r"channels through index, which has no rule.*'0'"):
        channel_groups(nn.Sequential(indexed, conv(3, 2)), X)


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
def test_recurrent_layers_stay_whole_and_so_does_what_they_read(kind):
    class Last(nn.Module):
        def forward(self, given):
            return given[0][:, -1]

    model = nn.Sequential(
        nn.Linear(3, 4), kind(4, 5, batch_first=True), Last(), nn.Linear(5, 6), nn.Linear(6, 2)
    )
    groups = channel_groups(model, torch.randn(2, 7, 3, generator=gen(0)))
    assert [(group.name, len(group)) for group in groups] == [("3", 6)]


def test_a_path_that_values_choose_names_its_module():
    """Another input would take the other path, through layers that one run does not see."""
    by_truth = Written(
        lambda m, x: m.left(y) if (y := m.stem(x)).mean() > 0 else m.right(y),
        stem=conv(3, 6),
        left=conv(6, 2),
        right=conv(6, 2),
    )
    by_number = Written(
        lambda m, x: m.stem(x)[:, : 1 + int(x.abs().sum().item() > 0)], stem=conv(3, 6)
    )
    for chooses in (by_truth, by_number):
        with pytest.raises(ValueError, match=r"must not let values of its input decide.*got '1'"):
            channel_groups(nn.Sequential(conv(3, 3), chooses), X)


def test_a_path_that_the_weights_choose_is_followed():
    model = Written(
        lambda m, x: m.left(y) if (y := m.stem(x)) is not None and m.left.bias.sum() < 1e9 else y,
        stem=conv(3, 6),
        left=conv(6, 2),
    )
    assert [len(group) for group in channel_groups(model, X)] == [6]


def test_an_output_that_holds_no_tensor_is_refused():
    model = Written(lambda m, x: {"y"} if m.stem(x) is not None else None, stem=conv(3, 6))
    with pytest.raises(ValueError, match=r"model must give tensors out, or a tuple.*got 'set'"):
        channel_groups(model, X)


def test_bad_models_are_refused():
    with pytest.raises(TypeError, match=r"model must be a Module|'model'"):
        channel_groups(None, X)
    with pytest.raises(ValueError, match="f: model must have channels that can go"):
        demand_groups("f", nn.ReLU(), X)
    with pytest.raises(ValueError, match="must not be quantized yet"):
        channel_groups(quantize_weights(conv(3, 2), X, bits=4).model, X)
    with pytest.raises(ValueError, match="f: model must have channels that can go"):
        demand_groups("f", conv(3, 2), X)
    broken = conv(3, 2)
    broken.bias.data[1] = float("nan")
    with pytest.raises(
        ValueError, match=r"f: model must have finite weights: those of 'bias'.*nan"
    ):
        demand_values("f", broken)
    with pytest.raises(ValueError, match="meta device"):
        demand_values("f", conv(3, 2).to("meta"))
