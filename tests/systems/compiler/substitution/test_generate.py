"""Enumeration: all patterns of one step, counted by hand; no renaming comes twice."""

import pytest

from efficientdl.systems.compiler.substitution.generate import candidates, patterns


def texts(n_steps):
    return [str(pattern) for pattern, _ in patterns(n_steps=n_steps, seed=0)]


def test_all_patterns_of_one_step():
    found = set(texts(1))
    data = ("x", "y", "z")
    expected = {f"act({d})" for d in data} | {"add(x, y)"}  # z is wider than x and y
    expected |= {f"concat({a}, {b})" for a in data for b in data if a != b}
    expected |= {f"{op}({d}, {f})" for op in ("apply", "apply_act") for d in "xy" for f in "fg"}
    assert {t for t in found if not t.startswith("split")} == expected
    (split,) = (t for t in found if t.startswith("split"))
    assert set(split.split(", ")) == {"split(z)[0]", "split(z)[1]"}


def test_no_pattern_is_written_down_twice():
    found = texts(2)
    assert len(found) == len(set(found))


def test_of_two_patterns_that_differ_by_names_one_is_paired():
    pairs = [f"{a} -> {b}" for a, b in candidates(n_steps=2, seed=0)]
    assert len([p for p in pairs if "apply_wide" in p]) == 1
    assert len([p for p in pairs if p.endswith("-> x, y")]) == 1


def test_two_seeds_find_the_same_rules():
    first, second = (
        {frozenset(map(str, pair)) for pair in candidates(n_steps=2, seed=seed)} for seed in (0, 1)
    )
    # the fingerprint orders the outputs of a split, which only changes how they are written
    assert len(first) == len(second)


def test_too_many_steps_are_refused():
    with pytest.raises(ValueError, match=r"patterns: n_steps must be a whole number in \[1, 4\]"):
        list(patterns(n_steps=9, seed=0))
