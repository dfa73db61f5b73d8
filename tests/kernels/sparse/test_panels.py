"""Packing into panels and back gives the matrix, of any width and layout."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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
