"""The row buffer: rows of the right matrix, kept until their next use is the furthest away.

SpArch knows what it will need: it reads the left matrix ahead. So it can replace as Belady's
rule asks, which no cache that only knows the past can do.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

from efficientdl import _check
from efficientdl.kernels.compiled import compiled

FOREVER = 2**62


@dataclass(frozen=True)
class RowBuffer:
    """A buffer of lines. A row takes as many lines as it needs.

    Attributes:
        lines: Lines that it holds.
        line_words: Entries in a line.
        ahead: Uses of a row that are known, from the one at work on. With 0 the line is replaced
            that was used least recently; if all are known, no policy loads fewer lines.

    >>> RowBuffer(lines=2, line_words=4).words
    8
    """

    lines: int = 1024  # assumed
    line_words: int = 48  # assumed
    ahead: int = 8192  # assumed

    def __post_init__(self) -> None:
        _check.whole("RowBuffer", "lines", self.lines, 1)
        _check.whole("RowBuffer", "line_words", self.line_words, 1)
        _check.whole("RowBuffer", "ahead", self.ahead, 0)

    @property
    def words(self) -> int:
        """Entries that it holds."""
        return self.lines * self.line_words

    def read(
        self, uses: Int64[np.ndarray, " uses"], lengths: Int64[np.ndarray, " rows"]
    ) -> Int64[np.ndarray, " uses"]:
        """Words that come from DRAM at each use of a row.

        Args:
            uses: The row that is used, one use after the other.
            lengths: Entries of each row.

        >>> lengths = np.array([4, 4, 4])
        >>> uses = np.array([0, 1, 2, 0, 1, 2])
        >>> [int(RowBuffer(2, 4, ahead).read(uses, lengths).sum()) for ahead in (0, 6)]
        [24, 16]
        """
        n_lines = -(-lengths // self.line_words)
        first = np.cumsum(n_lines) - n_lines
        per_use = n_lines[uses]
        use = np.repeat(np.arange(len(uses)), per_use)
        part = np.arange(len(use)) - np.repeat(np.cumsum(per_use) - per_use, per_use)
        wanted = first[uses[use]] + part
        missed = _misses(
            wanted, use, _next_uses(wanted), int(n_lines.sum()), self.lines, self.ahead
        )
        words = np.minimum(self.line_words, lengths[uses[use]] - part * self.line_words)
        # Weights of a histogram are floats, exact up to 2**53.
        return np.bincount(use, missed * words, len(uses)).astype(np.int64)


def _next_uses(wanted: Int64[np.ndarray, " n"]) -> Int64[np.ndarray, " n"]:
    """At which place of the list the same line stands again; FOREVER where it does not."""
    order = np.argsort(wanted, kind="stable")
    again = wanted[order[1:]] == wanted[order[:-1]]
    found = np.full(len(wanted), FOREVER)
    found[order[:-1][again]] = order[1:][again]
    return found


@compiled
def _misses(
    wanted: np.ndarray, use: np.ndarray, next_uses: np.ndarray, n_lines: int, size: int, ahead: int
) -> np.ndarray:
    """Which of the lines wanted are not there."""
    slot_of, missed = np.full(n_lines, -1), np.zeros(len(wanted), np.bool_)
    held, last, following = np.full(size, -1), np.zeros(size, np.int64), np.zeros(size, np.int64)
    used = 0
    for t in range(len(wanted)):
        slot = slot_of[wanted[t]]
        if slot < 0:
            missed[t] = True
            if used < size:
                slot, used = used, used + 1
            else:
                slot = _furthest(last, following, use, use[t] + ahead)
                slot_of[held[slot]] = -1
            held[slot], slot_of[wanted[t]] = wanted[t], slot
        last[slot], following[slot] = t, next_uses[t]
    return missed


@compiled
def _furthest(last: np.ndarray, following: np.ndarray, use: np.ndarray, horizon: int) -> int:
    """The line to give up: unknown next use, least recently used; else the furthest next use."""
    best, furthest, oldest = 0, -1, FOREVER
    for slot in range(len(last)):
        known = following[slot] < len(use) and use[following[slot]] < horizon
        next_use = following[slot] if known else FOREVER
        if next_use > furthest or (next_use == furthest and last[slot] < oldest):
            best, furthest, oldest = slot, next_use, last[slot]
    return best
