"""What became of a method, in the note of its report: what its ratio means, and what cut it short.

A training that is interrupted hands back what it has reached. The methods here then prune to the
sparsity asked for, leave out the trainings that would follow, and say so.
"""

from dataclasses import replace

from efficientdl.report import Report


def noted(report: Report, *said: str) -> Report:
    """The report with a note of these clauses, its own first; empty ones are left out.

    >>> noted(Report({}, note="a half is gone"), "", "interrupted in round 2 of 5").note
    'a half is gone; interrupted in round 2 of 5'
    """
    return replace(report, note="; ".join(clause for clause in (report.note, *said) if clause))
