from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse
from hypothesis import assume, given
from hypothesis import strategies as st

from efficientdl.systems.hardware.arch import Dram
from efficientdl.systems.hardware.presets import HOROWITZ_45NM
from efficientdl.systems.hardware.spgemm.columns import condensed, plain
from efficientdl.systems.hardware.spgemm.merge_order import huffman, in_turn
from efficientdl.systems.hardware.spgemm.outerspace import outerspace
from efficientdl.systems.hardware.spgemm.published import rmat
from efficientdl.systems.hardware.spgemm.row_buffer import RowBuffer
from efficientdl.systems.hardware.spgemm.sparch import SpArch, breakdown, sparch
from tests.systems.hardware.spgemm.drawn import band, products, quick, sparse

BARE = SpArch(radix=None, columns=plain, order=in_turn, buffer=None)
buffers = st.none() | st.builds(
    RowBuffer, st.integers(1, 8), st.integers(1, 4), ahead=st.integers(0, 99)
)
machines = st.builds(
    SpArch,
    radix=st.none() | st.integers(2, 6),
    columns=st.sampled_from([condensed, plain]),
    order=st.sampled_from([huffman, in_turn]),
    buffer=buffers,
    n_units=st.integers(1, 5),
    merge_words=st.integers(1, 5),
)


def traffic(run):
    return {name: words for name, words in run.accesses["dram"].items() if name != "pointer"}


@quick
@given(products())
def test_with_no_idea_it_moves_the_words_of_outerspace(matrices):
    ours, theirs = sparch(*matrices, machine=BARE), outerspace(*matrices)
    assert traffic(ours) == traffic(theirs)
    assert ours.macs == theirs.macs
    side = min(matrices[0].shape)
    square = matrices[0][:side, :side]  # as many row starts as column starts
    ours, theirs = sparch(square, square, machine=BARE), outerspace(square, square)
    assert ours.accesses["dram"] == theirs.accesses["dram"]
    assert ours.cost().traffic_bytes == theirs.cost().traffic_bytes


