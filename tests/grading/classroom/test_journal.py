"""The journal: what was graded stays graded, whatever happened to the file."""

import json
import os
import threading

import pytest

from efficientdl.grading.classroom import read_entries
from efficientdl.grading.classroom.journal import Journal, fingerprint, is_entry
from efficientdl.grading.classroom.lock import only_one
from tests.grading.classroom.fakes import LAB, line

RELEASES = {LAB: "d1", "": "all1"}


def places(out):
    return [entry["place"] for entry in read_entries(out)]


def like(entry, **other):
    names = ("place", "sha256", "artefacts", "key", "asked")
    return {**{name: entry[name] for name in names}, **other}


def write(out, *data):
    (out / "results.jsonl").write_bytes(b"".join(data))
    return Journal(out)


def text(entry):
    return json.dumps(entry).encode() + b"\n"


def test_lines_come_back(tmp_path):
    journal, entry = Journal(tmp_path), line("a", "ann")
    journal.add(entry)
    assert read_entries(tmp_path) == [entry]
    assert Journal(tmp_path).done(like(entry), RELEASES) == entry


def test_hostile_text_comes_back(tmp_path):
    entry = line("a", "ann", answers={"t": "\ud800 \u2028 \x00 \n é"}, reason="r\n{")
    Journal(tmp_path).add(entry)
    journal = Journal(tmp_path)
    journal.close([line("b", "b")])  # a rewrite
    assert json.loads((tmp_path / "results.old.jsonl").read_bytes()) == entry


@pytest.mark.parametrize(
    "other",
    [{"place": "b"}, {"sha256": "1" * 64}, {"artefacts": {"net": "2"}}, {"key": "l"},
     {"asked": LAB}],
    ids=lambda other: next(iter(other)),
)  # fmt: skip
def test_another_submission_is_not_done(tmp_path, other):
    entry = line("a", "ann")
    journal = write(tmp_path, text(entry))
    assert journal.done(like(entry), RELEASES) is not None
    assert journal.done(like(entry, **other), RELEASES) is None


def test_another_release_is_not_done(tmp_path):
    graded, refused = line("a", "ann"), line("b", "bob", status="refused", release="all1")
    journal = write(tmp_path, text(graded), text(refused))
    assert journal.done(like(graded), RELEASES) == graded
    assert journal.done(like(refused), RELEASES) == refused
    assert journal.done(like(graded), {**RELEASES, LAB: "d2"}) is None
    assert journal.done(like(refused), {**RELEASES, "": "all2"}) is None


def test_an_internal_error_is_never_done(tmp_path):
    entry = line("a", "ann", status="internal_error", release="all1")
    journal = write(tmp_path, text(entry))
    assert journal.done(like(entry), RELEASES) is None
    later = line("a", "ann")
    journal.add(later)
    assert journal.done(like(entry), RELEASES) == later


def test_a_torn_line_is_cut_off(tmp_path):
    for cut in (1, 5, 40, len(text(line("b", "b"))) - 1):
        write(tmp_path, text(line("a", "a")), text(line("b", "b"))[:cut])
        assert places(tmp_path) == ["a"]
        assert [path.name for path in tmp_path.iterdir()] == ["results.jsonl"]
        assert (tmp_path / "results.jsonl").read_bytes() == text(line("a", "a"))
    Journal(tmp_path).add(line("c", "c"))
    assert places(tmp_path) == ["a", "c"]


def test_what_is_not_ours_is_kept_aside(tmp_path):
    foreign = [b'{"schema": 2, "place": "x"}\n', b"[" * 100_000 + b"\n", b"somebody's notes"]
    write(tmp_path, text(line("a", "a")), foreign[0], foreign[1], text(line("b", "b")), foreign[2])
    assert places(tmp_path) == ["a", "b"]
    aside = (tmp_path / "results.unreadable.jsonl").read_bytes()
    assert aside == b"".join(foreign) + b"\n"


def test_a_whole_last_line_of_another_version_is_kept_aside(tmp_path):
    foreign = text({**line("b", "b"), "schema": 2})
    write(tmp_path, text(line("a", "a")), foreign)
    assert places(tmp_path) == ["a"]
    assert (tmp_path / "results.unreadable.jsonl").read_bytes() == foreign


def test_the_end_is_in_order_and_keeps_what_is_stale(tmp_path):
    a, b, c = line("a", "a"), line("b", "b"), line("c", "c")
    old = line("b", "b", sha256="9" * 64)
    journal = write(tmp_path, text(old), text(c))
    journal.add(b)
    journal.add(a)
    journal.close([c, b, a])
    assert read_entries(tmp_path) == [a, b, c]
    assert (tmp_path / "results.old.jsonl").read_bytes() == text(old)
    Journal(tmp_path).close([c, b, a])  # nothing new: nothing moves
    assert (tmp_path / "results.old.jsonl").read_bytes() == text(old)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["results.jsonl", "results.old.jsonl"]


def test_threads_do_not_mix_their_lines(tmp_path):
    journal = Journal(tmp_path)
    texts = [line(f"{i:02}", "x" * 5000) for i in range(24)]
    threads = [threading.Thread(target=journal.add, args=(entry,)) for entry in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(places(tmp_path)) == [entry["place"] for entry in texts]


@pytest.mark.parametrize(
    "change",
    [{"schema": 2}, {"status": "lost"}, {"score": None}, {"score": []}, {"score": {}},
     {"place": 3},
     {"status": "refused"}],
)  # fmt: skip
def test_what_is_no_entry(change):
    assert is_entry(line("a", "a"))
    assert not is_entry({**line("a", "a"), **change})
    assert not is_entry([])


def test_no_journal(tmp_path):
    with pytest.raises(ValueError, match=r"class: out must be a folder with results\.jsonl"):
        read_entries(tmp_path)


def test_the_fingerprint_is_not_the_key():
    assert fingerprint(b"a") != fingerprint(b"b")
    assert len(fingerprint(b"a")) == 16


def test_a_second_run_is_refused_and_the_lock_ends(tmp_path):
    said = rf"by another run of this command \(process {os.getpid()}\)"
    with only_one(tmp_path), pytest.raises(ValueError, match=said), only_one(tmp_path):
        pytest.fail("both hold it")
    with only_one(tmp_path):
        assert (tmp_path / ".lock").is_file()
