"""What a learner reads about a score: one HTML file, or the same in Markdown.

A report says for each exercise what was asked, how it came out, what came back on one public
case, and the hint for that failure. It is made of the `Score` and of the lab's own text, and of
nothing else: no clock, no file, no network. What a learner wrote is quoted, never obeyed.
"""

from pathlib import Path

from efficientdl import _check
from efficientdl.course.store import write_text
from efficientdl.grading.release import Release
from efficientdl.grading.report.html import html_report
from efficientdl.grading.report.markdown import markdown_report
from efficientdl.grading.score import Score

_FORMS = {".html": html_report, ".htm": html_report, ".md": markdown_report}


def check_form(path: Path) -> None:
    """Demand a file name that tells the form, before any work is done for it.

    Raises:
        BadValue: The suffix is not .html, .htm or .md.
    """
    if path.suffix.lower() not in _FORMS:
        _check.fail("report", "file", "must end in .html, .htm or .md", path.name)


def write_report(path: Path, score: Score, release: Release) -> None:
    """Write the report in the form that the file's suffix names.

    Raises:
        BadValue: The suffix is not .html, .htm or .md, or the folder cannot be written to.
    """
    check_form(path)
    write_text(path, _FORMS[path.suffix.lower()](score, release))


__all__ = ["check_form", "html_report", "markdown_report", "write_report"]
