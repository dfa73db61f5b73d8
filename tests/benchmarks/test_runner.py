"""The benchmark runner: what it measures, divides and writes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.runner import Contest, Line, machine, markdown, result, run, write

ROOT = Path(__file__).parents[2]


def contest():
    entries = {"long": lambda: sum(range(20_000)), "short": lambda: sum(range(200))}
    return Contest("sums", entries, baseline="short", note="Both add whole numbers.")


def test_every_entry_has_a_line_and_the_baseline_is_one():
    lines = run(contest(), repeats=5)
    assert [line.entry for line in lines] == ["long", "short"]
    assert lines[1].ratio == lines[1].ratio_low == lines[1].ratio_high == 1.0
    assert all(0 < line.low_s <= line.median_s <= line.high_s for line in lines)
    assert lines[0].ratio > 1


def test_unknown_baseline_is_refused():
    with pytest.raises(ValueError, match="baseline must be one of a, got 'b'"):
        run(Contest("one", {"a": lambda: None}, baseline="b"), repeats=1)


def test_page_and_file_hold_the_same_figures(tmp_path):
    line = Line("long", 0.002, 0.001, 0.003, 2.5, 2.25, 2.75)
    stored = [result(contest(), [line], repeats=5)]
    page = markdown("Sums", stored, machine())
    write(tmp_path, "sums", page, stored)
    assert "| long | 2 | 1 to 3 | 2.50 | 2.25 to 2.75 |" in (tmp_path / "sums.md").read_text()
    read = json.loads((tmp_path / "sums.json").read_text())
    assert read["results"][0]["lines"][0]["ratio"] == 2.5
    assert read["machine"]["processor"]
    assert read["results"][0]["versions"]["torch"]


def test_unknown_benchmark_is_refused_in_plain_words():
    words = [sys.executable, "-m", "benchmarks", "zzz"]
    run = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 2
    names = "compression, counting, grading, hardware, kernels, zoo"
    assert f"NAME must be one of {names}, got 'zzz'" in run.stderr
    assert "Traceback" not in run.stderr
