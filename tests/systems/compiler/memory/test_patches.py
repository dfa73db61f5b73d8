"""Patch by patch: the same outputs in less memory, for as many more MACs as are counted."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from efficientdl import models
from efficientdl._check import BadKind, BadValue
from efficientdl.systems.compiler.graph import Value
from efficientdl.systems.compiler.memory.arena import run_in_arena
from efficientdl.systems.compiler.memory.in_place import in_place
from efficientdl.systems.compiler.memory.patches import grid, patch_by_patch, recomputed
from efficientdl.systems.compiler.memory.plan import check_plan
from efficientdl.systems.compiler.memory.planner import plan_memory
from efficientdl.systems.compiler.memory.program import (
    lifetimes_of,
    program_of,
    with_inputs_outside,
)
from efficientdl.systems.compiler.trace import trace
from tests.systems.compiler.memory.programs import Residual, local_networks, seeded

CLOSE = {"rtol": 1e-9, "atol": 1e-9}  # float64; torch may sum a part in another order


def in_arena(program, x):
    (y,) = run_in_arena(program, plan_memory(lifetimes_of(program)), x)
    return y


def network():
    layers = (
        nn.Conv2d(2, 8, 3, padding=1),
        nn.ReLU(),
        Residual(8),
        nn.Conv2d(8, 8, 3, 2, 1, groups=8),
        nn.BatchNorm2d(8),
        nn.MaxPool2d(3, 2, 1, ceil_mode=True),
        nn.Conv2d(8, 3, 1),
        nn.Flatten(),
        nn.Linear(60, 4),
    )
    return nn.Sequential(*layers).double().eval(), torch.randn(2, 2, 17, 14, dtype=torch.float64)


MODEL, X = seeded(network)
GRAPH = trace(MODEL, X)


def test_the_identity_one_patch_is_layer_by_layer():
    plain, ours = program_of(GRAPH), patch_by_patch(GRAPH, until="5", rows=1, cols=1)
    assert ours.cost() == plain.cost()
    torch.testing.assert_close(in_arena(ours, X), MODEL(X).detach(), **CLOSE)


@pytest.mark.parametrize("until", ["2.relu_2", "3", "5", "6"])
@pytest.mark.parametrize(("rows", "cols"), [(2, 1), (1, 3), (3, 2), (4, 4)])
def test_patches_give_the_same_outputs_plain_and_in_place(until, rows, cols):
    ours = patch_by_patch(GRAPH, until=until, rows=rows, cols=cols)
    for program in (ours, in_place(ours)):
        torch.testing.assert_close(in_arena(program, X), MODEL(X).detach(), **CLOSE)
    assert in_place(ours).cost().activation_bytes <= ours.cost().activation_bytes


@settings(max_examples=15, deadline=None)
@given(case=local_networks(), data=st.data())
def test_any_local_network_in_any_grid(case, data):
    model, x = case
    graph = trace(model, x)
    h, w = graph.values()[graph.outputs[0]].shape[2:]
    rows, cols = data.draw(st.integers(1, min(h, 4))), data.draw(st.integers(1, min(w, 4)))
    ours = patch_by_patch(graph, until=graph.outputs[0], rows=rows, cols=cols)
    for program in (ours, in_place(ours)):
        plan = plan_memory(lifetimes_of(program), max_nodes=100)
        check_plan(plan)
        (y,) = run_in_arena(program, plan, x)
        torch.testing.assert_close(y, model(x).detach(), **CLOSE)


def pixels_computed(layers, side, patches):
    """Output pixels of each layer, all patches together, by asking pixel by pixel what is needed.

    Args:
        layers: (kernel, stride, padding) of each, on a square picture.
    """
    sides = [side]
    for r, s, p in layers:
        sides.append((sides[-1] + 2 * p - r) // s + 1)
    counts = [0] * len(layers)
    for box in grid(Value("y", (1, 1, sides[-1], sides[-1])), patches, patches):
        wanted = {(i, j) for i in range(*box.rows) for j in range(*box.cols)}
        for at in reversed(range(len(layers))):
            counts[at] += len(wanted)
            r, s, p = layers[at]
            wanted = {
                (i * s - p + di, j * s - p + dj)
                for i, j in wanted
                for di in range(r)
                for dj in range(r)
                if 0 <= i * s - p + di < sides[at] and 0 <= j * s - p + dj < sides[at]
            }
    return counts


@pytest.mark.parametrize("patches", [1, 2, 3])
@pytest.mark.parametrize(
    "layers",
    [
        [(3, 1, 1)],
        [(3, 1, 1), (3, 1, 1)],
        [(3, 2, 1), (3, 1, 1), (1, 1, 0)],
        [(5, 1, 2), (3, 2, 1), (3, 1, 0)],
    ],
)
def test_the_macs_are_those_of_the_pixels_that_the_patches_need(layers, patches):
    convs = [nn.Conv2d(1, 1, r, s, p, bias=False) for r, s, p in layers]
    graph = trace(nn.Sequential(*convs), torch.zeros(1, 1, 16, 16))
    ours = patch_by_patch(graph, until=graph.outputs[0], rows=patches, cols=patches)
    counts = pixels_computed(layers, 16, patches)
    # A patch asks for a box, and with a kernel no smaller than the stride every pixel is needed.
    assert ours.cost().macs == sum(n * r * r for n, (r, _, _) in zip(counts, layers, strict=True))
    extra = recomputed(ours, program_of(graph))
    assert extra >= 0
    assert (extra > 0) == (patches > 1 and len(layers) > 1)


@settings(max_examples=60, deadline=None)
@given(h=st.integers(1, 30), w=st.integers(1, 30), data=st.data())
def test_a_grid_covers_the_picture_once_with_patches_as_equal_as_can_be(h, w, data):
    rows, cols = data.draw(st.integers(1, h)), data.draw(st.integers(1, w))
    boxes = grid(Value("y", (1, 1, h, w)), rows, cols)
    pixels = [(i, j) for box in boxes for i in range(*box.rows) for j in range(*box.cols)]
    assert sorted(pixels) == [(i, j) for i in range(h) for j in range(w)]
    assert len(boxes) == rows * cols
    for sizes in zip(*(box.size for box in boxes), strict=True):
        assert max(sizes) - min(sizes) <= 1


@pytest.mark.slow
def test_mobilenet_v2_in_four_by_four_patches():
    # MCUNetV2, Figure 1, cuts the first blocks of MobileNetV2 into 4 x 4 patches.
    model = models.build("mobilenet_v2", seed=0).eval()
    x = torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    graph = trace(model, x)
    plain = in_place(program_of(graph))
    ours = patch_by_patch(graph, until="stage3.0.project.norm", rows=4, cols=4)
    ours = with_inputs_outside(in_place(ours))
    # What is left is at the next block: a residual of 32 channels, 192 widened ones, 32 made.
    assert ours.cost().activation_bytes == (32 + 192 + 32) * 28 * 28 * 4
    assert plain.cost().activation_bytes == 7 * ours.cost().activation_bytes
    assert 0.05 < recomputed(ours, plain) < 0.15
    with torch.no_grad():
        # float32, 52 convolutions deep, sums in another order
        torch.testing.assert_close(in_arena(ours, x), model(x), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"until": "nope"}, "patch_by_patch: until must be one of .*, got 'nope'"),
        ({"until": "8"}, r"patch_by_patch: until must be a picture, n c h w, got \(2, 4\)"),
        ({"rows": 0}, r"patch_by_patch: rows must be a whole number in \[1, 5\], got 0"),
        ({"cols": 5}, r"patch_by_patch: cols must be a whole number in \[1, 4\], got 5"),
    ],
)
def test_bad_options_are_named(options, message):
    with pytest.raises(BadValue, match=message):
        patch_by_patch(GRAPH, **{"until": "5", "rows": 2, "cols": 2, **options})


def test_what_sees_the_whole_picture_has_no_patches():
    model = nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Conv2d(1, 1, 1))
    graph = trace(model, torch.zeros(1, 1, 8, 8))
    with pytest.raises(BadValue, match="what leads to `until` must be local, got '0 = adaptive"):
        patch_by_patch(graph, until="1", rows=2, cols=2)


def test_a_window_on_padding_alone_has_no_patches():
    graph = trace(nn.Conv2d(1, 1, 1, padding=1), torch.zeros(1, 1, 8, 8))
    with pytest.raises(BadValue, match="what leads to `until` must be local"):
        patch_by_patch(graph, until=graph.outputs[0], rows=2, cols=2)


def test_what_is_needed_elsewhere_cannot_be_in_patches_alone():
    class Shared(nn.Module):
        def forward(self, x):
            y = torch.relu(x)
            return torch.sigmoid(y), y

    graph = trace(Shared(), torch.zeros(1, 1, 8, 8))
    with pytest.raises(BadValue, match=r"must be needed for nothing else, got \['relu'\]"):
        patch_by_patch(graph, until="sigmoid", rows=2, cols=2)


def test_what_is_no_graph_is_named():
    with pytest.raises(BadKind, match="check: graph must be a Graph, got 3"):
        patch_by_patch(3, until="x", rows=1, cols=1)
