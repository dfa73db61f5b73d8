from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st

from efficientdl.systems.hardware.arch import Dram
from efficientdl.systems.hardware.fpga_spmv.index_matching import IndexMatcher, index_matching
from tests.systems.hardware.spgemm.drawn import products, quick, sparse

ONE = IndexMatcher(n_comparators=1, depth=0)
machines = st.builds(IndexMatcher, st.integers(1, 5), st.integers(0, 4), st.integers(1, 4))


def joins(x, weight):
    """Comparisons and matches of each pair of lists, from the sets of their indices."""
    found = []
    for row in x:
        for column in weight.T:
            a, b = set(row.nonzero()[0]), set(column.nonzero()[0])
            if a and b:  # one step for each index, until the shorter list has ended
                end = min(max(a), max(b))
                found.append((sum(i <= end for i in a | b), len(a & b)))
    return np.array(found, int).reshape(-1, 2)


def test_full_matrices_match_at_every_comparison():
    x, weight = np.ones((3, 4), int), np.ones((4, 5), int)
    run = index_matching(x, weight, machine=replace(ONE, depth=1))
    np.testing.assert_array_equal(run.y, x @ weight)
    assert (run.macs, run.cycles) == (60, 60 + 1)  # a MAC a cycle, one behind its comparison


@quick
@given(products(max_side=8), machines)
def test_the_product_is_scipys_and_matches_are_what_is_read(matrices, machine):
    x, weight = matrices
    run = index_matching(x, weight, machine=machine)
    product = scipy.sparse.csr_array(x) @ scipy.sparse.csr_array(weight)
    np.testing.assert_array_equal(run.y, product.toarray())
    compared, matched = joins(x, weight).sum(axis=0)
    assert run.macs == matched == (x != 0).astype(int).sum(axis=0) @ (weight != 0).sum(axis=1)
    read = {"index": compared + matched, "x": matched, "weight": matched}
    assert run.accesses["buffer"] == read
    assert run.cycles >= max(-(-compared // machine.n_comparators), matched * machine.mac_cycles)


@quick
@given(products(max_side=8), st.integers(1, 4))
def test_one_comparator_without_a_queue_does_one_after_the_other(matrices, mac_cycles):
    compared, matched = joins(*matrices).sum(axis=0)
    run = index_matching(*matrices, machine=replace(ONE, mac_cycles=mac_cycles))
    assert run.cycles == compared + matched * mac_cycles


@quick
@given(products(max_side=8), st.integers(1, 4), st.integers(1, 4))
def test_a_queue_is_never_slower_and_a_longer_one_neither(matrices, depth, mac_cycles):
    depths = (0, depth, depth + 1, 10**4)
    machines = [replace(ONE, depth=each, mac_cycles=mac_cycles) for each in depths]
    cycles = [index_matching(*matrices, machine=each).cycles for each in machines]
    np.testing.assert_array_equal(cycles, sorted(cycles, reverse=True))


@quick
@given(products(max_side=8), st.integers(1, 4))
def test_an_endless_queue_is_served_at_the_times_of_the_matches(matrices, mac_cycles):
    """A match of cycle t is taken in t + 1, or when the unit has done the one before."""
    x, weight = matrices
    t, free = 0, 0
    for row in x:
        for column in weight.T:
            a, b = set(row.nonzero()[0]), set(column.nonzero()[0])
            for i in sorted(a | b) if a and b else []:
                if i > min(max(a), max(b)):
                    break
                t += 1
                if i in a & b:
                    free = max(t, free) + mac_cycles
    run = index_matching(x, weight, machine=IndexMatcher(1, 10**4, mac_cycles))
    assert run.cycles == max(t, free)


def test_where_matches_are_rare_comparators_share_the_arithmetic():
    rng = np.random.default_rng(0)
    x, weight = sparse(rng, 20, 200, 0.05), sparse(rng, 200, 20, 0.05)
    compared, matched = joins(x, weight).sum(axis=0)
    cycles = [
        index_matching(x, weight, machine=IndexMatcher(n, depth=8, mac_cycles=4)).cycles
        for n in (1, 4)
    ]
    assert compared / 4 > 4 * matched  # so four still leave the unit idle
    assert compared <= cycles[0] < 1.02 * compared
    assert compared / 4 <= cycles[1] < 1.1 * compared / 4  # a few wait for a place in the end


def test_a_slow_memory_limits():
    x = sparse(np.random.default_rng(0), 10, 10, 0.3)
    run = index_matching(x, x, machine=IndexMatcher(dram=Dram(1)))
    assert run.cycles == sum(n * run.bits[name] for name, n in run.accesses["dram"].items())


def test_floats_and_matrices_of_zeros():
    run = index_matching(np.array([[0.5, 0, 2]]), np.array([[4], [1], [0]]))
    np.testing.assert_array_equal(run.y, [[2.0]])
    assert index_matching(np.zeros((2, 2)), np.ones((2, 2))).cycles == 0


def test_what_cannot_be_matched():
    with pytest.raises(ValueError, match=r"index_matching: weight must have a row for each"):
        index_matching(np.ones((1, 2)), np.ones((1, 2)))
    with pytest.raises(ValueError, match=r"IndexMatcher: n_comparators must be .* got 0"):
        IndexMatcher(n_comparators=0)
    with pytest.raises(ValueError, match=r"IndexMatcher: depth must be .* 0 or more, got -1"):
        IndexMatcher(depth=-1)
    with pytest.raises(ValueError, match=r"IndexMatcher: index_bits must be .* got 0"):
        IndexMatcher(index_bits=0)
    with pytest.raises(TypeError, match="index_matching: machine must be a IndexMatcher, got 3"):
        index_matching(np.ones((1, 1)), np.ones((1, 1)), machine=3)
