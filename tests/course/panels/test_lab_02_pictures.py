"""Masks and groups as pictures: every cell and every mark, against what is drawn."""

import pytest
import torch
from torch import nn

from efficientdl import models
from efficientdl.compression.pruning import channel_groups, masks_of, prune, prune_n_of_m
from efficientdl.compression.pruning.criteria import l2_norm
from efficientdl.course.panels import lab_02_pictures as pictures
from efficientdl.course.panels import lab_02_subject as subject
from efficientdl.course.panels.lab_02_curves import GRANULARITIES

EVERY = (*GRANULARITIES, pictures.N_OF_M, pictures.PATTERNS)
X = torch.zeros(1, 1, 28, 28)


@pytest.mark.slow
@pytest.mark.parametrize("granularity", EVERY)
def test_without_sparsity_everything_stays(granularity):
    assert bool(pictures.mask_of("conv3.conv", granularity, 0.0).all())


@pytest.mark.slow
@pytest.mark.parametrize("granularity", GRANULARITIES)
def test_mask_is_that_of_prune(granularity):
    options = {"criterion": l2_norm, "granularity": GRANULARITIES[granularity]}
    pruned = prune(subject.network(), X, sparsity={"conv2.conv": 0.75}, **options).model
    ours = pictures.mask_of("conv2.conv", granularity, 0.75)
    torch.testing.assert_close(ours, masks_of(pruned)["conv2.conv"])


@pytest.mark.slow
@pytest.mark.parametrize(("sparsity", "n"), [(0.3, 3), (0.5, 2), (0.8, 1)])
def test_n_of_m_is_that_of_prune_n_of_m(sparsity, n):
    pruned = prune_n_of_m(subject.network(), X, n={"conv2.conv": n}).model
    ours = pictures.mask_of("conv2.conv", pictures.N_OF_M, sparsity)
    torch.testing.assert_close(ours, masks_of(pruned)["conv2.conv"])


@pytest.mark.slow
@pytest.mark.parametrize(("sparsity", "kept"), [(0.45, 5), (0.55, 4), (0.9, 1)])
def test_patterns_are_six_and_keep_alike(sparsity, kept):
    kernels = pictures.mask_of("conv4.conv", pictures.PATTERNS, sparsity).flatten(0, 1)
    assert set(kernels.flatten(1).sum(dim=1).tolist()) == {kept}
    assert len(kernels.unique(dim=0)) == min(6, 70 if kept > 1 else 1)
    assert bool(kernels[:, 1, 1].all())


@pytest.mark.slow
@pytest.mark.parametrize("granularity", EVERY)
def test_picture_letters_and_sentence_are_the_mask(granularity):
    view = pictures.masks().set(granularity=granularity, sparsity=60)
    mask = pictures.mask_of("conv2.conv", granularity, 0.6)
    cells = view.figures[0].series[0].values
    assert len(cells) == 6 * 3
    assert len(cells[0]) == 8 * 3
    for i in range(6):
        for j in range(8):
            kernel = mask[i, j].tolist()
            drawn = [row[3 * j : 3 * j + 3] for row in cells[3 * i : 3 * i + 3]]
            assert [[value < 0.5 for value in row] for row in drawn] == kernel
            letters = view.tables[0].rows[i][1 + j].split()
            assert [[letter == "#" for letter in row] for row in letters] == kernel
    cut = sum(not kept for kept in mask.flatten().tolist())
    assert f"{cut:,} of 4,608 weights are cut" in view.text
    assert f"Accuracy {subject.percent(subject.accuracy({'conv2.conv': mask}))}" in view.text


@pytest.mark.slow
def test_every_control_of_the_masks_changes_the_view():
    panel = pictures.masks()
    for name, control in panel.controls.items():
        ends = [panel.set(**{name: end}) for end in control.extremes]
        assert str(ends[0]) != str(ends[1]), name
        panel.set(**{name: control.value})


def printed(found):
    lines = [(g.name, line) for g in found for line in str(g).splitlines()[1:]]
    return [(name, line.strip().removeprefix("-> ")) for name, line in lines]


def network():
    return nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 6, 1), nn.Flatten(),
        nn.Linear(6 * 9, 2),
    )  # fmt: skip


def test_table_is_the_printed_groups():
    model, x = network(), torch.zeros(1, 3, 5, 5)
    view = pictures.groups(model, x)
    found = channel_groups(model, x)
    assert [(row[0], row[2]) for row in view.tables[0].rows] == printed(found)
    assert {row[0]: row[1] for row in view.tables[0].rows} == {g.name: len(g) for g in found}


def test_marks_stand_where_groups_touch_layers():
    figure = pictures.groups(network(), torch.zeros(1, 3, 5, 5)).figures[0]
    marks = {
        (figure.y.categories[int(y)], figure.x.categories[int(x)], series.name): label
        for series in figure.series
        for x, y, label in zip(series.x, series.y, series.labels, strict=True)
    }
    assert marks == {
        ("0", "0", "out"): "8",
        ("0", "1", "batch norm"): "8",
        ("0", "3", "in"): "8",
        ("3", "3", "out"): "6",
        ("3", "5", "in"): "54",  # nine pixels of each of six channels
    }


@pytest.mark.slow
def test_large_networks_are_counted_by_role():
    model = models.skeleton("resnet50")
    x = models.example("resnet50", device="meta")
    figure = pictures.groups(model, x).figures[0]
    found = {g.name: g for g in channel_groups(model, x)}
    assert len(figure.y.categories) == 12
    for bars in figure.series:
        for name, value in zip(figure.y.categories, bars.values, strict=True):
            touched = {s.layer for s in found[name].slices if s.role == bars.name}
            assert value == len(touched)


def test_a_network_without_inner_channels_says_so():
    view = pictures.groups(nn.Linear(3, 2), torch.zeros(1, 3))
    assert view.text == "No channel of this network can go."


def test_what_is_no_model_is_refused():
    with pytest.raises(TypeError, match=r"channel_groups: model must be|parameter 'model'"):
        pictures.groups("resnet50", torch.zeros(1, 3))
