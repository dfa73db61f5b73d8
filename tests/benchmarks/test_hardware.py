"""The accelerators' benchmark: what it refuses, how it judges, and what its page says."""

import numpy as np
import pytest

from benchmarks import hardware, hardware_scalesim, hardware_tables
from benchmarks.hardware import Job, demand_same, page, row, timed


def test_every_job_is_done_in_every_round_and_once_before():
    done = []
    jobs = [Job(name, lambda name=name: done.append(name)) for name in "ab"]
    rows = timed(jobs, 3)
    assert [one["name"] for one in rows] == ["a", "b"]
    assert done.count("a") == done.count("b") == 4
    assert all(one["rounds"] == 3 for one in rows)


def test_a_bar_is_kept_or_missed_by_the_median():
    job = Job("j", lambda: None, bar_ms=20, work=1e6, unit="updates")
    assert row(job, [0.019, 0.5, 0.001])["within"]
    assert not row(job, [0.021, 0.5, 0.001])["within"]
    assert row(job, [0.5])["rate"] == 2e6
    assert not row(Job("free", lambda: None), [0.001])["within"]


def test_the_page_has_every_row_and_says_what_was_left_out():
    time = {"kind": "time", **row(Job("a job", lambda: None, bar_ms=10, work=8, unit="x"), [0.02])}
    skipped = {"kind": "peer", "skipped": "Left out: no Python."}
    table = {"kind": "table", "name": "EIE", "note": "Table IV", "text": "layer  us"}
    text = page([time, skipped, table], {"cores": 2})
    assert "| a job | 20 | 20 to 20 | 10, missed | 400 x a second |" in text
    assert "Left out: no Python." in text
    assert "## EIE" in text


def test_the_peers_ratio_is_of_the_same_product():
    peer = {"kind": "peer", "name": "8 x 8", "theirs_s": 3.0, "whole_s": 9, "ours_s": 0.05}
    text = page([peer | {"their_cycles": 10, "our_cycles": 12}], {})
    assert "8 x 8" in text
    assert " 60.0 " in text
    assert " 180 " in text
    assert "the least is 60.0" in text


def test_another_product_is_not_timed():
    demand_same(np.eye(2), np.eye(2))
    with pytest.raises(ValueError, match="another product than NumPy"):
        demand_same(np.eye(2), np.ones((2, 2)))


def test_without_the_peer_its_rows_say_so(monkeypatch):
    monkeypatch.delenv(hardware_scalesim.VARIABLE, raising=False)
    (found,) = hardware_scalesim.rows()
    assert "EFFICIENTDL_SCALESIM names no Python" in found["skipped"]


def test_a_peer_that_fails_is_told(monkeypatch):
    monkeypatch.setattr(hardware_scalesim, "LIMIT_S", 20)
    monkeypatch.setenv(hardware_scalesim.VARIABLE, "/bin/false")
    with pytest.raises(ValueError, match="SCALE-Sim, os on 8 x 8"):
        next(hardware_scalesim.rows())


def test_a_thousand_machines_are_drawn():
    assert len(hardware.SIDES) * len(hardware.BUFFERS) * len(hardware.KINDS) >= 1000


def test_the_dataflows_table_has_every_dataflow_and_row_stationary_takes_least():
    lines = hardware_tables.dataflows().splitlines()
    assert len(lines) == 2 + 5
    energy = {line.split("  ")[0]: float(line.split()[-1]) for line in lines[2:]}
    assert min(energy, key=energy.get) == "row stationary"


def test_gemmini_is_left_out_without_its_rows(monkeypatch):
    monkeypatch.delenv("EFFICIENTDL_ORACLES", raising=False)
    assert hardware_tables.gemmini().startswith("Left out")


@pytest.mark.oracle
def test_gemmini_is_as_near_as_promised():
    text = hardware_tables.gemmini()
    if text.startswith("Left out"):
        pytest.skip("EFFICIENTDL_ORACLES names no folder, so gemmini_rtl.csv cannot be found")
    median = next(line for line in text.splitlines() if line.startswith("median"))
    assert float(median.split()[2].rstrip("%")) <= 21
