"""What of an answer is compared: marks that survive renaming, and those that betray a text.

Code becomes shingles, runs of K tokens, in which chosen names are numbered as they appear; of
every W neighbouring shingles the one with the lowest hash is kept (winnowing), so that any shared
run of W + K - 1 tokens shares a mark. Comments of some length are marks of their own, and so are
lines that are set out in an unusual way.

Source: Saul Schleimer, Daniel S. Wilkerson and Alex Aiken, "Winnowing: Local Algorithms for
Document Fingerprinting", SIGMOD 2003.
"""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from hashlib import blake2b

from efficientdl.grading.classroom.tokens import (
    Token,
    code_tokens,
    comments,
    prose_tokens,
    unified,
)

CODE_K, PROSE_K = 7, 5
WINDOW = 4
_LEAST_COMMENT = 3  # words; a shorter one is anybody's
_ODD = re.compile(
    r"\S[ \t]+$|[^\s#] {2,}[^\s#]|\( +\S|[^\s,] +\)|\S +,|,[^\s)\]}]|\w=\w+=|;\s*$|\t"
)
Mark = tuple[str, str]  # kind and hash
Lines = tuple[int, ...]


def fingerprint(
    source: str, handed_out: Iterable[str] = (), *, prose: bool = False
) -> dict[Mark, Lines]:
    """The marks of one answer, each with the lines on which it stands.

    Args:
        source: The answer.
        handed_out: Texts that everybody has, such as the stub and the solution: what stands in
            them is no mark.
        prose: Is it an answer in words?
    """
    given = tuple(handed_out)
    known = {mark for text in given for mark, _ in _shingles(text, prose)}
    found = _winnowed(_shingles(source, prose), known)
    if not prose:
        others = {mark for text in given for mark in _asides(text)}
        found |= {mark: at for mark, at in _asides(source).items() if mark not in others}
    return found


@lru_cache(maxsize=1024)  # what was handed out comes with every answer, and many answers are it
def _shingles(source: str, prose: bool) -> tuple[tuple[Mark, Lines], ...]:
    """Every run of k tokens; an answer shorter than that has none."""
    tokens = prose_tokens(source) if prose else code_tokens(source)
    k = PROSE_K if prose else CODE_K
    runs = (tokens[i : i + k] for i in range(len(tokens) - k + 1))
    return tuple(
        (("code", _hash(_canonical(run))), tuple(sorted({token.line for token in run})))
        for run in runs
    )


def _canonical(run: Sequence[Token]) -> str:
    """A run with its chosen names numbered in the order in which they come up."""
    numbers: dict[str, int] = {}
    texts = [
        f"\x01{numbers.setdefault(token.text, len(numbers))}" if token.chosen else token.text
        for token in run
    ]
    return "\x00".join(texts)


def _winnowed(shingles: Sequence[tuple[Mark, Lines]], known: set[Mark]) -> dict[Mark, Lines]:
    """Of each window the lowest mark that is not known; of equal ones, the first place."""
    kept: dict[Mark, Lines] = {}
    for i in range(max(1, len(shingles) - WINDOW + 1)):
        window = [pair for pair in shingles[i : i + WINDOW] if pair[0] not in known]
        if window:
            mark, lines = min(window, key=lambda pair: pair[0])
            kept.setdefault(mark, lines)
    return kept


def _asides(source: str) -> dict[Mark, Lines]:
    """Comments of some length, and lines set out in an unusual way."""
    found: dict[Mark, Lines] = {}
    for text, line, _ in comments(source):
        if len(text.split()) >= _LEAST_COMMENT:
            found.setdefault(("comment", _hash(text)), (line,))
    for number, line in enumerate(unified(source).split("\n"), 1):
        bare = line.strip(" ")
        if len(bare) >= 12 and not bare.startswith("#") and _ODD.search(line.lstrip(" \t")):
            found.setdefault(("layout", _hash(line.lstrip(" \t"))), (number,))
    return found


def _hash(text: str) -> str:
    return blake2b(text.encode("utf-8", "replace"), digest_size=8).hexdigest()
