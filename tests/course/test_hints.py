"""Hints open one after the other and stay open."""

import pytest

from efficientdl.course import hint


def test_stages_open_and_stay(course, capsys):
    seen = []
    for _ in range(4):
        hint("fx-mask")
        seen.append(capsys.readouterr().out.splitlines())
    more = 'Once more, `hint("fx-mask")` opens the next.'
    first, second = "Hint 1 of 3: Sort.", "Hint 2 of 3: Sort by magnitude."
    third = "Hint 3 of 3: np.argsort(np.abs(weight).ravel())"
    assert seen == [
        [first, more],
        [first, second, more],
        [first, second, third],
        [first, second, third],
    ]


def test_unknown_and_hintless_tasks(course):
    with pytest.raises(ValueError, match="did you mean 'fx-mask'"):
        hint("fx-maks")
    with pytest.raises(ValueError, match="hint: id must be of an exercise with hints, got 'fx-bit"):
        hint("fx-bits")
