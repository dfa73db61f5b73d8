from math import ceil, log2

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st

from efficientdl.systems.hardware.arch import Dram
from efficientdl.systems.hardware.fpga_spmv.bvcsr import Bvcsr, bvcsr_matvec, csr_index_bits
from efficientdl.systems.hardware.spgemm.rows import compress
from tests.systems.hardware.fpga_spmv.drawn import matvecs
from tests.systems.hardware.spgemm.drawn import band, quick, sparse


def blocks_of(weight, block):
    """Each block in use, as NumPy cuts it: the row, which block, which columns."""
    wide = -(-weight.shape[1] // block) * block
    padded = np.zeros((len(weight), wide), bool)
    padded[:, : weight.shape[1]] = weight != 0
    cut = padded.reshape(len(weight), -1, block)
    row, which = cut.any(axis=2).nonzero()
    return row, which, cut[row, which]


def test_blocks_of_one_column_are_compressed_rows_and_a_bit_for_each_entry():
    weight = sparse(np.random.default_rng(0), 9, 16, 0.3)
    ours, rows = Bvcsr.from_dense(weight, block=1), compress(weight)
    np.testing.assert_array_equal(ours.blocks, rows.columns)
    np.testing.assert_array_equal(ours.starts, rows.starts)
    assert ours.kept.all()
    assert ours.index_bits == csr_index_bits(rows) + rows.n_kept


@quick
@given(matvecs(), st.data())
def test_nothing_is_lost_and_the_bits_are_those_of_the_blocks(matvec, data):
    weight, _ = matvec
    block = data.draw(st.integers(1, weight.shape[1]))
    ours, rows = Bvcsr.from_dense(weight, block=block), compress(weight)
    for name in ("starts", "columns", "values"):
        np.testing.assert_array_equal(getattr(ours.to_rows(), name), getattr(rows, name))
    row, which, kept = blocks_of(weight, block)
    np.testing.assert_array_equal(np.diff(ours.starts), np.bincount(row, minlength=len(weight)))
    np.testing.assert_array_equal(ours.blocks, which)
    np.testing.assert_array_equal(ours.kept, kept)
    m, k = weight.shape
    column_bits = ceil(log2(ceil(k / block))) + block
    assert ours.index_bits == len(row) * column_bits + (m + 1) * ceil(log2(len(row) + 1))
    z = rows.n_kept
    assert csr_index_bits(rows) == z * ceil(log2(k)) + (m + 1) * ceil(log2(z + 1))


def test_index_bits_saved_where_entries_stand_side_by_side_and_lost_where_they_do_not():
    """A block of 8 in 256 columns takes 5 + 8 bits, an entry 8: a block must keep 13 / 8."""
    side_by_side, alone = band(256, 3, -3), np.eye(256, dtype=int)
    for weight, saves in ((side_by_side, True), (alone, False)):
        ours, rows = Bvcsr.from_dense(weight, block=8), compress(weight)
        assert (ours.kept.sum() > 13 / 8 * len(ours.blocks)) == saves
        assert (ours.index_bits < csr_index_bits(rows)) == saves
    saved = 1 - Bvcsr.from_dense(side_by_side, block=8).index_bits / csr_index_bits(
        compress(side_by_side)
    )
    assert saved > 0.4  # 1,778 entries in 478 blocks


@quick
@given(matvecs(), st.data(), st.integers(1, 5))
def test_the_product_is_scipys(matvec, data, n_units):
    weight, x = matvec
    block = data.draw(st.integers(1, weight.shape[1]))
    run = bvcsr_matvec(Bvcsr.from_dense(weight, block=block), x, n_units=n_units)
    np.testing.assert_array_equal(run.y, scipy.sparse.csr_array(weight) @ x)
    _, _, kept = blocks_of(weight, block)
    assert run.cycles == sum(-(-int(n) // n_units) for n in kept.sum(axis=1))


def test_where_the_memory_limits_saved_bits_are_saved_cycles():
    weight, x = band(256, 3, -3), np.ones(256, int)
    runs = [
        bvcsr_matvec(Bvcsr.from_dense(weight, block=b), x, value_bits=8, dram=Dram(8))
        for b in (1, 8)
    ]
    bits = [Bvcsr.from_dense(weight, block=b).index_bits for b in (1, 8)]
    assert runs[0].cycles - runs[1].cycles == pytest.approx((bits[0] - bits[1]) / 8, abs=1)
    assert runs[0].cost().traffic_bytes - runs[1].cost().traffic_bytes == pytest.approx(
        (bits[0] - bits[1]) / 8, abs=1
    )  # each is rounded up


def test_what_cannot_be_stored_or_multiplied():
    with pytest.raises(ValueError, match=r"Bvcsr.from_dense: block must be .* in \[1, 3\], got 4"):
        Bvcsr.from_dense(np.ones((2, 3)), block=4)
    with pytest.raises(ValueError, match=r"Bvcsr.from_dense: weight must be a matrix .* \(0, 3\)"):
        Bvcsr.from_dense(np.ones((0, 3)))
    weight = Bvcsr.from_dense(np.ones((2, 3)), block=2)
    with pytest.raises(ValueError, match=r"bvcsr_matvec: x must have the shape \(3,\), got \(2,\)"):
        bvcsr_matvec(weight, np.ones(2))
    with pytest.raises(ValueError, match=r"bvcsr_matvec: n_units must be .* got 0"):
        bvcsr_matvec(weight, np.ones(3), n_units=0)
    with pytest.raises(ValueError, match=r"bvcsr_matvec: value_bits must be .* got 0"):
        bvcsr_matvec(weight, np.ones(3), value_bits=0)
    with pytest.raises(TypeError, match=r"bvcsr_matvec: weight must be a Bvcsr, got array"):
        bvcsr_matvec(np.ones((2, 3)), np.ones(3))
