"""The tables of a class, read back by a reader that is not ours and by the rules of importers."""

import csv

import pytest
from hypothesis import given
from hypothesis import strategies as st

from efficientdl.grading.classroom import write_gradebooks
from efficientdl.grading.classroom.gradebook import best_entries, cell
from tests.grading.classroom.fakes import line

CANVAS_HEAD = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section"]


def write(out, entries, titles=None):
    return {path.name for path in write_gradebooks(out, entries, titles or {})}


def read(path, encoding="utf-8"):
    with path.open(encoding=encoding, newline="") as file:
        return list(csv.reader(file))


def canvas(place, learner, user, earned=5.0, **more):
    return line(place, learner, earned, ids={"canvas_user": user, "canvas_submission": "9"}, **more)


def moodle(place, learner, number, earned=5.0, **more):
    return line(place, learner, earned, ids={"moodle_participant": number}, **more)


def test_the_plain_table_lists_everything(tmp_path):
    write(tmp_path, [
        line("b.ipynb", "bob", 10.0),
        line("a/2.ipynb", "ann", None),
        line("a/1.ipynb", "ann", 3.25, reason="a note"),
        line("c.ipynb", "cy", status="refused", reason="c.ipynb is no regular file"),
    ])  # fmt: skip
    head = ["learner", "place", "lab", "status", "total", "points", "ungraded", "remark"]
    assert read(tmp_path / "gradebook.csv", "utf-8-sig") == [
        [*head, "a-task", "b-task"],
        ["ann", "a/1.ipynb", "01_costs", "graded", "5.75", "20", "0", "a note", "3.25", "2.5"],
        ["ann", "a/2.ipynb", "01_costs", "graded", "2.5", "10", "10", "", "", "2.5"],
        ["bob", "b.ipynb", "01_costs", "graded", "12.5", "20", "0", "", "10", "2.5"],
        ["cy", "c.ipynb", "", "refused", "", "", "", "c.ipynb is no regular file", "", ""],
    ]


def test_only_the_table_for_people_has_a_mark(tmp_path):
    write(tmp_path, [moodle("a.ipynb", "Zoë", "7")])
    marked = {p.name: p.read_bytes().startswith(b"\xef\xbb\xbf") for p in tmp_path.iterdir()}
    assert marked == {"gradebook.csv": True, "canvas.csv": False, "moodle.csv": False}


def test_canvas(tmp_path):
    entries = [
        canvas("1", "doejane", "1204", 3.0),
        canvas("2", "doejane", "1204", 8.0),
        canvas("3", "roerich", "77", 1.0, lab="02_pruning"),
        line("4", "login7", 10.0),
        line("5", "nobody", status="refused"),
    ]
    write(tmp_path, entries, {"01_costs": "Lab 1 (4711)"})
    assert read(tmp_path / "canvas.csv") == [
        [*CANVAS_HEAD, "Lab 1 (4711)", "02_pruning"],
        ["Points Possible", "", "", "", "", "20", "20"],
        ["doejane", "1204", "", "", "", "10.5", ""],
        ["login7", "", "", "login7", "", "12.5", ""],
        ["roerich", "77", "", "", "", "", "3.5"],
    ]


def test_canvas_takes_nobody_for_the_row_of_points(tmp_path):
    write(tmp_path, [line("1", "Points Possible"), line("2", "ann")])
    first = [row[0] for row in read(tmp_path / "canvas.csv")]
    assert [name for name in first if "Points Possible" in name] == ["Points Possible"]
    assert len(first) == 4


def test_moodle(tmp_path):
    entries = [
        moodle("1", "Zoë, M", "812", 8.0), moodle("2", "Jo", "5", None), line("3", "ann"),
    ]  # fmt: skip
    assert write(tmp_path, entries) == {"gradebook.csv", "canvas.csv", "moodle.csv"}
    rows = read(tmp_path / "moodle.csv")
    # What `assignfeedback_offline_grade_importer` asks for; it strips "Participant " and reads
    # the number behind it.
    assert {"Identifier", "Grade", "Last modified (grade)", "Feedback comments"} <= set(rows[0])
    found = [dict(zip(rows[0], row, strict=True)) for row in rows[1:]]
    assert [row["Identifier"] for row in found] == ["Participant 5", "Participant 812"]
    assert found[1]["Full name"] == "Zoë, M"
    assert (found[1]["Grade"], found[1]["Maximum Grade"]) == ("10.5", "20")
    assert found[1]["Feedback comments"] == "A task: 8 of 10; B, or not: 2.5 of 10"
    assert found[1]["Last modified (grade)"] == "-"


def test_what_the_grader_failed_on_is_no_grade(tmp_path):
    write(tmp_path, [moodle("1", "Jo", "5", None)])
    assert read(tmp_path / "gradebook.csv")[1][4:7] == ["2.5", "10", "10"]
    assert read(tmp_path / "canvas.csv")[1:] == [
        ["Points Possible", "", "", "", "", "20"], ["Jo", "", "", "", "", ""],
    ]  # fmt: skip
    assert read(tmp_path / "moodle.csv")[1][2:4] == ["", "20"]


def test_moodle_has_a_worksheet_for_each_lab(tmp_path):
    entries = [moodle("1", "Jo", "5"), moodle("2", "Jo", "6", lab="02_pruning")]
    assert write(tmp_path, entries) >= {"moodle-01_costs.csv", "moodle-02_pruning.csv"}
    assert read(tmp_path / "moodle-02_pruning.csv")[1][0] == "Participant 6"


def test_no_worksheet_where_nothing_came_from_moodle(tmp_path):
    assert write(tmp_path, [line("1", "ann")]) == {"gradebook.csv", "canvas.csv"}


def test_the_best_counts_and_of_equals_the_first():
    entries = [line("3", "a", 4.0), line("2", "a", 9.0), line("1", "a", 9.0), line("4", "b", 0.0)]
    assert [e["place"] for e in best_entries(entries).values()] == ["1", "4"]


def test_an_empty_class(tmp_path):
    assert write(tmp_path, []) == {"gradebook.csv", "canvas.csv"}
    assert len(read(tmp_path / "canvas.csv")) == 2


NASTY = [
    "=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "\u00a0=1", "\u200b=1",
    "=cmd|' /C calc'!A0", "\uff1d1", 'a"b', "a,b", "a;b", "a\nb", "\x00", "'", "\ufeff=1", "-", "",
]  # fmt: skip


@pytest.mark.parametrize("name", NASTY)
def test_names_are_no_formulas_and_break_no_table(tmp_path, name):
    entries = [moodle(f"{name}.ipynb", name, "5", reason=name)]
    write(tmp_path, entries, {"01_costs": name})
    for file in ("gradebook.csv", "canvas.csv", "moodle.csv"):
        rows = read(tmp_path / file, "utf-8-sig")
        assert len({len(row) for row in rows}) == 1
        assert len(rows) == (3 if file == "canvas.csv" else 2)
        for text in (text for row in rows for text in row if text != "-"):
            assert not text.strip().startswith(tuple("=+-@\uff1d"))
            assert text.isprintable()


@given(st.text(st.characters(codec="utf-8")))
def test_a_cell_is_one_harmless_line(text):
    made = cell(text)
    assert made.isprintable()
    assert not made.startswith(("=", "+", "-", "@", " "))
    assert cell(made) == made
