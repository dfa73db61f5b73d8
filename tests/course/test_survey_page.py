"""The committed page says what is computed."""

from pathlib import Path

import pytest

from efficientdl.course.survey_page import page, write

COMMITTED = Path(__file__).parents[2] / "benchmarks" / "survey_tables.md"


@pytest.mark.slow
def test_the_committed_page_is_up_to_date():
    assert COMMITTED.read_text(encoding="utf-8") == page()


@pytest.mark.slow
def test_a_miss_stands_there_with_its_reason():
    text = page()
    assert "| GoogleNet | #MACs (M) | 1550 | 1582.7 |" in text
    assert "no (+2.11%)" in text
    assert "## Table 3: 33 of 36 numbers come out" in text


@pytest.mark.slow
def test_written_below_a_root(tmp_path):
    (tmp_path / "benchmarks").mkdir()
    path = write(tmp_path)
    assert path.read_text(encoding="utf-8") == page()
