"""Packed weights are locked copies, and stay whole when they are copied or pickled."""

import pickle
from copy import deepcopy

import numpy as np
import pytest

from efficientdl.kernels.sparse import block_matmul, pack_blocks
from efficientdl.kernels.sparse.blocks import BlockedRows


def packed() -> BlockedRows:
    return pack_blocks(np.ones(2, np.float32), np.int32([0, 1]), np.int32([0, 2]), 3)


def test_nobody_writes_into_it():
    values = np.ones(2, np.float32)
    weight = pack_blocks(values, np.int32([0, 1]), np.int32([0, 2]), 3)
    values[:] = 7
    np.testing.assert_array_equal(weight.values.ravel(), [1, 1])
    with pytest.raises(ValueError, match="read-only"):
        weight.places[0] = 3


@pytest.mark.parametrize("again", [deepcopy, lambda w: pickle.loads(pickle.dumps(w))])
def test_copies_are_as_good(again):
    x = np.arange(6, dtype=np.float32).reshape(3, 2)
    copy = again(packed())
    np.testing.assert_array_equal(block_matmul(copy, x), [[2.0, 4.0]])
    assert not copy.values.flags.writeable
    assert copy.values.ctypes.data % 64 == 0


def test_a_pickle_that_was_changed_is_checked():
    make, made_of = packed().__reduce__()
    broken = [*made_of]
    broken[1] = made_of[1] + np.uint16(9)
    with pytest.raises(ValueError, match="BlockedRows: places must be below 3, got 10"):
        make(*broken)


def test_bytes_are_those_of_the_arrays():
    weight = packed()
    assert weight.n_bytes == 2 * 4 + 2 * 2 + 17 * 4 + 16
