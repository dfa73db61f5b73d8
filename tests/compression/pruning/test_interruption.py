"""Notes: clauses in order, nothing where there is nothing to say."""

from efficientdl.compression.pruning.interruption import noted
from efficientdl.report import Report


def test_clauses_follow_the_reports_own():
    report = Report({}, note="a")
    assert noted(report, "b", "", "c").note == "a; b; c"
    assert noted(Report({}), "b").note == "b"
    assert noted(Report({})).note == ""
    assert report.note == "a"
