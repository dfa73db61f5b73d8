"""The formula for Gemmini, against cycles of its register-level model."""

import csv
import os
from dataclasses import fields, replace
from functools import cache
from math import inf
from pathlib import Path

import numpy as np
import pytest

from efficientdl.systems.hardware.gemmini import (
    GEMMINI,
    Chip,
    gemmini_run,
    read_mapping,
    traffic,
)
from efficientdl.systems.hardware.layer import Conv

TEXT = "L3[WIO] K2 P2 - L2[WI] N1 K4X - L1[O] C3 P2 C2X - L0[W] Q5 R3 S3"
CONV = Conv(6, 6, 7, 8, kernel=3)


@cache
def measured():
    oracles = os.environ.get("EFFICIENTDL_ORACLES")
    if not oracles:
        pytest.skip("EFFICIENTDL_ORACLES names no folder, so gemmini_rtl.csv cannot be found")
    with (Path(oracles) / "published/gemmini_rtl.csv").open() as lines:
        return [asked(row) for row in csv.DictReader(lines)]


def asked(row):
    names = ("C", "K", "P", "Q", "R", "S", "Hstride")
    c, k, p, q, r, s, stride = (int(row[f"prob.{name}"]) for name in names)
    conv = Conv(c, (p - 1) * stride + r, (q - 1) * stride + s, k, (r, s), stride)
    return conv, read_mapping(row["mapping.mapping"]), float(row["target.gemmini_cycle"])


def errors(rows, chip=GEMMINI):
    found = np.array([gemmini_run(conv, nest, chip=chip).cycles for conv, nest, _ in rows])
    return found, np.array([cycles for *_, cycles in rows])


def by_loops(nest, operand):
    """Tiles moved, by running through the loops of DRAM."""
    outer = nest.levels[0]
    letters = {"weight": "CKRS", "y": "KNPQ"}[operand]
    moved, before = 0, None
    for at in np.ndindex(*[loop.n for loop in outer]):
        tile = tuple(i for i, loop in zip(at, outer, strict=True) if loop.dimension in letters)
        moved, before = moved + (tile != before), tile
    return moved


@pytest.mark.parametrize("text", [TEXT, TEXT.replace("K2 P2", "P2 K2"), TEXT.replace("K2", "C2")])
def test_traffic_is_that_of_the_loops(text):
    nest = read_mapping(text)
    size = nest.sizes(1)
    moved = traffic(CONV, nest)
    tile = size["C"] * size["K"] * size["R"] * size["S"]
    assert moved["weight"] == by_loops(nest, "weight") * tile
    assert moved["y"] == by_loops(nest, "y") * size["K"] * size["P"] * size["Q"]
    assert moved["x"] == nest.tiles * size["C"] * (size["P"] + 2) * (size["Q"] + 2)


def test_a_chip_that_never_waits_takes_the_products_alone():
    nest = read_mapping(TEXT)
    free = Chip(tile_cycles=0, weight_bytes=inf, x_bytes=inf, y_bytes=inf, exposed=0)
    run = gemmini_run(CONV, nest, chip=free)
    assert run.cycles == nest.steps == CONV.macs / 8  # 4 x 2 units
    assert run.macs == CONV.macs


def test_less_bandwidth_never_takes_less_time():
    nest, cycles = read_mapping(TEXT), []
    for share in (4, 2, 1, 0.5, 0.1):
        chip = replace(GEMMINI, **{f"{name}_bytes": 8 * share for name in ("weight", "x", "y")})
        cycles.append(gemmini_run(CONV, nest, chip=chip).cycles)
    assert cycles == sorted(cycles)


@pytest.mark.oracle
def test_every_mapping_covers_its_layer_exactly():
    rows = measured()
    assert len(rows) == 222
    for conv, nest, _ in rows:
        size = nest.sizes(0)
        assert (size["C"], size["K"], size["P"], size["Q"]) == (
            conv.c_in,
            conv.c_out,
            *conv.outputs,
        )
        assert nest.steps * 256 >= conv.macs


@pytest.mark.oracle
def test_the_odd_rows_tell_how_good_it_is():
    found, expected = errors(measured()[1::2])
    assert np.median(abs(found - expected) / expected) <= 0.20
    assert np.corrcoef(np.log(found), np.log(expected))[0, 1] >= 0.99


@pytest.mark.oracle
@pytest.mark.parametrize("name", [field.name for field in fields(Chip)])
@pytest.mark.parametrize("change", [0.8, 0.9, 1.1, 1.25])
def test_the_numbers_are_those_that_fit_the_even_rows(name, change):
    """No other value of one of them does better there by more than one part in a thousand."""

    def loss(chip):
        found, expected = errors(measured()[::2], chip)
        return np.abs(np.log(found / expected)).mean()

    other = replace(GEMMINI, **{name: getattr(GEMMINI, name) * change})
    assert loss(GEMMINI) <= loss(other) * 1.001


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("L3[WIO] K2", r"levels must be L3\[WIO\], L2\[WI\], L1\[O\], L0\[W\], got"),
        (TEXT.replace("K2", "K0"), "loop must be a dimension and a number, as K16X, got 'K0'"),
        (TEXT.replace("K2", "Z2"), "loop must be a dimension and a number, as K16X, got 'Z2'"),
        (TEXT.replace("L2[WI]", ""), "levels must be"),
        ("", "levels must be"),
    ],
)
def test_what_is_not_a_mapping(text, error):
    with pytest.raises(ValueError, match=f"read_mapping: {error}"):
        read_mapping(text)


def test_what_does_not_belong_together():
    with pytest.raises(ValueError, match=r"gemmini_run: nest.K must be at least 9, got 8"):
        gemmini_run(Conv(6, 6, 7, 9, kernel=3), read_mapping(TEXT))
    with pytest.raises(ValueError, match="gemmini_run: nest must use at most 256 units, got 512"):
        gemmini_run(CONV, read_mapping(TEXT.replace("K4X", "K256X")))
    with pytest.raises(ValueError, match="Chip: x_bytes must be more than 0, got 0"):
        replace(GEMMINI, x_bytes=0)
    with pytest.raises(ValueError, match=r"Chip: exposed must be in \[0, 1\], got 1.5"):
        replace(GEMMINI, exposed=1.5)
