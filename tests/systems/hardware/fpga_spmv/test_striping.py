import numpy as np
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st

from efficientdl.systems.hardware.arch import Dram
from efficientdl.systems.hardware.fpga_spmv.striping import StripePipeline, striped, stripes
from tests.systems.hardware.fpga_spmv.drawn import matvecs
from tests.systems.hardware.spgemm.drawn import band, quick, sparse

MANY = StripePipeline(n_units=1000)


def longest_chain_that_never_goes_up_nor_right(weight):
    """No two of its entries share a stripe, so there are at least so many."""
    longest = np.zeros((weight.shape[0] + 1, weight.shape[1] + 1), int)
    for i in range(weight.shape[0]):
        for j in range(weight.shape[1] - 1, -1, -1):
            here = max(longest[i - 1, j], longest[i, j + 1])
            longest[i, j] = here + (weight[i, j] != 0)
    return longest[weight.shape[0] - 1, 0]


def queues(weight, cut):
    """The pipeline of streams cycle by cycle: how long until all sums have left."""
    m, k = weight.shape
    rows, columns = weight.nonzero()
    work = [[(rows[e], columns[e]) for e in stripe] for stripe in cut]
    sums, words = [[list(range(m))], [list(range(k))]]
    sums += [[] for _ in cut]
    words += [[] for _ in cut]
    left, cycles = 0, 0
    while left < m:
        arrived = [len(queue) for queue in sums], [len(queue) for queue in words]
        for p, todo in enumerate(work):
            entry = todo[0] if todo else (m, k)
            # In its first unit a stream has one word more each cycle.
            y_ready = (
                (sums[0][:1] if sums[0] and sums[0][0] <= cycles else [])
                if p == 0
                else (sums[p][:1] if arrived[0][p] else [])
            )
            x_ready = (
                (words[0][:1] if words[0] and words[0][0] <= cycles else [])
                if p == 0
                else (words[p][:1] if arrived[1][p] else [])
            )
            both = bool(y_ready and x_ready) and (y_ready[0], x_ready[0]) == entry
            if y_ready and (y_ready[0] < entry[0] or both):
                sums[p + 1].append(sums[p].pop(0))
            if x_ready and (x_ready[0] < entry[1] or both):
                words[p + 1].append(words[p].pop(0))
            if both:
                todo.pop(0)
        left, cycles = len(sums[-1]), cycles + 1
    return cycles


@quick
@given(matvecs())
def test_stripes_go_down_and_right_hold_every_entry_and_are_as_few_as_can_be(matvec):
    weight, _ = matvec
    rows, columns = weight.nonzero()
    cut = stripes(weight)
    for stripe in cut:
        assert (np.diff(rows[stripe]) > 0).all()
        assert (np.diff(columns[stripe]) > 0).all()
    every = np.concatenate([*cut, np.zeros(0, int)])
    np.testing.assert_array_equal(np.sort(every), np.arange(len(rows)))
    assert len(cut) == longest_chain_that_never_goes_up_nor_right(weight)


@pytest.mark.parametrize(("m", "k"), [(1, 1), (4, 4), (3, 7), (7, 3), (1, 5), (5, 1)])
def test_a_full_matrix_has_all_diagonals_for_stripes(m, k):
    weight = np.ones((m, k), int)
    assert len(stripes(weight)) == m + k - 1
    run = striped(weight, np.arange(k), machine=MANY)
    np.testing.assert_array_equal(run.y, weight @ np.arange(k))
    assert run.cycles == m + (k - 1) + (m + k - 1) - 1  # u = k - 1, d = m + k - 1


@quick
@given(st.integers(2, 12), st.data())
def test_a_band_takes_its_rows_its_head_start_and_a_cycle_for_each_other_unit(n, data):
    highest = data.draw(st.integers(0, n - 1))
    lowest = data.draw(st.integers(1 - n, highest))
    weight, x = band(n, highest, lowest), np.arange(n)
    diagonals = highest - lowest + 1
    run = striped(weight, x, machine=MANY)
    assert len(stripes(weight)) == diagonals
    assert run.cycles == n + highest + diagonals - 1
    np.testing.assert_array_equal(run.y, weight @ x)


@quick
@given(matvecs(max_rows=8, max_columns=8))
def test_the_times_of_arrival_are_those_of_queues_cycle_by_cycle(matvec):
    weight, x = matvec
    run = striped(weight, x, machine=MANY)
    if weight.any():
        assert run.cycles == queues(weight, stripes(weight))
    else:
        assert run.cycles == 0


@quick
@given(matvecs(), st.integers(1, 6))
def test_the_product_is_scipys_on_any_number_of_units(matvec, n_units):
    weight, x = matvec
    run = striped(weight, x, machine=StripePipeline(n_units))
    np.testing.assert_array_equal(run.y, scipy.sparse.csr_array(weight) @ x)
    passes = -(-len(stripes(weight)) // n_units)
    m, k = weight.shape
    kept = np.count_nonzero(weight)
    psum = 2 * m * max(0, passes - 1)
    assert run.accesses["dram"] == {
        "weight": kept,
        "index": kept,
        "x": passes * k,
        "psum": psum,
        "y": m,
    }
    assert run.macs == kept <= max(run.cycles, 1) * n_units
    assert run.cycles >= passes * m


def test_a_slow_memory_limits():
    weight = sparse(np.random.default_rng(0), 20, 20, 0.3)
    run = striped(weight, np.ones(20, int), machine=StripePipeline(dram=Dram(8)))
    assert run.cycles == run.cost().traffic_bytes


def test_what_cannot_be_striped():
    with pytest.raises(ValueError, match=r"stripes: weight must be a matrix .* got \(2, 0\)"):
        stripes(np.ones((2, 0)))
    with pytest.raises(ValueError, match=r"striped: x must have the shape \(3,\), got \(2,\)"):
        striped(np.ones((2, 3)), np.ones(2))
    with pytest.raises(ValueError, match=r"StripePipeline: n_units must be .* got 0"):
        StripePipeline(n_units=0)
    with pytest.raises(TypeError, match="striped: machine must be a StripePipeline, got 3"):
        striped(np.ones((1, 1)), np.ones(1), machine=3)
