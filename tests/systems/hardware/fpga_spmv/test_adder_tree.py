from collections import Counter

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st

from efficientdl.systems.hardware.arch import Dram
from efficientdl.systems.hardware.fpga_spmv.adder_tree import AdderTree, adder_tree, reduce_rows
from efficientdl.systems.hardware.presets import HOROWITZ_45NM
from tests.systems.hardware.fpga_spmv.drawn import matvecs
from tests.systems.hardware.spgemm.drawn import quick, sparse

machines = st.builds(AdderTree, st.integers(1, 9), st.integers(1, 4), st.integers(1, 9))


@st.composite
def rows_of_words(draw):
    lengths = draw(st.lists(st.integers(0, 25), min_size=1, max_size=12))
    row = np.repeat(np.arange(len(lengths)), lengths)
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    return rng.integers(-9, 10, len(row)), row, len(lengths)


def test_a_full_matrix_as_wide_as_the_tree_takes_a_row_a_cycle():
    rng = np.random.default_rng(0)
    weight, x = rng.integers(1, 9, (20, 8)), rng.integers(1, 9, 8)
    run = adder_tree(weight, x, machine=AdderTree(8, 3, 5))
    np.testing.assert_array_equal(run.y, weight @ x)
    assert run.cycles == 20 + 3 + 5 * 3  # and the depth, once
    assert run.macs == run.n_units * 20


