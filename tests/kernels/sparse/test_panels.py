"""Packing into panels and back gives the matrix, of any width and layout."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from efficientdl.kernels.sparse import block_matmul, pack_blocks
from efficientdl.kernels.sparse.panels import pack_panels, split, unpack_panels
from tests.kernels.sparse.matrices import LAYOUTS


@settings(deadline=None, max_examples=60, database=None)
@given(
    k=st.integers(1, 40),
    n=st.integers(1, 200),
    widest=st.sampled_from([16, 64]),
    layout=st.sampled_from(LAYOUTS),
)
def test_there_and_back(k, n, widest, layout):
    x = layout(np.random.default_rng(n).standard_normal((k, n)).astype(np.float32))
    panels = pack_panels(x, k + 3, widest)
    np.testing.assert_array_equal(unpack_panels(panels, k, x), x)
    for some in panels:
        assert some.ctypes.data % 64 == 0
        assert not some[:, k:].any()
    filled = sum(int(np.prod(some.shape)) for some in panels)
    assert np.count_nonzero(np.concatenate([p.ravel() for p in panels])) == k * n <= filled


@pytest.mark.parametrize("n", range(1, 200))
@pytest.mark.parametrize("widest", [16, 64])
def test_panels_hold_all_columns_and_waste_less_than_the_widest(n, widest):
    width = sum(w * count for w, count in split(n, widest))
    assert n <= width < n + 32
    assert {w for w, _ in split(n, widest)} <= {8, 16, widest}


def test_what_lies_by_column_comes_back_by_column():
    x = np.ones((5, 70), np.float32)
    assert unpack_panels(pack_panels(x, 5, 64), 5, x).flags.c_contiguous
    turned = np.asfortranarray(x)
    assert unpack_panels(pack_panels(turned, 5, 64), 5, turned).flags.f_contiguous


def test_every_order_and_layout_gives_the_product(monkeypatch):
    """Tiles through panels or panels through tiles, written in place or copied."""
    rng = np.random.default_rng(0)
    for near in (0, 2**19):
        monkeypatch.setattr("efficientdl.kernels.sparse.panels.NEAR", near)
        for m, k, n in ((300, 40, 128), (40, 300, 80), (70, 90, 640), (40, 60, 130)):
            weight = rng.standard_normal((m, k)).astype(np.float32)
            x = rng.standard_normal((k, n)).astype(np.float32)
            starts, columns = k * np.arange(m + 1), np.tile(np.arange(k), m)
            packed = pack_blocks(
                weight.ravel(), columns.astype(np.int32), starts.astype(np.int32), k
            )
            np.testing.assert_allclose(block_matmul(packed, x), weight @ x, atol=1e-3)


def test_each_row_of_a_tile_is_there_once():
    weight = pack_blocks(np.ones(2, np.float32), np.int32([0, 0]), np.int32([0, 1, 2]), 1)
    with pytest.raises(ValueError, match="each row of a tile once"):
        replace(weight, rows=np.zeros_like(weight.rows))
