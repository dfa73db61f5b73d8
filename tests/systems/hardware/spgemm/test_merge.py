import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from efficientdl.systems.hardware.spgemm.merge import Partial, merge
from tests.systems.hardware.spgemm.drawn import quick

lists = st.lists(st.dictionaries(st.integers(0, 40), st.integers(-9, 9)), min_size=1, max_size=9)


def partial(entries, dtype=np.int64):
    places = sorted(entries)
    return Partial(np.array(places, np.int64), np.array([entries[p] for p in places], dtype))


def test_one_list_is_its_own_merge():
    merged = merge([partial({3: 4, 7: 1})])
    assert (merged.n_in, merged.n_moved) == (2, 0)
    np.testing.assert_array_equal(merged.sum.values, [4, 1])


@quick
@given(lists)
def test_merging_adds_what_stands_in_the_same_place(entries):
    expected = {}
    for each in entries:
        for place, value in each.items():
            expected[place] = expected.get(place, 0) + value
    merged = merge([partial(each) for each in entries])
    np.testing.assert_array_equal(merged.sum.places, sorted(expected))  # a sum of zero stays
    np.testing.assert_array_equal(merged.sum.values, [expected[p] for p in sorted(expected)])


@quick
@given(lists)
def test_words_at_the_root_and_at_all_nodes_are_those_of_sets(entries):
    level, moved = [set(each) for each in entries], 0
    root = len(level[0])
    while len(level) > 1:
        root = sum(map(len, level))
        moved += root
        level = [set.union(*level[i : i + 2]) for i in range(0, len(level), 2)]
    merged = merge([partial(each) for each in entries])
    assert (merged.n_in, merged.n_moved) == (root, moved)


@pytest.mark.parametrize("dtype", [np.int64, np.float64])
def test_numbers_keep_their_kind_and_the_lists_stay_as_they_were(dtype):
    a, b = partial({1: 2, 5: 3}, dtype), partial({5: 4}, dtype)
    merged = merge([a, b])
    assert merged.sum.values.dtype == dtype
    np.testing.assert_array_equal(merged.sum.values, [2, 7])
    np.testing.assert_array_equal(a.values, [2, 3])
