"""The program for the planner, run in one flat buffer in Python, gives what the network gives."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from efficientdl.models.layers.integer import Geometry
from efficientdl.models.layers.integer_steps import (
    IntegerAdd,
    IntegerClamp,
    IntegerConcat,
    IntegerMaxPool,
    IntegerReshape,
)
from efficientdl.systems.compiler.codegen.lowering import program_of_network
from efficientdl.systems.compiler.memory.arena import run_in_arena
from efficientdl.systems.compiler.memory.in_place import in_place
from efficientdl.systems.compiler.memory.planner import plan_memory
from efficientdl.systems.compiler.memory.program import lifetimes_of
from tests.systems.compiler.codegen.networks import X, Y, codes_of, conv, drawn_network, network_of


def plan_of(program):
    return plan_memory(lifetimes_of(program))


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_network_in_an_arena_plain_and_in_place(data):
    network, x_shape = drawn_network(data.draw)
    codes = codes_of(x_shape)
    plain = program_of_network(network, x_shape)
    for program in (plain, in_place(plain)):
        (y,) = run_in_arena(program, plan_of(program), codes)
        torch.testing.assert_close(y, network.integers(codes), rtol=0, atol=0)


def bytes_in_place(network, x_shape):
    """Bytes of the arena, plain and with steps in place."""
    plain = program_of_network(network, x_shape)
    return plan_of(plain).peak_bytes, plan_of(in_place(plain)).peak_bytes


@pytest.mark.parametrize(
    ("steps", "plain", "ours"),
    [
        ([IntegerClamp(X)], 128, 64),
        ([IntegerReshape((64,))], 64, 64),
        ([IntegerMaxPool(Geometry((2, 2), (2, 2)))], 80, 64),
        ([IntegerMaxPool(Geometry((3, 3), padding=(1, 1)))], 128, 128),
        ([(IntegerAdd((X, X), Y), (0, 0))], 128, 64),
        ([(IntegerConcat((X, X), Y), (0, 0))], 192, 192),  # its second part would be gone
        ([IntegerReshape((4, 4, 4)), (IntegerConcat((X, X), Y), (0, 1))], 192, 192),
        ([conv(4, 4, padding=(1, 1), groups=4)], 128, 80),  # 64 and one channel of 16
        ([conv(4, 4, stride=(2, 2), padding=(1, 1), groups=4)], 80, 64),
        ([conv(4, 4, padding=(2, 2), groups=4)], 208, 208),  # a channel outgrows its place
        ([conv(4, 4, padding=(1, 1))], 128, 128),
    ],
    ids=lambda value: "-".join(type(m).__name__ for m in value) if isinstance(value, list) else "",
)
def test_bytes_of_each_step_on_64_codes(steps, plain, ours):
    steps = [s if isinstance(s, tuple) else (s, (i,)) for i, s in enumerate(steps)]
    assert bytes_in_place(network_of(*steps), (1, 4, 4, 4)) == (plain, ours)


def test_channels_side_by_side_begin_where_the_first_of_them_lies():
    network = network_of(
        (conv(1, 2, (1, 1)), (0,)),
        (conv(1, 2, (1, 1)), (0,)),
        (IntegerConcat((Y, Y), Y), (1, 2)),
    )
    # Plain: 32 and 32 codes, and the 64 of both. In place the first 32 are part of the 64; then the
    # 16 of the input, which the second branch still reads, are what they lie beside.
    assert bytes_in_place(network, (1, 1, 4, 4)) == (128, 112)
