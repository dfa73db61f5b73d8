"""The laws of spaces."""

from itertools import product
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from efficientdl.search import Space

VALUES = st.lists(st.integers(0, 9), min_size=1, max_size=4, unique=True)
SPACES = st.dictionaries(st.text("abcd", min_size=1, max_size=2), VALUES, min_size=1, max_size=4)
SEEDS = st.integers(0, 2**32)


def differing(a, b):
    return [name for name in a if a[name] != b[name]]


@given(SPACES)
def test_its_points_are_the_product_of_its_choices(choices):
    space = Space(choices)
    points = list(space)
    expected = [dict(zip(choices, p, strict=True)) for p in product(*choices.values())]
    assert points == expected
    assert len(space) == len(points)
    assert all(point in space for point in points)


@given(SPACES)
def test_decode_undoes_encode(choices):
    space = Space(choices)
    codes = [space.encode(point) for point in space]
    assert len(set(codes)) == len(space)
    assert [space.decode(code) for code in codes] == list(space)


@given(SPACES, SEEDS)
def test_samples_stay_in_and_replay(choices, seed):
    space = Space(choices)
    points = [space.sample(rng) for rng in [Random(seed)] for _ in range(10)]
    assert all(point in space for point in points)
    rng = Random(seed)
    assert points == [space.sample(rng) for _ in range(10)]


@given(SPACES, SEEDS)
def test_neighbours_differ_in_one_choice_and_are_all_there(choices, seed):
    space = Space(choices)
    point = space.sample(Random(seed))
    neighbours = list(space.neighbours(point))
    by_force = [other for other in space if len(differing(point, other)) == 1]
    assert sorted(map(space.encode, neighbours)) == sorted(map(space.encode, by_force))


@given(SPACES, SEEDS)
def test_a_mutant_is_a_neighbour_where_there_is_one(choices, seed):
    space, rng = Space(choices), Random(seed)
    point = space.sample(rng)
    before = dict(point)
    mutant = space.mutate(point, rng)
    neighbours = list(space.neighbours(point))
    assert mutant in neighbours if neighbours else mutant == point
    assert mutant is not point
    assert point == before


@given(SPACES, SEEDS)
def test_a_child_takes_each_value_from_a_parent(choices, seed):
    space, rng = Space(choices), Random(seed)
    a, b = space.sample(rng), space.sample(rng)
    child = space.crossover(a, b, rng)
    assert child in space
    assert all(child[name] in (a[name], b[name]) for name in choices)


def test_both_parents_have_their_say():
    space = Space(dict.fromkeys("abcdefgh", (0, 1)))
    zeros, ones = dict.fromkeys("abcdefgh", 0), dict.fromkeys("abcdefgh", 1)
    rng = Random(0)
    sums = [sum(space.crossover(zeros, ones, rng).values()) for _ in range(200)]
    assert min(sums) < 4 < max(sums)


def test_what_is_no_point_is_not_in_it():
    space = Space({"a": (1, 2)})
    for other in ({}, {"a": 3}, {"a": 1, "b": 1}, "a", None, {"b": 1}):
        assert other not in space


@pytest.mark.parametrize(
    ("choices", "said"),
    [
        ({}, r"Space: choices must name at least one choice, got \{\}"),
        ({"a": ()}, r"Space: choices\['a'\] must not be empty, got \(\)"),
        ({"a": (1, 2, 1)}, r"Space: choices\['a'\] must not repeat a value, got \(1, 2, 1\)"),
    ],
)
def test_bad_choices_are_named(choices, said):
    with pytest.raises(ValueError, match=said):
        Space(choices)


def test_bad_points_and_codes_are_named():
    space = Space({"a": (1, 2), "b": (3, 4)})
    point = r"point must be a point of \{'a': \(1, 2\), 'b': \(3, 4\)\}, got \{'a': 9\}"
    rng = Random(0)
    for caller, call in (
        ("encode", lambda: space.encode({"a": 9})),
        ("neighbours", lambda: list(space.neighbours({"a": 9}))),
        ("mutate", lambda: space.mutate({"a": 9}, rng)),
        ("crossover", lambda: space.crossover({"a": 1, "b": 3}, {"a": 9}, rng)),
    ):
        with pytest.raises(ValueError, match=rf"Space.{caller}: {point}"):
            call()
    with pytest.raises(ValueError, match=r"Space.decode: code must have 2 places, got \(0,\)"):
        space.decode((0,))
    with pytest.raises(ValueError, match=r"Space.decode: code must be a whole number in \[0, 1\]"):
        space.decode((0, 2))
    with pytest.raises(ValueError, match=r"Space.decode: code must be a whole number in \[0, 1\]"):
        space.decode((-1, 0))  # which Python would take for the last
