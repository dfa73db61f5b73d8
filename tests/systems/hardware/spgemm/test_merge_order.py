from functools import cache
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from efficientdl.kernels.huffman import code_lengths, coded_bits
from efficientdl.systems.hardware.spgemm.merge_order import huffman, in_turn, waiting_words
from tests.systems.hardware.spgemm.drawn import quick

ORDERS = [in_turn, huffman]
lengths_of = st.lists(st.integers(0, 30), min_size=1, max_size=40)


@cache
def least_waiting(lengths, radix):
    """By trying every plan: what is left after the first round is the same question."""
    if len(lengths) <= radix:
        return 0
    found = []
    for size in range(2, radix + 1):
        for taken in combinations(range(len(lengths)), size):
            made = sum(lengths[i] for i in taken)
            rest = [lengths[i] for i in range(len(lengths)) if i not in taken]
            found.append(2 * made + least_waiting(tuple(sorted([*rest, made])), radix))
    return min(found)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("n", [1, 2, 5])
def test_a_tree_that_is_wide_enough_takes_all_at_once_and_nothing_waits(order, n):
    (taken,) = order([3] * n, 5)
    assert sorted(taken) == list(range(n))
    assert waiting_words([3] * n, (taken,)) == 0


@pytest.mark.parametrize("order", ORDERS)
@quick
@given(lengths=lengths_of, radix=st.integers(2, 9))
def test_every_list_and_every_result_but_the_last_is_merged_once_after_it_was_made(
    order, lengths, radix
):
    plan = order(lengths, radix)
    taken = [i for each in plan for i in each]
    assert sorted(taken) == list(range(len(lengths) + len(plan) - 1))
    for number, each in enumerate(plan):
        assert max(each) < len(lengths) + number
        assert len(each) <= radix


@quick
@given(lengths=st.lists(st.integers(0, 12), min_size=1, max_size=6), radix=st.integers(2, 4))
def test_no_plan_waits_less_than_huffmans(lengths, radix):
    best = least_waiting(tuple(sorted(lengths)), radix)
    assert waiting_words(lengths, huffman(lengths, radix)) == best


@quick
@given(lengths=st.lists(st.integers(1, 30), min_size=2, max_size=12))
def test_with_two_branches_it_is_huffmans_code(lengths):
    """Bits of the coded text are the sums of all inner nodes; the root's does not wait."""
    counts = np.array(lengths)
    bits = coded_bits(counts, code_lengths(counts))
    assert waiting_words(lengths, huffman(lengths, 2)) == 2 * (bits - sum(lengths))


@quick
@given(lengths=st.lists(st.integers(0, 30), min_size=2, max_size=60), radix=st.integers(2, 9))
def test_all_of_huffmans_rounds_but_the_first_are_full(lengths, radix):
    first, *others = huffman(lengths, radix)
    assert 2 <= len(first) <= radix
    assert all(len(each) == radix for each in others)


@pytest.mark.parametrize("order", ORDERS)
def test_what_cannot_be_planned(order):
    with pytest.raises(ValueError, match=rf"{order.__name__}: radix must be .* 2 or more, got 1"):
        order([1, 2], 1)
    with pytest.raises(ValueError, match=rf"{order.__name__}: number of lists must be .* got 0"):
        order([], 2)
