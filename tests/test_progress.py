"""The bar: a redrawn line, one line, or nothing; closed where the work ends."""

import io
import itertools
import re
from types import SimpleNamespace

import pytest

from efficientdl import progress as module
from efficientdl.progress import eta, progress, ui_mode


@pytest.fixture
def clock(monkeypatch):
    """A clock that goes on by half a second with every look at it."""
    ticks = itertools.count(step=0.5)
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: next(ticks)))


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def live(monkeypatch):
    """The terminal that is written to."""
    terminal = Terminal()
    monkeypatch.setenv("EFFICIENTDL_UI", "live")
    monkeypatch.setattr(module, "open_bar", None)
    monkeypatch.setattr(module, "sys", SimpleNamespace(stderr=terminal))
    return terminal


@pytest.fixture
def static(monkeypatch):
    monkeypatch.setenv("EFFICIENTDL_UI", "static")


def test_a_terminal_sees_a_line_that_redraws(clock, live):
    assert list(progress("abcd", "Counting")) == list("abcd")
    lines = live.getvalue().split("\r")[1:]
    assert len(lines) == 5  # each item, and the end
    assert lines[0] == "Counting: [#####...............] 1 of 4, 2 s left\x1b[K"
    assert lines[1] == "Counting: [##########..........] 2 of 4, 1 s left\x1b[K"
    assert lines[-1] == "Counting: [####################] 4 of 4\x1b[K in 2.5 s\n"


def test_a_fast_loop_is_not_redrawn_each_time(live):
    list(progress(range(1000), "Fast"))
    assert len(live.getvalue().split("\r")) < 100


def test_no_length_no_bar_but_a_count(clock, live):
    list(progress(iter("ab"), "Counting"))
    assert "\rCounting: 2 done\x1b[K in " in live.getvalue()
    list(progress(iter("ab"), "Counting", total=2))
    assert "2 of 2" in live.getvalue()


def test_static_is_one_line_without_a_time(clock, static, capsys):
    list(progress("abcd", "Counting"))
    captured = capsys.readouterr()
    assert captured.out == "Counting: 4 steps\n"
    assert captured.err == ""


def test_a_stream_that_is_no_terminal_gets_one_line(clock, monkeypatch, capsys):
    monkeypatch.setenv("EFFICIENTDL_UI", "live")
    monkeypatch.setattr(module, "open_bar", None)
    list(progress("abcd", "Counting"))
    assert capsys.readouterr().out == "Counting: 4 steps\n"


def test_silent_is_silent(clock, monkeypatch, capsys):
    monkeypatch.setenv("EFFICIENTDL_UI", "silent")
    assert list(progress("ab", "Counting")) == ["a", "b"]
    assert capsys.readouterr() == ("", "")


def test_a_break_closes_the_bar_where_it_stands(static, capsys):
    for item in (bar := progress(range(10), "Looking")):
        if item == 3:
            break
    bar.close()
    assert capsys.readouterr().out == "Looking: 3 of 10 steps\n"


def test_an_exception_closes_it_and_goes_on(static, capsys):
    def fails():
        bar = progress(range(10), "Looking")
        for item in bar:
            if item == 2:
                raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    assert capsys.readouterr().out == "Looking: 2 of 10 steps\n"


def test_an_exception_of_the_items_closes_it_too(static, capsys):
    def items():
        yield 1
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(progress(items(), "Looking", total=5))
    assert capsys.readouterr().out == "Looking: 1 of 5 steps\n"


def test_a_notebooks_bar_takes_over(clock, live, monkeypatch):
    seen = []

    def open_bar(label, total):
        seen.append((label, total))
        return SimpleNamespace(
            update=lambda done, seconds: seen.append(("update", done)),
            close=lambda done, seconds: seen.append(("close", done)),
        )

    monkeypatch.setattr(module, "open_bar", open_bar)
    list(progress("ab", "Counting"))
    assert seen == [("Counting", 2), ("update", 1), ("update", 2), ("close", 2)]


def test_nothing_to_do_is_done_at_once(clock, live):
    assert list(progress([], "Nothing")) == []
    assert re.search(r"Nothing:.* 0 of 0", live.getvalue())


@pytest.mark.parametrize(
    ("done", "total", "seconds", "words"),
    [
        (25, 100, 5.0, "25 of 100, 15 s left"),
        (0, 100, 5.0, "0 of 100"),
        (100, 100, 5.0, "100 of 100"),
        (7, None, 5.0, "7 done"),
    ],
)
def test_eta_in_words(done, total, seconds, words):
    assert eta(done, total, seconds) == words


def test_the_mode_is_one_of_three(monkeypatch):
    monkeypatch.delenv("EFFICIENTDL_UI", raising=False)
    assert ui_mode() == "live"
    monkeypatch.setenv("EFFICIENTDL_UI", "static")
    assert ui_mode() == "static"
    monkeypatch.setenv("EFFICIENTDL_UI", "statik")
    with pytest.raises(ValueError, match=r"EFFICIENTDL_UI must be one of .* did you mean 'static'"):
        ui_mode()
