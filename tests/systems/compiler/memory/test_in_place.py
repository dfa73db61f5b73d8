"""In place: the same outputs, never more memory, nothing to do the second time."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from torch import nn

from efficientdl import models
from efficientdl._check import BadKind
from efficientdl.systems.compiler.memory.arena import run_in_arena
from efficientdl.systems.compiler.memory.in_place import in_place
from efficientdl.systems.compiler.memory.planner import plan_memory
from efficientdl.systems.compiler.memory.program import lifetimes_of, program_of
from efficientdl.systems.compiler.memory.steps import ChannelByChannel
from efficientdl.systems.compiler.trace import trace
from tests.systems.compiler.memory.programs import graphs, inverted_residual, local_networks, seeded

CLOSE = {"rtol": 1e-9, "atol": 1e-9}  # float64; torch may sum a channel alone in another order


def in_arena(program, x):
    (y,) = run_in_arena(program, plan_memory(lifetimes_of(program)), x)
    return y


def test_the_identity_a_network_without_such_steps_stays_as_it_is():
    program = program_of(trace(nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 2)), torch.zeros(1, 4)))
    assert in_place(program) == program


@pytest.mark.parametrize("channels", [1, 2, 8, 32])
def test_a_depthwise_convolution_needs_n_plus_1_channels_instead_of_2_n(channels):
    model = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)
    program = program_of(trace(model, torch.zeros(1, channels, 16, 16)))
    channel = 16 * 16 * 4
    assert program.cost().activation_bytes == 2 * channels * channel
    assert in_place(program).cost().activation_bytes == (channels + 1) * channel


def test_an_inverted_residual_block_gives_the_same_in_less():
    model, x = seeded(inverted_residual)
    plain = program_of(trace(model, x))
    ours = in_place(plain)
    torch.testing.assert_close(in_arena(ours, x), model(x).detach(), **CLOSE)
    runs = [step.run for step in ours.steps if step.over is not None]
    assert sum(isinstance(run, ChannelByChannel) for run in runs) == 1
    picture = 2 * 16 * 16 * 8  # one channel of the two images
    assert plain.cost().activation_bytes == 2 * 24 * picture
    assert ours.cost().activation_bytes == (4 + 24) * picture


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("padding", [0, 1])
def test_with_a_stride_the_output_is_smaller_and_still_lies_over_the_input(stride, padding):
    layers = (nn.Conv2d(6, 6, 3, stride, padding, groups=6), nn.ReLU6(), nn.Conv2d(6, 2, 1))
    model = seeded(lambda: nn.Sequential(*layers).double())
    x = seeded(lambda: torch.randn(3, 6, 11, 9, dtype=torch.float64))
    ours = in_place(program_of(trace(model, x)))
    assert isinstance(ours.steps[0].run, ChannelByChannel)
    torch.testing.assert_close(in_arena(ours, x), model(x).detach(), **CLOSE)


def test_a_smaller_output_gets_its_own_place_where_keeping_the_larger_input_costs_more():
    # 8 channels of 16 x 16, made 8 x 8, then 32 channels: the old place would be kept beside them.
    model = nn.Sequential(nn.Conv2d(8, 8, 3, 2, 1, groups=8), nn.Conv2d(8, 32, 1))
    program = program_of(trace(model, torch.zeros(1, 8, 16, 16)))
    assert program.cost().activation_bytes == (8 * 256 + 8 * 64) * 4
    assert in_place(program) == program


def test_a_larger_output_cannot_lie_over_its_input():
    model = seeded(lambda: nn.Conv2d(4, 4, 3, padding=2, groups=4).double())
    x = seeded(lambda: torch.randn(2, 4, 8, 8, dtype=torch.float64))
    ours = in_place(program_of(trace(model, x)))
    torch.testing.assert_close(in_arena(ours, x), model(x).detach(), **CLOSE)
    assert ours.steps[0].over is None


@settings(max_examples=60, deadline=None)
@given(graph=graphs())
def test_never_dearer_and_nothing_to_do_the_second_time(graph):
    plain = program_of(graph)
    ours = in_place(plain)
    assert ours.cost().activation_bytes <= plain.cost().activation_bytes
    assert ours.cost().macs == plain.cost().macs
    assert in_place(ours) == ours


@settings(max_examples=12, deadline=None)
@given(case=local_networks())
def test_networks_for_pictures_give_what_torch_gives(case):
    model, x = case
    ours = in_place(program_of(trace(model, x)))
    torch.testing.assert_close(in_arena(ours, x), model(x).detach(), **CLOSE)


def test_a_value_that_is_read_later_or_given_back_is_not_written_over():
    class Kept(nn.Module):
        def forward(self, x):
            y = torch.relu(x)
            z = torch.sigmoid(y)
            return y, z + x

    graph = trace(Kept(), torch.zeros(4))
    ours = in_place(program_of(graph))
    over = {step.name: step.over for step in ours.steps}
    assert list(over.values()) == [None, None, "sigmoid"]
    x = torch.linspace(-1, 1, 4)
    expected = [t.clone() for t in graph.run(x)]
    plan = plan_memory(lifetimes_of(ours))
    torch.testing.assert_close(run_in_arena(ours, plan, x), expected, rtol=0, atol=0)


@pytest.mark.slow
def test_mobilenet_v2_has_the_peak_that_the_paper_prints():
    # MCUNetV2, Figure 1: 1372 kB for MobileNetV2 in int8, layer by layer, depthwise in place.
    model, x = models.skeleton("mobilenet_v2"), models.example("mobilenet_v2", device="meta")
    plain = program_of(trace(model, x))
    int8_bytes = in_place(plain).cost().activation_bytes / 4
    assert int8_bytes == 1372 * 1024
    assert plain.cost().activation_bytes / 4 == 2 * 96 * 112 * 112


def test_the_inputs_of_the_caller_are_not_written_over():
    model, x = seeded(inverted_residual)
    program = in_place(program_of(trace(nn.Sequential(nn.ReLU6(), model), x)))
    given_ = x.clone()
    in_arena(program, x)
    np.testing.assert_array_equal(x, given_)


def test_what_is_no_program_is_named():
    with pytest.raises(BadKind, match="in_place: program must be a Program, got None"):
        in_place(None)
