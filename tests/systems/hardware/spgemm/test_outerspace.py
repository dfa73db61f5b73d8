import numpy as np
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st

from efficientdl.systems.hardware.arch import Dram
from efficientdl.systems.hardware.presets import HOROWITZ_45NM
from efficientdl.systems.hardware.spgemm.outerspace import OuterSpace, outerspace
from tests.systems.hardware.spgemm.drawn import products, quick, sparse


def structure(matrix):
    return (matrix != 0).astype(np.int64)


def test_one_unit_does_a_full_product_at_a_mac_a_cycle_and_merges_a_word_a_cycle():
    rng = np.random.default_rng(0)
    x, weight = rng.integers(1, 9, (3, 4)), rng.integers(1, 9, (4, 5))
    run = outerspace(x, weight, machine=OuterSpace(n_units=1, merge_units=1))
    np.testing.assert_array_equal(run.y, x @ weight)
    assert (run.macs, run.cycles) == (60, 2 * 60)


@quick
@given(products(), st.integers(1, 5), st.integers(1, 5))
def test_the_product_is_scipys_and_the_words_are_counted_from_the_structure(matrices, units, merge):
    x, weight = matrices
    run = outerspace(x, weight, machine=OuterSpace(units, merge))
    np.testing.assert_array_equal(
        run.y, (scipy.sparse.csr_array(x) @ scipy.sparse.csr_array(weight)).toarray()
    )
    met = structure(x) @ structure(weight)  # how many products meet in each place
    n_lists = int(structure(x).sum(axis=0) @ weight.any(axis=1))
    assert run.macs == met.sum()
    assert run.accesses["dram"] == {
        "x": np.count_nonzero(x),
        "weight": np.count_nonzero(weight[x.any(axis=0)]),
        "psum": 2 * met.sum(),
        "y": np.count_nonzero(met),
        "pointer": 2 * (len(weight) + 1) + 2 * n_lists + len(x) + 1,
    }


@quick
@given(products(), st.integers(1, 5), st.integers(1, 5))
def test_cycles_are_between_even_work_and_the_bound_for_work_that_is_handed_out(
    matrices, units, merge
):
    """Graham: whoever is idle takes the next piece, and all end within one piece of the mean."""
    x, weight = matrices
    pieces = (structure(weight).sum(axis=1) * structure(x)).ravel()
    rows = (structure(x) @ structure(weight)).sum(axis=1)
    cycles = outerspace(x, weight, machine=OuterSpace(units, merge)).cycles
    least = [max(-(-work.sum() // n), work.max()) for work, n in ((pieces, units), (rows, merge))]
    most = [
        work.sum() / n + (1 - 1 / n) * work.max() for work, n in ((pieces, units), (rows, merge))
    ]
    assert sum(least) <= cycles <= sum(most)


def test_equal_work_takes_as_many_turns_as_there_are_pieces_for_a_unit():
    x, weight = np.ones((6, 5), int), np.ones((5, 7), int)
    run = outerspace(x, weight, machine=OuterSpace(n_units=4, merge_units=4))
    assert run.cycles == -(-30 // 4) * 7 + -(-6 // 4) * 35


def test_a_slow_memory_limits_each_phase():
    x = sparse(np.random.default_rng(0), 20, 20, 0.3)
    fast = outerspace(x, x)
    slow = outerspace(x, x, machine=OuterSpace(dram=Dram(8, latency_cycles=50)))
    assert slow.accesses == fast.accesses
    bits = 8 * fast.cost().traffic_bytes
    assert bits / 8 + 100 <= slow.cycles <= bits / 8 + 102  # two phases, each rounded up
    assert fast.cost(HOROWITZ_45NM).energy_pj == slow.cost(HOROWITZ_45NM).energy_pj > 0


def test_floats_are_multiplied_too_and_sums_of_zero_are_words_like_others():
    x, weight = np.array([[1.5, 1.5]]), np.array([[2.0, 1], [-2.0, 0]])
    run = outerspace(x, weight)
    np.testing.assert_array_equal(run.y, [[0.0, 1.5]])
    assert run.accesses["dram"]["y"] == 2


@pytest.mark.parametrize("name", ["n_units", "merge_units", "value_bits", "index_bits"])
def test_what_is_no_machine(name):
    with pytest.raises(ValueError, match=rf"OuterSpace: {name} must be .*, got 0"):
        OuterSpace(**{name: 0})
    with pytest.raises(ValueError, match=r"outerspace: weight must have a row for each of the 2"):
        outerspace(np.ones((1, 2)), np.ones((1, 2)))
    with pytest.raises(TypeError, match="outerspace: machine must be a OuterSpace, got 3"):
        outerspace(np.ones((1, 1)), np.ones((1, 1)), machine=3)
