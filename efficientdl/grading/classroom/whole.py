"""`efficientdl class grade`: a class is graded, and all that comes of it is written.

`results.jsonl` (the journal), `gradebook.csv`, `canvas.csv` and `moodle.csv`, `class.html` for the
teacher, and `reports/` with a page for each learner.
"""

from collections.abc import Sequence
from pathlib import Path

from efficientdl.course.store import write_text
from efficientdl.grading.classroom.gradebook import write_gradebooks
from efficientdl.grading.classroom.journal import Entry
from efficientdl.grading.classroom.learner import safe_name
from efficientdl.grading.classroom.page import class_page
from efficientdl.grading.classroom.pool import Summary, grade_class
from efficientdl.grading.classroom.similarity import handed_out, similar
from efficientdl.grading.release import Release, find_release
from efficientdl.grading.report import html_report
from efficientdl.grading.report.words import title_of
from efficientdl.grading.score import from_json


def grade_whole_class(
    folder: Path,
    out: Path,
    *,
    root: Path,
    lab: str | None,
    key: bytes,
    jobs: int | None = None,
    scheduler: str | None = None,
) -> Summary:
    """Grade a class and write its results; the arguments are those of `grade_class`.

    Raises:
        BadValue: As `grade_class`.
    """
    summary = grade_class(folder, out, root=root, lab=lab, key=key, jobs=jobs, scheduler=scheduler)
    write_results(out, summary.entries, root)
    return summary


def write_results(out: Path, entries: Sequence[Entry], root: Path) -> None:
    """Write everything but the journal."""
    scored = [entry for entry in entries if entry["score"]]
    releases = {
        lab: find_release(root, lab)
        for lab in sorted({entry["score"]["release"]["lab"] for entry in scored})
    }
    titles = {lab: title_of(release) for lab, release in releases.items()}
    write_gradebooks(out, entries, titles)
    known = {i: texts for release in releases.values() for i, texts in handed_out(release).items()}
    write_text(out / "class.html", class_page(entries, similar(scored, known), titles=titles))
    for entry in scored:
        _write_report(out, entry, releases)


def _write_report(out: Path, entry: Entry, releases: dict[str, Release]) -> None:
    score = from_json(entry["score"])
    path = out / "reports" / f"{safe_name(entry['place'])}.html"
    write_text(path, html_report(score, releases[score.lab]))