@quick
@given(matvecs(), machines)
def test_the_product_is_scipys_and_groups_are_what_is_waited_for(matvec, machine):
    weight, x = matvec
    run = adder_tree(weight, x, machine=machine)
    np.testing.assert_array_equal(run.y, scipy.sparse.csr_array(weight) @ x)
    lengths = (weight != 0).sum(axis=1)
    groups = sum(-(-int(length) // machine.n_units) for length in lengths)
    assert run.macs == lengths.sum()
    if lengths.max() <= machine.n_units:
        assert run.cycles == (groups + machine.depth if groups else 0)
    else:
        assert run.cycles >= groups + machine.depth


@quick
@given(rows_of_words(), st.integers(1, 15))
def test_sums_are_numpys_and_few_words_ever_wait(stream, adder_cycles):
    words, row, n_rows = stream
    reduced = reduce_rows(words, row, n_rows, adder_cycles=adder_cycles)
    expected = np.zeros(n_rows, np.int64)
    np.add.at(expected, row, words)
    np.testing.assert_array_equal(reduced.sums, expected)
    assert reduced.n_waiting <= adder_cycles + 1
    most = int(np.bincount(row, minlength=n_rows).max())
    # The last word arrives in the last of len(words) cycles, and meets the others on its way.
    assert reduced.cycles >= len(words) + (adder_cycles if most == len(words) > 1 else 0)


def by_the_rule(words, row, adder_cycles):
    """The circuit with lists: a row is done when one word of it is left anywhere."""
    waiting, inside, t, last = [], [], 0, 0
    while t < len(words) or waiting or inside:
        waiting += [(r, value) for out, r, value in inside if out == t]
        inside = [each for each in inside if each[0] > t]
        if t < len(words):
            waiting.append((int(row[t]), int(words[t])))
        counts = Counter(r for r, _ in waiting)
        pairs = [r for r, n in counts.items() if n > 1]
        if pairs:
            chosen = [each for each in waiting if each[0] == min(pairs)][:2]
            for each in chosen:
                waiting.remove(each)
            inside.append((t + adder_cycles, min(pairs), chosen[0][1] + chosen[1][1]))
        elsewhere = {r for _, r, _ in inside} | set(row[t + 1 :].tolist())
        ready = [each for each in waiting if each[0] not in elsewhere]
        done = [each for each in ready if [r for r, _ in waiting].count(each[0]) == 1]
        waiting = [each for each in waiting if each not in done]
        t, last = t + 1, t + 1 if done else last
    return last


@quick
@given(rows_of_words(), st.integers(1, 9))
def test_cycles_are_those_of_the_rule(stream, adder_cycles):
    words, row, n_rows = stream
    reduced = reduce_rows(words, row, n_rows, adder_cycles=adder_cycles)
    assert reduced.cycles == by_the_rule(words, row, adder_cycles)


def drain(length, adder_cycles):
    words = np.ones(length, int)
    return reduce_rows(words, 0 * words, 1, adder_cycles=adder_cycles).cycles - length


def test_a_few_words_of_one_row_by_hand():
    assert [drain(n, 5) for n in (1, 2)] == [0, 5]  # none to add; one addition
    # The third word, in cycle 2, waits for the sum that leaves in cycle 6; theirs leaves in 11.
    assert drain(3, 5) == 9
    # The third and the fourth, in cycle 3, are added at once; the sums, of 6 and 8, leave in 13.
    assert drain(4, 5) == 10


@pytest.mark.parametrize("adder_cycles", [1, 2, 5, 14])
def test_however_long_a_row_is_the_end_takes_no_longer(adder_cycles):
    """An adder that is never waited for: its drain depends on its depth, not on the row."""
    long = [drain(n, adder_cycles) for n in (64, 65, 1000, 3000)]
    assert max(long) <= adder_cycles * ((2 * adder_cycles + 1).bit_length() + 1)
    naive = adder_cycles * (3000 - 1)  # each addition waits for the one before
    assert 3000 + long[-1] < naive or adder_cycles == 1


def test_a_slow_memory_limits_and_words_are_those_of_compressed_rows():
    weight = sparse(np.random.default_rng(0), 20, 30, 0.3)
    run = adder_tree(weight, np.ones(30, int), machine=AdderTree(dram=Dram(8)))
    kept = np.count_nonzero(weight)
    assert run.cycles == (64 * (kept + 30 + 20) + 32 * (kept + 21)) // 8
    assert run.cost(HOROWITZ_45NM).traffic_bytes == run.cycles


def test_floats_and_a_matrix_of_zeros():
    weight = np.array([[0.5, 0.25, 4.0], [0, 0, 0]])
    run = adder_tree(weight, np.array([2, 4, 1]), machine=AdderTree(2))
    np.testing.assert_array_equal(run.y, [6.0, 0.0])
    assert adder_tree(np.zeros((2, 2)), np.ones(2)).cycles == 0


def test_what_cannot_be_multiplied_or_added():
    with pytest.raises(ValueError, match=r"adder_tree: x must have the shape \(3,\), got \(2,\)"):
        adder_tree(np.ones((2, 3)), np.ones(2))
    with pytest.raises(ValueError, match=r"adder_tree: x\[1\] must be finite, got nan"):
        adder_tree(np.ones((2, 2)), np.array([1, np.nan]))
    with pytest.raises(ValueError, match=r"adder_tree: weight must be a matrix .* got \(0, 2\)"):
        adder_tree(np.ones((0, 2)), np.ones(2))
    with pytest.raises(TypeError, match="adder_tree: machine must be a AdderTree, got 3"):
        adder_tree(np.ones((1, 1)), np.ones(1), machine=3)
    with pytest.raises(ValueError, match=r"AdderTree: n_units must be .* 1 or more, got 0"):
        AdderTree(n_units=0)
    with pytest.raises(ValueError, match=r"AdderTree: index_bits must be .* got 65"):
        AdderTree(index_bits=65)
    words = np.ones(2)
    with pytest.raises(ValueError, match=r"reduce_rows: row must never fall, got \[1, 0\]"):
        reduce_rows(words, np.array([1, 0]), 2, adder_cycles=1)
    with pytest.raises(ValueError, match=r"reduce_rows: row must name a row in \[0, 2\)"):
        reduce_rows(words, np.array([0, 2]), 2, adder_cycles=1)
    with pytest.raises(ValueError, match=r"reduce_rows: adder_cycles must be .* got 0"):
        reduce_rows(words, np.array([0, 1]), 2, adder_cycles=0)
