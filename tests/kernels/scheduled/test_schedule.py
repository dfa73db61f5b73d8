"""A schedule counts its registers, and refuses what no loop could follow."""

from itertools import permutations

import pytest

from efficientdl.kernels.scheduled import ORDERS, Schedule

GOOD = {
    "order": "mnk",
    "tile_m": 16,
    "tile_n": 64,
    "tile_k": 32,
    "inner": (2, 1),
    "unroll": 1,
    "threads": 1,
}


def test_the_orders_are_all_orders():
    assert set(ORDERS) == {a + b + c for a, b, c in permutations("mnk")}


def test_registers_of_the_classical_strip():
    # BLIS' strip of 6 rows by 16 columns: 6 sums, a row of the panel, and one number of x
    assert Schedule(**GOOD | {"inner": (6, 1)}).n_registers == 6 + 1 + 1
    assert Schedule(**GOOD | {"inner": (6, 4)}).n_registers == 24 + 4 + 1


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"order": "mnn"}, "order must be one of mnk, .*got 'mnn'"),
        ({"tile_m": 0}, r"tile_m must be a whole number in \[1, 2147483647\], got 0"),
        ({"tile_n": 2**31}, "tile_n must be a whole number"),
        ({"tile_k": 1.5}, "tile_k must be a whole number"),
        ({"inner": [2, 1]}, "inner must be a tuple"),
        ({"inner": (2,)}, "inner must be rows and registers"),
        ({"inner": (17, 1)}, r"rows of inner must be a whole number in \[1, 16\], got 17"),
        ({"inner": (1, 5)}, r"registers of inner must be a whole number in \[1, 4\], got 5"),
        ({"unroll": 9}, r"unroll must be a whole number in \[1, 8\], got 9"),
        ({"threads": 0}, "threads must be a whole number"),
    ],
)
def test_it_refuses(change, says):
    with pytest.raises((ValueError, TypeError), match=f"Schedule: {says}"):
        Schedule(**GOOD | change)
