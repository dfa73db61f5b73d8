"""The time of all folds in closed form, against walking through them one by one."""

from hypothesis import given, settings
from hypothesis import strategies as st

from efficientdl.systems.hardware.dataflow.folds import Cut, Fold, Timing, charged, elapsed
from tests.systems.hardware.drawn import arrays


@settings(deadline=None, database=None, derandomize=True)
@given(
    rows=st.integers(1, 50),
    cols=st.integers(1, 50),
    array=arrays(),
    weights=st.tuples(*[st.integers(1, 9)] * 5),
)
def test_it_is_the_walk_through_all_folds(rows, cols, array, weights):
    a, b, c, d, e = weights

    def gap(fold, following):
        return a * fold.rows + b * fold.cols + c * following.rows + d * following.cols

    def span(fold):
        return e * (fold.rows + 3 * fold.cols)

    cut = Cut(rows, array.rows), Cut(cols, array.cols)
    folds = [
        Fold(charged(r, array.rows, array.edge), charged(c, array.cols, array.edge))
        for c in cut[1]
        for r in cut[0]
    ]
    start, end = 7, 0
    for i, fold in enumerate(folds):
        start += gap(folds[i - 1], fold) if i else 0
        end = max(end, start + span(fold))
    assert elapsed(*cut, array, Timing(7, gap, span)) == end


@given(total=st.integers(1, 99), size=st.integers(1, 20))
def test_a_cut_is_its_parts(total, size):
    cut, parts = Cut(total, size), list(Cut(total, size))
    assert sum(parts) == total
    assert (cut.n, cut.first, cut.last) == (len(parts), parts[0], parts[-1])
    assert cut.sum(lambda part: part**2) == sum(part**2 for part in parts)
