"""The text twin says exactly what the figure shows."""

from xml.etree import ElementTree

import pytest

from efficientdl.viz import Table
from tests.viz import samples


def test_bars_are_a_row_for_each_name():
    table = samples.BARS.table()
    assert table.head == (
        "Network",
        "dense: Size (MB)",
        "pruned: Size (MB)",
        "dense: label",
    )
    assert table.rows[1] == ("VGG-16 <wide>", 528, 49, "38 x")


def test_histograms_are_a_row_for_each_bin_and_name_their_lines():
    table = samples.HISTOGRAM.table()
    assert table.rows == ((-2, -1, 3, 0), (-1, 0, 0, 8), (0, 1, 1, 7), (1, 2, 4, 0))
    assert "threshold: 1" in table.caption


def test_points_and_lines_are_a_row_for_each_mark():
    assert samples.LINES.table().rows[:2] == (("train", 0, 1.0), ("train", 1, 0.1))
    assert samples.LINES.table().rows[-1] == ("goal", None, 0.05)
    assert samples.BUBBLES.table().rows[0] == ("networks", "AlexNet", 720, 57.2, 61)


def test_heatmaps_are_a_row_for_each_name():
    assert samples.HEATMAP.table().rows == (("0", 90, 10), ("1", 5, 95))


@pytest.mark.parametrize("name", samples.ALL)
def test_html_can_be_walked_through(name):
    root = ElementTree.fromstring(samples.ALL[name].table().html())
    assert root.find("caption").text.startswith(samples.ALL[name].title)
    heads = root.findall("thead/tr/th")
    assert {head.get("scope") for head in heads} == {"col"}
    rows = root.findall("tbody/tr")
    assert [row[0].get("scope") for row in rows] == ["row"] * len(rows)
    assert {len(row) for row in rows} == {len(heads)}


def test_long_tables_say_what_they_leave_out():
    table = Table("Squares", ("n",), tuple((i,) for i in range(100)))
    assert "first 40 of 100 rows" in table.html()
    assert table.html().count("<tr>") == 41
    assert len(table.rows) == 100


def test_words_stand_left_and_numbers_right():
    printed = str(Table("Sizes", ("what", "KiB"), (("a", 5), ("long", 1000))))
    assert printed.splitlines()[2:] == ["----  -----", "a         5", "long  1,000"]


def test_ragged_rows():
    with pytest.raises(ValueError, match="Table: rows must have 2 cells each"):
        Table("t", ("a", "b"), ((1,),))
