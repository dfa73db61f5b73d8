from collections import OrderedDict
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from efficientdl.systems.hardware.spgemm.row_buffer import RowBuffer
from tests.systems.hardware.spgemm.drawn import quick

ALL = 10**6
lengths_of = st.lists(st.integers(0, 9), min_size=1, max_size=6)


@st.composite
def streams(draw, max_uses=40):
    lengths = np.array(draw(lengths_of))
    row = st.integers(0, len(lengths) - 1)
    return np.array(draw(st.lists(row, max_size=max_uses)), np.int64), lengths


def lines_of(uses, lengths, line_words):
    """Each line that is wanted, with its words: the first line of a row, the second, ..."""
    return [
        ((int(row), line), min(line_words, lengths[row] - line * line_words))
        for row in uses
        for line in range(-(-lengths[row] // line_words))
    ]


def least_recently_used(uses, lengths, size, line_words):
    held, words = OrderedDict(), 0
    for line, length in lines_of(uses, lengths, line_words):
        if line in held:
            held.move_to_end(line)
            continue
        words += length
        if len(held) == size:
            held.popitem(last=False)
        held[line] = True
    return words


def fewest_loads(wanted, size):
    """By trying every replacement."""

    @cache
    def after(t, held):
        if t == len(wanted):
            return 0
        if wanted[t] in held:
            return after(t + 1, held)
        if len(held) < size:
            return 1 + after(t + 1, held | {wanted[t]})
        return 1 + min(after(t + 1, held - {line} | {wanted[t]}) for line in held)

    return after(0, frozenset())


def test_a_buffer_for_all_rows_reads_each_once():
    lengths = np.array([5, 3, 7])
    uses = np.array([0, 1, 0, 0, 1, 0])
    read = RowBuffer(lines=5, line_words=3).read(uses, lengths)
    np.testing.assert_array_equal(read, [5, 3, 0, 0, 0, 0])


@quick
@given(streams(), st.integers(1, 6), st.integers(1, 5))
def test_knowing_nothing_it_replaces_what_was_used_least_recently(stream, size, line_words):
    read = RowBuffer(size, line_words, ahead=0).read(*stream)
    assert read.sum() == least_recently_used(*stream, size, line_words)


@quick
@given(streams(max_uses=12), st.integers(1, 4))
def test_knowing_all_no_policy_loads_less(stream, size):
    uses, lengths = stream
    wanted = tuple(line for line, _ in lines_of(uses, lengths, 1))
    assert RowBuffer(size, 1, ahead=ALL).read(uses, lengths).sum() == fewest_loads(wanted, size)


@quick
@given(streams(), st.integers(1, 6), st.integers(1, 5), st.integers(0, 9))
def test_reads_are_never_fewer_than_once_nor_more_than_at_each_use(stream, size, words, ahead):
    uses, lengths = stream
    read = RowBuffer(size, words, ahead).read(uses, lengths)
    assert (read <= lengths[uses]).all()
    assert lengths[np.unique(uses)].sum() <= read.sum()


@quick
@given(streams(), st.integers(1, 6), st.integers(1, 5))
def test_a_larger_buffer_that_knows_all_never_reads_more(stream, size, line_words):
    """By lines: the last line of a row is shorter, so the words alone may rise."""
    uses, lengths = stream
    full = -(-lengths // line_words) * line_words
    read = [RowBuffer(each, line_words, ALL).read(uses, full).sum() for each in (size, size + 1)]
    assert read[1] <= read[0]


def test_looking_ahead_pays_where_the_past_misleads():
    lengths, uses = np.full(3, 4), np.tile([0, 1, 2], 4)
    read = [int(RowBuffer(2, 4, ahead).read(uses, lengths).sum()) for ahead in (0, 4, ALL)]
    assert read == [48, 28, 28]  # every use; the first three, then every second


@pytest.mark.parametrize("name", ["lines", "line_words"])
def test_what_is_no_buffer(name):
    with pytest.raises(ValueError, match=rf"RowBuffer: {name} must be .* 1 or more, got 0"):
        RowBuffer(**{name: 0})
    with pytest.raises(ValueError, match=r"RowBuffer: ahead must be .* 0 or more, got -1"):
        RowBuffer(ahead=-1)
