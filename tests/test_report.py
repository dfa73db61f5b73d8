"""Costs add up, unknown figures stay unknown, and a report prints what it holds."""

from dataclasses import asdict
from functools import reduce
from math import inf
from operator import add

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from efficientdl.report import FIGURES, Cost, Report

FIGURE = st.none() | st.integers(0, 10**12)
COSTS = st.builds(Cost, **dict.fromkeys(FIGURES, FIGURE))
NAMES = st.text("abc<&>", min_size=1, max_size=5)
REPORTS = st.builds(Report, st.dictionaries(NAMES, COSTS, max_size=5))
WHOLE = st.builds(Cost, **dict.fromkeys(FIGURES, st.integers(0, 10**9)))


@given(COSTS, COSTS, COSTS)
def test_sums_are_associative_and_commutative(a, b, c):
    assert (a + b) + c == a + (b + c)
    assert a + b == b + a


@given(COSTS)
def test_zero_changes_nothing_and_unknown_swallows_all(cost):
    assert cost + Cost.zero() == cost
    assert cost + Cost() == Cost()


@given(st.lists(WHOLE, min_size=1, max_size=6))
def test_figures_sum_and_activations_take_the_larger(costs):
    total = asdict(reduce(add, costs))
    for name in FIGURES:
        column = [getattr(cost, name) for cost in costs]
        expected = max(column) if name == "activation_bytes" else np.sum(column)
        assert total[name] == expected


@given(REPORTS)
def test_the_total_is_the_sum_of_the_rows(report):
    for name in FIGURES:
        column = [getattr(cost, name) for cost in report.rows.values()]
        total = getattr(report.total, name)
        if None in column:
            assert total is None
        else:
            wanted = max(column, default=0) if name == "activation_bytes" else sum(column)
            assert total == wanted


def test_costs_add_to_costs_only():
    with pytest.raises(TypeError, match="unsupported operand"):
        Cost() + 1


def test_a_cost_cannot_be_changed_and_shows_what_it_knows():
    cost = Cost(params=3, energy_pj=0.5)
    with pytest.raises(AttributeError):
        cost.params = 4
    assert repr(cost) == "Cost(params=3, energy_pj=0.5)"
    assert cost.known() == {"params": 3, "energy_pj": 0.5}


@given(WHOLE, WHOLE)
def test_ratio_is_times_smaller(mine, theirs):
    ratio = Report({"a": mine}).ratio(Report({"b": theirs}))
    for name in FIGURES:
        new, old = getattr(mine, name), getattr(theirs, name)
        expected = old / new if new else (1.0 if old == 0 else inf)
        assert ratio[name] == expected


def test_ratio_leaves_out_what_one_side_does_not_know():
    ours = Report({"a": Cost(macs=10, params=1), "b": Cost(macs=0)})
    assert ours.ratio(Report({"a": Cost(macs=40, params=2)})) == {"macs": 4.0}
    with pytest.raises(
        TypeError, match=r"Report.ratio: other must be a Report, got Cost\(macs=1\)"
    ):
        ours.ratio(Cost(macs=1))


def test_with_row_replaces_figures_of_one_row():
    report = Report({"a": Cost(macs=10, params=1), "b": Cost(macs=5)})
    changed = report.with_row("a", macs=3, energy_pj=None)
    assert changed.rows == {"a": Cost(macs=3, params=1), "b": Cost(macs=5)}
    assert report.rows["a"].macs == 10
    with pytest.raises(ValueError, match=r"Report.with_row: name must be one of a, b, got 'c'"):
        report.with_row("c", macs=1)


def test_it_prints_as_a_table():
    report = Report({
        "conv1": Cost(params=1500, weight_bits=48000, activation_bytes=2048),
        "head": Cost(params=10, weight_bits=8192, activation_bytes=1024, energy_pj=2.5e6),
    })
    assert str(report).splitlines() == [
        "layer  params  weights KiB  activations KiB  energy uJ",
        "-----  ------  -----------  ---------------  ---------",
        "conv1   1,500         5.86             2.00          -",
        "head       10         1.00             1.00      2.500",
        "total   1,510         6.86             2.00          -",
    ]


def test_a_note_stands_under_the_table_and_stays_with_the_rows():
    rows = {"a": Cost(macs=10)}
    plain, noted = Report(rows), Report(rows, note="removed 4 < 8 units")
    assert str(noted) == f"{plain}\nremoved 4 < 8 units"
    assert noted._repr_html_() == f"{plain._repr_html_()}<p>removed 4 &lt; 8 units</p>"
    assert noted == plain  # a note is about the figures, not one of them
    changed = noted.with_row("a", macs=5)
    assert (changed.note, changed.total.macs) == (noted.note, 5)
    assert (plain.note, noted.total) == ("", plain.total)


@settings(max_examples=50)
@given(REPORTS)
def test_every_printed_cell_is_in_the_html_once_escaped(report):
    html = report._repr_html_()
    table = report.table()
    assert html.count("<tr>") == len(table) == len(report.rows) + 2
    assert html.count("<td>") + html.count('scope="row"') == sum(map(len, table[1:]))
    for name in report.rows:
        escaped = name.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        assert f'<th scope="row">{escaped}</th>' in html


def test_no_rows_no_columns():
    assert Report({}).table() == [["layer"], ["total"]]
    assert Report({}).total == Cost.zero()
    assert str(Report({})) == "layer\n-----\ntotal"
