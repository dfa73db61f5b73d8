"""Every row that the reference simulator printed, and why they are not those of a machine."""

import csv
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from efficientdl.systems.hardware.arch import Array, Dataflow
from efficientdl.systems.hardware.compat import dram_reads, matrices, reference, windows
from efficientdl.systems.hardware.dataflow import (
    input_stationary,
    output_stationary,
    weight_stationary,
)
from efficientdl.systems.hardware.layer import Conv, Gemm
from tests.systems.hardware.drawn import gemms

NAMES = {
    "os": Dataflow.OUTPUT_STATIONARY,
    "ws": Dataflow.WEIGHT_STATIONARY,
    "is": Dataflow.INPUT_STATIONARY,
}
sides = st.integers(1, 16)
quick = settings(deadline=None, database=None, derandomize=True)


def rows_of(file):
    oracles = os.environ.get("EFFICIENTDL_ORACLES")
    if not oracles:
        pytest.skip(f"EFFICIENTDL_ORACLES names no folder, so {file} cannot be found")
    with (Path(oracles) / file).open() as lines:
        return list(csv.DictReader(lines))


def asked(row):
    gemm = Gemm(int(row["M"]), int(row["K"]), int(row["N"]))
    return gemm, NAMES[row["dataflow"]], int(row["R"]), int(row["C"])


@pytest.mark.oracle
@pytest.mark.parametrize("file", ["scalesim_compute.csv", "scalesim_full.csv"])
def test_every_row_of_counts(file):
    rows = rows_of(file)
    assert rows
    for row in rows:
        found = reference(*asked(row))
        words = [int(row[f"sram_{n}"]) for n in ("ifmap_reads", "filter_reads", "ofmap_writes")]
        assert (found.cycles, *found[2:5]) == (int(row["demand_lines"]), *words), row
        mapped = float(row["mapping_eff_pct"])  # a mean over folds, summed one by one
        np.testing.assert_allclose(100 * found.mapping_efficiency, mapped, rtol=1e-9)
        if row["total_cycles"]:
            assert found.total_cycles == int(row["total_cycles"]), row


@pytest.mark.oracle
def test_every_row_of_dram_reads():
    rows = rows_of("scalesim_full.csv")
    assert rows
    for row in rows:
        gemm, dataflow, r, c = asked(row)
        sizes = (int(row[f"{n}_kB"]) * 1024 for n in ("ifmap", "filter"))
        x_bytes, weight_bytes = sizes
        found = dram_reads(
            matrices(gemm.m, gemm.k, gemm.n), dataflow, r, c, x_bytes=x_bytes,
            weight_bytes=weight_bytes,
        )  # fmt: skip
        assert found == (int(row["dram_ifmap_reads"]), int(row["dram_filter_reads"])), row


def test_the_counts_of_its_own_example():
    """Conv1 of AlexNet on 32 x 32, weights stay: the trace that the simulator ships."""
    found = reference(Gemm(3025, 363, 96), Dataflow.WEIGHT_STATIONARY, 32, 32)
    assert found[1:5] == (36 * 3119 - 1, 3_294_225, 34_848, 3_484_800)


@quick
@given(gemm=gemms(max_groups=1), rows=sides, cols=sides)
def test_two_of_its_dataflows_are_machines_and_one_is_too_early(gemm, rows, cols):
    array = Array(rows, cols)
    for dataflow, ours in [
        (Dataflow.WEIGHT_STATIONARY, weight_stationary),
        (Dataflow.INPUT_STATIONARY, input_stationary),
    ]:
        assert reference(gemm, dataflow, rows, cols).cycles == ours(gemm, array).cycles
    n_folds = -(-gemm.m // rows) * -(-gemm.n // cols)
    early = reference(gemm, Dataflow.OUTPUT_STATIONARY, rows, cols).cycles
    assert early == output_stationary(gemm, array).cycles - n_folds * rows


@quick
@given(
    gemm=gemms(max_groups=1), rows=sides, cols=sides, dataflow=st.sampled_from([*NAMES.values()])
)
def test_dram_gives_each_word_once_where_the_buffer_holds_the_operand(gemm, rows, cols, dataflow):
    found = dram_reads(matrices(gemm.m, gemm.k, gemm.n), dataflow, rows, cols)
    assert found == (gemm.m * gemm.k, gemm.k * gemm.n)


@quick
@given(
    gemm=gemms(max_groups=1), rows=sides, cols=sides, dataflow=st.sampled_from([*NAMES.values()])
)
def test_dram_reads_lie_between_the_words_and_the_sram_reads(gemm, rows, cols, dataflow):
    found = dram_reads(
        matrices(gemm.m, gemm.k, gemm.n), dataflow, rows, cols, x_bytes=200, weight_bytes=200
    )
    most = reference(gemm, dataflow, rows, cols)
    assert gemm.m * gemm.k <= found[0] <= most.x_reads
    assert gemm.k * gemm.n <= found[1] <= most.weight_reads


@quick
@given(side=st.integers(3, 9), kernel=st.integers(1, 3), stride=st.integers(1, 3))
def test_windows_are_those_of_a_convolution_where_none_hangs_over(side, kernel, stride):
    side -= (side - kernel) % stride
    conv = Conv(2, side, side, 4, kernel=kernel, stride=stride)
    number = np.arange(side * side * 2).reshape(1, side, side, 2).transpose(0, 3, 1, 2)
    rows, _ = conv.lower(number, np.zeros(conv.weight_shape, int))
    seen = windows(side, side, kernel=(kernel,) * 2, channels=2, filters=4, stride=stride)
    np.testing.assert_array_equal(np.sort(seen.x), np.sort(rows[0]))
    assert seen.weight.shape == (kernel * kernel * 2, 4)


def test_what_it_does_not_know():
    with pytest.raises(ValueError, match=r"reference: gemm.groups must be .* in \[1, 1\], got 2"):
        reference(Gemm(1, 1, 1, groups=2), Dataflow.WEIGHT_STATIONARY, 1, 1)
    with pytest.raises(ValueError, match="reference: dataflow must be one of"):
        reference(Gemm(1, 1, 1), Dataflow.NO_LOCAL_REUSE, 1, 1)
    with pytest.raises(
        ValueError, match="reference: rows must be a whole number, 1 or more, got 0"
    ):
        reference(Gemm(1, 1, 1), Dataflow.WEIGHT_STATIONARY, 0, 1)
    with pytest.raises(ValueError, match="dram_reads: x_bytes must be a whole number, 100 or more"):
        dram_reads(matrices(1, 1, 1), Dataflow.WEIGHT_STATIONARY, 1, 1, x_bytes=99)
