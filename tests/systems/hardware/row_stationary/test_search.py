"""The mapper finds the best of all mappings, and says when there is none."""

from itertools import product

import pytest
from hypothesis import given, settings

from efficientdl import _check
from efficientdl.systems.hardware.arch import Arch, Array, Buffer
from efficientdl.systems.hardware.layer import Conv
from efficientdl.systems.hardware.row_stationary.formula import row_stationary
from efficientdl.systems.hardware.row_stationary.mapping import RowMapping, RowUnit
from efficientdl.systems.hardware.row_stationary.search import map_rows
from tests.systems.hardware.row_stationary.drawn import mapped

quick = settings(deadline=None, max_examples=60, database=None, derandomize=True)


@quick
@given(drawn=mapped())
def test_no_slower_than_any_mapping_with_strips_that_divide_the_output_evenly(drawn):
    conv, arch, unit, mapping = drawn
    parts = -(-conv.outputs[0] // mapping.strip)
    even = RowMapping(
        -(-conv.outputs[0] // parts), mapping.filters, mapping.channels, mapping.channel_sets,
        1, mapping.images,
    )  # fmt: skip
    found = row_stationary(conv, arch, unit=unit)
    assert found.cycles <= row_stationary(conv, arch, mapping=even, unit=unit).cycles


def test_equals_brute_force():
    """With a slow bus for weights, so that it pays to keep them for both images."""
    conv, unit = Conv(3, 4, 5, 4, kernel=2, batch=2), RowUnit(6, 12, 4, 4, 1, 2)
    arch = Arch("small", Array(4, 3), buffer=Buffer(1000))
    best = None
    for sizes in product(range(1, 4), range(1, 5), range(1, 4), (1, 2), range(1, 5), (1, 2)):
        try:
            cycles = row_stationary(conv, arch, mapping=RowMapping(*sizes), unit=unit).cycles
        except _check.BadValue:
            continue
        best = cycles if best is None else min(best, cycles)
    assert row_stationary(conv, arch, unit=unit).cycles == best


def test_a_machine_without_room():
    conv = Conv(4, 8, 8, 6, kernel=3)
    rule = "map_rows: arch must have room for the smallest part of the layer"
    with pytest.raises(ValueError, match=rule):
        map_rows(conv, Arch("tiny", Array(3, 3), buffer=Buffer(20)))
    with pytest.raises(ValueError, match=rule):
        map_rows(conv, Arch("tiny", Array(3, 3)), unit=RowUnit(x_words=2))
    with pytest.raises(
        ValueError, match=r"map_rows: layer\.kernel must have at most array\.rows = 2"
    ):
        map_rows(conv, Arch("low", Array(2, 9)))
