"""The space holds every schedule that fits the registers and the shape, and no other."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from efficientdl.kernels.scheduled import LANES, N_REGISTERS, ORDERS, Schedule
from efficientdl.kernels.threads import threads
from efficientdl.systems.compiler.autotune import MatmulTask, default_schedule, space_of
from efficientdl.systems.compiler.autotune.spaces import REGISTERS, ROWS, inner_tiles

SIZES = st.integers(1, 3000)


@settings(deadline=None, max_examples=60, database=None)
@given(m=SIZES, k=SIZES, n=SIZES)
def test_every_choice_fits(m, k, n):
    task = MatmulTask(m, k, n)
    space = space_of(task)
    assert vars(default_schedule(task)).keys() == space.choices.keys()
    for rows, registers in space.choices["inner"]:
        schedule = Schedule(**vars(default_schedule(task)) | {"inner": (rows, registers)})
        assert schedule.n_registers <= N_REGISTERS
        assert rows <= m
        assert schedule.columns - LANES < n
    for axis, length in zip("mkn", (m, k, n), strict=True):
        sizes = space.choices[f"tile_{axis}"]
        assert sizes[-1] == length, "the whole axis is a choice"
        assert list(sizes) == sorted(set(sizes))
    assert space.choices["order"] == ORDERS
    assert max(space.choices["unroll"]) <= k


@pytest.mark.parametrize("n_registers", [4, 8, 32])
def test_no_strip_that_fits_is_left_out(n_registers):
    found = set(inner_tiles(5, 40, n_registers))
    for rows in ROWS:
        for registers in REGISTERS:
            used = rows * registers + registers + 1
            fits = used <= n_registers and rows <= 5 and registers <= 3
            assert ((rows, registers) in found) == fits
    assert found


@settings(deadline=None, max_examples=30, database=None)
@given(m=SIZES, k=SIZES, n=SIZES)
def test_the_default_is_no_larger_than_the_shape(m, k, n):
    default = default_schedule(MatmulTask(m, k, n))
    assert default.inner in space_of(MatmulTask(m, k, n)).choices["inner"]
    assert default.tile_m <= m
    assert default.tile_k <= k
    assert default.tile_n <= n


def test_threads_are_those_allowed():
    for n, wanted in ((1, (1,)), (2, (1, 2)), (3, (1, 2)), (4, (1, 2, 4))):
        with threads(n):
            assert space_of(MatmulTask(64, 64, 64)).choices["threads"] == wanted


def test_they_refuse():
    with pytest.raises(TypeError, match="space_of: task must be a MatmulTask or ConvTask, got 3"):
        space_of(3)
    with pytest.raises(TypeError, match="default_schedule: task must be a MatmulTask or ConvTask"):
        default_schedule("matmul")
