"""At most N of M: counted, and against a loop."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from efficientdl.tensors import bitmap_bits
from efficientdl.tensors.n_of_m import PerInputRun, keep_n_of_m, n_of_m_index_bits


def brute_force(score, n, m):
    mask = np.zeros(score.shape, dtype=bool)
    for i, *place in np.ndindex(score.shape[0], *score.shape[2:]):
        for start in range(0, score.shape[1], m):
            run = [(i, j, *place) for j in range(start, start + m)]
            for at in sorted(run, key=lambda at: -score[at])[:n]:  # stable, as ours
                mask[at] = True
    return mask


@settings(deadline=None, max_examples=40)
@given(
    m=st.sampled_from([1, 2, 4, 8]),
    share=st.floats(0, 1),
    runs=st.integers(1, 3),
    kernel=st.sampled_from([(), (1, 1), (3, 2)]),
    levels=st.integers(1, 9),
    seed=st.integers(0, 99),
)
def test_keeps_what_a_loop_over_the_runs_keeps(m, share, runs, kernel, levels, seed):
    n = round(share * m)
    shape = (3, m * runs, *kernel)
    score = np.random.default_rng(seed).integers(0, levels, shape).astype(float)
    mask = keep_n_of_m(torch.from_numpy(score), n=n, m=m)
    np.testing.assert_array_equal(mask, brute_force(score, n, m))


def test_n_equal_m_is_dense_and_n_zero_empty():
    score = torch.rand(4, 8, generator=torch.Generator().manual_seed(0))
    assert keep_n_of_m(score, n=4, m=4).all()
    assert not keep_n_of_m(score, n=0, m=4).any()


def test_what_was_dropped_stays_out_whatever_its_score():
    score = torch.tensor([[9.0, 8, 7, 6], [1, 2, 3, 4]])
    among = torch.tensor([[False, True, True, True], [False, False, False, True]])
    mask = keep_n_of_m(score, n=2, m=4, among=among)
    np.testing.assert_array_equal(mask, [[0, 1, 1, 0], [0, 0, 0, 1]])


def test_a_run_is_consecutive_input_channels():
    filters = torch.arange(2 * 4 * 3 * 3.0).reshape(2, 4, 3, 3)
    groups = PerInputRun(2).group(filters)
    wanted = [
        filters[i, j : j + 2, a, b].tolist()
        for i in (0, 1)
        for a in range(3)
        for b in range(3)
        for j in (0, 2)
    ]
    np.testing.assert_array_equal(groups, wanted)
    back = PerInputRun(2).ungroup(groups, (2, 4, 3, 3))
    torch.testing.assert_close(back, filters, rtol=0, atol=0)


def test_two_of_four_takes_as_many_index_bits_as_a_bitmap():
    mask = keep_n_of_m(torch.rand(8, 16, generator=torch.Generator().manual_seed(0)), n=2, m=4)
    assert n_of_m_index_bits(mask, m=4) == bitmap_bits(mask) == 128


def test_bad_values_are_named():
    score = torch.zeros(2, 6)
    with pytest.raises(
        ValueError, match=r"keep_n_of_m: n must be a whole number in \[0, 4\], got 5"
    ):
        keep_n_of_m(score, n=5, m=4)
    with pytest.raises(
        ValueError, match=r"PerInputRun: size must divide the number of input channels = 6, got 4"
    ):
        keep_n_of_m(score, n=2, m=4)