@quick
@given(products(), machines)
def test_with_any_ideas_the_product_is_scipys(matrices, machine):
    x, weight = matrices
    run = sparch(x, weight, machine=machine)
    product = scipy.sparse.csr_array(x) @ scipy.sparse.csr_array(weight)
    np.testing.assert_array_equal(run.y, product.toarray())
    met = (x != 0).astype(np.int64) @ (weight != 0).astype(np.int64)
    dram = run.accesses["dram"]
    assert (run.macs, dram["y"]) == (met.sum(), np.count_nonzero(met))
    assert run.cycles >= -(-run.macs // machine.n_units)
    assert np.count_nonzero(weight[x.any(axis=0)]) <= dram["weight"] <= run.macs


def partial_products(x, weight, columns):
    """Where each partial product has entries, from the definition of a condensed column."""
    rank = np.cumsum(x != 0, axis=1) - 1 if columns is condensed else np.indices(x.shape)[1]
    parts = [((x != 0) & (rank == j)).astype(int) @ (weight != 0) for j in range(x.shape[1])]
    return [part > 0 for part in parts if part.any()]


@quick
@given(products(), machines)
def test_words_that_wait_are_those_of_sets_of_places(matrices, machine):
    assume(machine.radix is not None)
    made = partial_products(*matrices, machine.columns)
    assume(made)
    n = len(made)
    for taken in machine.order([int(part.sum()) for part in made], machine.radix):
        made.append(np.logical_or.reduce([made[i] for i in taken]))
    waiting = sum(int(part.sum()) for part in made[n:-1])
    assert sparch(*matrices, machine=machine).accesses["dram"]["psum"] == 2 * waiting


@quick
@given(products())
def test_a_tree_wide_enough_leaves_nothing_waiting_and_moves_less_than_outerspace(matrices):
    x, weight = matrices
    radix = max(2, int((x != 0).sum(axis=1).max()))
    run = sparch(x, weight, machine=SpArch(radix, buffer=None))
    assert run.accesses["dram"]["psum"] == 0
    assert sum(traffic(run).values()) <= sum(traffic(outerspace(x, weight)).values())


@quick
@given(products(), machines)
def test_the_buffer_never_costs_a_word_of_dram(matrices, machine):
    """Each leaf holds the row that it is at work on, with a buffer behind it or without."""
    without = sparch(*matrices, machine=replace(machine, buffer=None))
    run = sparch(*matrices, machine=machine)
    assert run.words("dram") <= without.words("dram")
    if machine.buffer:
        used = without.accesses["dram"]["weight"]
        assert run.accesses["buffer"] == {"weight": used + run.accesses["dram"]["weight"]}


def steps(x, radix, buffer):
    """Words of DRAM with no idea, and with one more each time."""
    runs = breakdown(x, x, machine=SpArch(radix, buffer=buffer))
    return [run.words("dram") for run in runs.values()]


SMALL = RowBuffer(64, 8)
# Matrix, radix, and whether each idea in turn moves fewer words (-1), as many (0), or more (1).
MATRICES = {
    "band": (band(200, 4, -4), 16, (-1, 1, 0, -1)),
    "few entries in a row": (sparse(np.random.default_rng(0), 200, 200, 0.03), 16, (1, -1, 0, -1)),
    "pruned layer": (sparse(np.random.default_rng(1), 128, 128, 0.1), 8, (1, -1, -1, -1)),
    "graph": (rmat(9, 4000, seed=0), 8, (1, -1, -1, -1)),
}


@pytest.mark.parametrize("name", MATRICES)
def test_all_ideas_together_move_less_than_the_plain_outer_product(name):
    x, radix, signs = MATRICES[name]
    words = steps(x, radix, SMALL)
    assert words[-1] < words[0]
    np.testing.assert_array_equal(np.sign(np.diff(words)), signs)


def test_ideas_that_cost_more_than_they_save():
    """On purpose: a narrow tree for many columns; no room for the rows that come again."""
    x = sparse(np.random.default_rng(0), 100, 100, 0.05)
    words = steps(x, 2, RowBuffer(1, 1))
    assert words[1] > 2 * words[0]
    assert words[-1] > words[0]


def test_rounds_take_the_multipliers_the_root_and_the_levels():
    x, weight = np.ones((4, 3), int), np.ones((3, 5), int)
    machine = SpArch(radix=4, n_units=2, merge_words=3)
    # 60 products for 2 multipliers. The tree of 3 lists has 2 levels; the root takes 20 + 20.
    assert sparch(x, weight, machine=machine).cycles == max(60 // 2, -(-40 // 3)) + 2
    machine = SpArch(radix=2, n_units=60, merge_words=1, order=in_turn)
    # Lists 0 and 1 bring 40 words to the root, then list 2 and the sum of 20 bring 40 more.
    assert sparch(x, weight, machine=machine).cycles == 40 + 1 + 40 + 1


def test_a_slow_memory_limits_and_energy_counts_every_level():
    x = sparse(np.random.default_rng(0), 20, 20, 0.3)
    run = sparch(x, x, machine=SpArch(radix=4, dram=Dram(8, latency_cycles=50)))
    bits = sum(words * run.bits[name] for name, words in run.accesses["dram"].items())
    assert run.cycles == 50 + -(-bits // 8)
    assert set(run.energy(HOROWITZ_45NM)) == {"mac", "dram", "buffer", "link"}


def test_a_product_of_nothing():
    run = sparch(np.zeros((3, 4), int), np.ones((4, 2), int))
    np.testing.assert_array_equal(run.y, np.zeros((3, 2)))
    assert (run.macs, run.cycles, run.words("link")) == (0, 0, 0)


def test_what_is_no_machine():
    with pytest.raises(ValueError, match=r"SpArch: radix must be .* 2 or more, got 1"):
        SpArch(radix=1)
    with pytest.raises(TypeError, match=r"SpArch: buffer must be a RowBuffer, got 8"):
        SpArch(buffer=8)
    with pytest.raises(ValueError, match=r"SpArch: merge_words must be .* got 0"):
        SpArch(merge_words=0)
    with pytest.raises(ValueError, match=r"SpArch: value_bits must be .* in \[1, 64\], got 0"):
        SpArch(value_bits=0)
    with pytest.raises(ValueError, match=r"sparch: weight must have a row for each of the 2 col"):
        sparch(np.ones((1, 2)), np.ones((1, 2)))
    with pytest.raises(TypeError, match="sparch: machine must be a SpArch, got 3"):
        sparch(np.ones((1, 1)), np.ones((1, 1)), machine=3)
