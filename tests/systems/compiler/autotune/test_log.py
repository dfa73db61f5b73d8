"""A log gives back what was written, survives a torn end, and names a broken line."""

import json

import pytest

from efficientdl.systems.compiler.autotune import (
    ConvTask,
    Logged,
    MatmulTask,
    Trial,
    append_log,
    default_schedule,
    machine_name,
    read_log,
)

TASKS = [MatmulTask(8, 9, 10), ConvTask(1, 2, 5, 6, 3, 3, stride=2, padding=1)]
ENTRIES = [Logged(Trial(task, default_schedule(task), 1e-3 / 3), "here") for task in TASKS]


@pytest.fixture
def path(tmp_path):
    for entry in ENTRIES:
        append_log(tmp_path / "log.jsonl", entry)
    return tmp_path / "log.jsonl"


def test_what_was_written_is_read(path):
    assert read_log(path) == ENTRIES
    assert read_log(str(path)) == ENTRIES
    assert read_log(path.with_name("none")) == []
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [set(line) for line in lines] == [{"task", "schedule", "seconds", "machine"}] * 2


def test_every_torn_end_is_survived(path):
    whole = path.read_bytes()
    end_of_first = whole.index(b"\n") + 1
    for length in range(end_of_first, len(whole)):
        path.write_bytes(whole[:length])
        complete = length == len(whole) - 1  # only the end of the line is missing
        kept = ENTRIES if complete else ENTRIES[:1]
        assert read_log(path) == kept
        append_log(path, ENTRIES[1])
        assert read_log(path) == [*kept, ENTRIES[1]]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda e: e["task"].update(kind="softmax"), "softmax"),
        (lambda e: e["task"].update(m=0), "m must be a whole number"),
        (lambda e: e["task"].update(z=1), "unexpected keyword"),
        (lambda e: e["schedule"].update(order="abc"), "order must be one of"),
        (lambda e: e["schedule"].pop("inner"), "inner"),
        (lambda e: e.update(seconds=0), "seconds must be more than 0, and finite, got 0"),
        (lambda e: e.update(seconds=float("nan")), "seconds must be a number"),
        (lambda e: e.update(seconds="fast"), "seconds must be a number"),
        (lambda e: e.update(machine=None), "machine must be a str"),
    ],
)
def test_a_broken_line_is_named(path, change, says):
    first, second = path.read_text().splitlines()
    entry = json.loads(first)
    change(entry)
    path.write_text(f"{json.dumps(entry)}\n{second}\n")
    with pytest.raises(
        ValueError, match=f"read_log: line 1 of .*log.jsonl must be a trial .*{says}"
    ):
        read_log(path)


@pytest.mark.parametrize("line", ["[]", "3", "null", '"a"', "{", "\x00"])
def test_what_is_no_trial_is_refused(path, line):
    path.write_text(path.read_text() + line + "\n")
    with pytest.raises(ValueError, match="read_log: line 3 of"):
        read_log(path)


def test_the_machine_has_a_name():
    assert "cores" in machine_name()
    assert machine_name() == machine_name()
