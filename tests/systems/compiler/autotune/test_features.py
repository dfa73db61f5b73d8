"""Features of a loop nest against a simulation of it, and against counting by hand."""

from itertools import product
from math import ceil, log2, prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from efficientdl.kernels.scheduled import ORDERS, Schedule
from efficientdl.systems.compiler.autotune import MatmulTask, features, named_features
from efficientdl.systems.compiler.autotune.features import OPERANDS, nest, traffic

ALL = {"x": 1.0, "w": 1.0, "y": 1.0}


def fetched(loops, operand):
    """Turns of all loops in which the operand's block is another than in the turn before."""
    axes, blocks = OPERANDS[operand], []
    for turn in product(*(range(turns) for _, turns in loops)):
        block = tuple(i for i, (axis, _) in zip(turn, loops, strict=True) if axis in axes)
        if not blocks or blocks[-1] != block:
            blocks.append(block)
    return len(blocks)


@settings(deadline=None, max_examples=80, database=None)
@given(
    order=st.sampled_from(ORDERS),
    sizes=st.tuples(*[st.sampled_from([16, 32, 64])] * 3),
    tile=st.tuples(*[st.sampled_from([16, 32, 64])] * 3),
    cache=st.sampled_from([0, 3000, 20_000, 10**6]),
)
def test_traffic_is_that_of_a_simulated_nest(order, sizes, tile, cache):
    sizes = dict(zip("mkn", sizes, strict=True))
    tile = {a: min(t, sizes[a]) for a, t in zip("mkn", tile, strict=True)}
    schedule = Schedule(order, tile["m"], tile["n"], tile["k"], (4, 1), 1)
    loops, extents = nest(sizes, tile, schedule)
    held = [4 * (e["m"] * e["k"] + e["k"] * e["n"] + e["m"] * e["n"]) for e in extents]
    # the outermost body that fits with all that it holds, or the innermost where none does
    level = next((i for i, size in enumerate(held) if size <= cache), len(held) - 1)
    for operand, n_bytes in traffic(loops, extents, ALL, cache).items():
        a, b = OPERANDS[operand]
        block = 4 * extents[level][a] * extents[level][b]
        turns = [(axis, n) for axis, n in loops[:level] if n > 1]
        assert n_bytes == block * (fetched(turns, operand) if turns else 1)


def test_a_nest_counted_by_hand():
    schedule = Schedule("nkm", 32, 64, 16, (4, 2), 1)
    loops, extents = nest({"m": 64, "k": 32, "n": 128}, {"m": 32, "k": 16, "n": 64}, schedule)
    assert loops == [("n", 2), ("k", 2), ("m", 2), ("n", 2), ("m", 8)]
    assert prod(turns for _, turns in loops) * 4 * 16 * 32 == 64 * 32 * 128  # every MAC, once
    assert extents[-1] == {"m": 4, "k": 16, "n": 32}


def test_shares_counted_by_hand():
    found = named_features(MatmulTask(7, 10, 40), Schedule("mnk", 7, 40, 10, (4, 2), 4))
    assert found["rows_used"] == 7 / 8
    assert found["columns_used"] == 40 / 64
    assert found["steps_written_out"] == 8 / 10
    assert found["fmas_per_load"] == pytest.approx(log2(8 / 6))
    assert found["bytes_0"] == pytest.approx(log2(4 * (70 + 400 + 280)))
    assert ceil(2 ** found["sums"]) == 8


def test_schedules_that_differ_have_other_features():
    task, base = MatmulTask(256, 256, 256), Schedule("mnk", 64, 64, 64, (4, 2), 1)
    changes = [
        {"order": "nmk"},
        {"tile_m": 32},
        {"tile_n": 128},
        {"tile_k": 128},
        {"inner": (2, 2)},
        {"unroll": 4},
        {"threads": 2},
    ]
    for change in changes:
        other = Schedule(**vars(base) | change)
        assert not np.array_equal(features(task, base), features(task, other)), change


def test_they_refuse():
    with pytest.raises(TypeError, match="features: task must be a MatmulTask or ConvTask, got 3"):
        features(3, Schedule("mnk", 1, 1, 1, (1, 1), 1))
    with pytest.raises(TypeError, match="features: schedule must be a Schedule"):
        features(MatmulTask(1, 1, 1), "mnk")
