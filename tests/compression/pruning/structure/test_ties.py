"""Union-find over vectors."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from efficientdl.compression.pruning.structure.ties import STAYS, Ties

N = 12
numbers = st.integers(0, N)


@settings(deadline=None, max_examples=60)
@given(pairs=st.lists(st.tuples(numbers, numbers), max_size=20))
def test_equals_scipys_connected_components(pairs):
    ties = Ties()
    ties.fresh(N)
    a, b = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    ties.tie(a, b)
    graph = coo_array((np.ones(len(a)), (a, b)), shape=(N + 1, N + 1))
    _, theirs = connected_components(graph, directed=False)
    ours = ties.of(np.arange(N + 1))
    np.testing.assert_array_equal(ours[:, None] == ours, theirs[:, None] == theirs)


def test_untied_numbers_stand_for_themselves():
    ties = Ties()
    first, second = ties.fresh(3), ties.fresh(2)
    np.testing.assert_array_equal(ties.of(np.concatenate([first, second])), [1, 2, 3, 4, 5])


def test_what_is_tied_to_a_number_that_stays_stays():
    ties = Ties()
    a, b = ties.fresh(2), ties.fresh(2)
    ties.tie(a, b)
    ties.keep(b[:1])
    np.testing.assert_array_equal(ties.of(a), [STAYS, 2])
