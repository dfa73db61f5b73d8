"""The bar for long work, and the one place that knows how things are shown.

`EFFICIENTDL_UI` is `live` (the default), `static` (papermill, a forge's preview: one line when
the work is done) or `silent` (grading: nothing). Live, a terminal gets a line that redraws; a
notebook gets a widget once `efficientdl.viz` has put its bar in `open_bar`, because this floor
may not know notebooks.
"""

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from typing import Literal, Protocol, TypeVar

from efficientdl import _check

T = TypeVar("T")
Mode = Literal["live", "static", "silent"]
_REDRAW_S = 0.1


def ui_mode() -> Mode:
    """How things are shown now: the value of `EFFICIENTDL_UI`, `live` where it is not set."""
    mode = os.environ.get("EFFICIENTDL_UI", "live")
    _check.one_of("efficientdl", "EFFICIENTDL_UI", mode, ("live", "static", "silent"))
    return mode  # pyright: ignore[reportReturnType]


class Bar(Protocol):
    """What `progress` draws on: told after each item, closed once."""

    def update(self, done: int, seconds: float) -> None: ...

    def close(self, done: int, seconds: float) -> None: ...


def eta(done: int, total: int | None, seconds: float) -> str:
    """What is left, in words.

    >>> eta(25, 100, 5.0)
    '25 of 100, 15 s left'
    >>> eta(25, None, 5.0)
    '25 done'
    """
    if total is None:
        return f"{done} done"
    left = f", {seconds / done * (total - done):.0f} s left" if 0 < done < total else ""
    return f"{done} of {total}{left}"


class TerminalBar:
    """One line of the terminal, redrawn in place on standard error."""

    def __init__(self, label: str, total: int | None) -> None:
        self.label, self.total = label, total

    def update(self, done: int, seconds: float) -> None:
        filled = 0 if not self.total else round(20 * done / self.total)
        bar = f" [{'#' * filled}{'.' * (20 - filled)}]" if self.total else ""
        sys.stderr.write(f"\r{self.label}:{bar} {eta(done, self.total, seconds)}\x1b[K")
        sys.stderr.flush()

    def close(self, done: int, seconds: float) -> None:
        self.update(done, seconds)
        sys.stderr.write(f" in {seconds:.1f} s\n")


class OneLine:
    """Where nothing can be redrawn: a single line, when the work is over. It tells no time."""

    def __init__(self, label: str, total: int | None) -> None:
        self.label, self.total = label, total

    def update(self, done: int, seconds: float) -> None:
        """Says nothing while the work goes on."""

    def close(self, done: int, seconds: float) -> None:
        whole = "" if self.total in (None, done) else f" of {self.total}"
        sys.stdout.write(f"{self.label}: {done}{whole} steps\n")


class Silent:
    """Shows nothing."""

    def update(self, done: int, seconds: float) -> None:
        """Says nothing."""

    def close(self, done: int, seconds: float) -> None:
        """Says nothing."""


# The live bar of a notebook; `efficientdl.viz` fills it when a notebook is there to show it.
open_bar: Callable[[str, int | None], Bar] | None = None


def _bar(label: str, total: int | None) -> Bar:
    mode = ui_mode()
    if mode == "silent":
        return Silent()
    if mode == "static":
        return OneLine(label, total)
    if open_bar is not None:
        return open_bar(label, total)
    return TerminalBar(label, total) if sys.stderr.isatty() else OneLine(label, total)


def progress(items: Iterable[T], label: str, *, total: int | None = None) -> Iterator[T]:
    """Yield each item, showing how far the work is.

    An exception or a `break` in the caller's loop closes the bar where it stands.

    Args:
        items: What to go through.
        label: What the work is, in a word or two.
        total: How many items there are, where `items` has no length.
    """
    if total is None and isinstance(items, Sized):
        total = len(items)
    bar = _bar(label, total)
    start = shown = time.monotonic()
    done = 0
    try:
        for item in items:
            yield item
            done += 1
            now = time.monotonic()
            if now - shown >= _REDRAW_S:
                bar.update(done, now - start)
                shown = now
    finally:
        bar.close(done, time.monotonic() - start)
