"""The error sentence: caller, name, rule, value, each in its place."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from efficientdl import _check


def said(call, *arguments, **named):
    with pytest.raises((_check.BadValue, _check.BadKind)) as error:
        call(*arguments, **named)
    return type(error.value), str(error.value)


@pytest.mark.parametrize(
    ("call", "arguments", "kind", "sentence"),
    [
        (_check.in_range, (1.5, 0, 1), ValueError, "f: x must be in [0, 1], got 1.5"),
        (_check.in_range, ("1", 0, 1), TypeError, "f: x must be a number, got '1'"),
        (_check.in_range, (True, 0, 1), TypeError, "f: x must be a number, got True"),
        (_check.in_range, (float("nan"), 0, 1), ValueError, "f: x must be a number, got nan"),
        (_check.at_least, (-1, 0), ValueError, "f: x must be at least 0, got -1"),
        (_check.at_least, (None, 0), TypeError, "f: x must be a number, got None"),
        (_check.whole, (0, 1), ValueError, "f: x must be a whole number, 1 or more, got 0"),
        (_check.whole, (9, 1, 8), ValueError, "f: x must be a whole number in [1, 8], got 9"),
        (_check.whole, (2.0, 1), TypeError, "f: x must be a whole number, 1 or more, got 2.0"),
        (_check.whole, (True, 1), TypeError, "f: x must be a whole number, 1 or more, got True"),
        (_check.divides, (3, "n", 8), ValueError, "f: x must divide n = 8, got 3"),
        (_check.divides, (0, "n", 8), ValueError, "f: x must be a whole number, 1 or more, got 0"),
        (_check.kind, ("a", int), TypeError, "f: x must be a int, got 'a'"),
        (_check.kind, ("a", (int, dict)), TypeError, "f: x must be a int or dict, got 'a'"),
    ],
)
def test_the_sentence_of_each_check(call, arguments, kind, sentence):
    raised, text = said(call, "f", "x", *arguments)
    assert text == sentence
    assert issubclass(raised, kind)


@given(st.floats(allow_nan=False), st.floats(-10, 10), st.floats(-10, 10))
def test_in_range_takes_the_range_and_nothing_else(value, low, high):
    if low <= value <= high:
        _check.in_range("f", "x", value, low, high)
    else:
        assert said(_check.in_range, "f", "x", value, low, high)[0] is _check.BadValue


@given(st.integers(), st.integers(-5, 5), st.none() | st.integers(5, 20))
def test_whole_takes_whole_numbers_in_range(value, low, high):
    if low <= value and (high is None or value <= high):
        _check.whole("f", "x", value, low, high)
        _check.whole("f", "x", np.int64(value % 100 + max(low, 0)), low)
    else:
        assert said(_check.whole, "f", "x", value, low, high)[0] is _check.BadValue


@given(st.integers(1, 50), st.integers(1, 50))
def test_divides_is_division_without_remainder(value, total):
    if total in range(0, total + 1, value):
        _check.divides("f", "x", value, "n", total)
    else:
        assert said(_check.divides, "f", "x", value, "n", total)[0] is _check.BadValue


def test_number_hands_the_number_back():
    assert _check.number("f", "x", 3) == 3
    assert _check.number("f", "x", float("inf")) == float("inf")
    assert _check.number("f", "x", np.float64(0.5)) == 0.5


def test_one_of_suggests_the_nearest():
    _check.one_of("f", "x", "resnet50", ["resnet50", "vgg16"])
    known = {"resnet50": 1, "vgg16": 2}
    text = said(_check.one_of, "f", "x", "vgg", known)[1]
    assert text == "f: x must be one of resnet50, vgg16, got 'vgg'; did you mean 'vgg16'?"
    assert said(_check.one_of, "f", "x", "zzz", known)[1].endswith("got 'zzz'")
    assert said(_check.one_of, "f", "x", 7, (1, 2))[1] == "f: x must be one of 1, 2, got 7"


def test_one_of_takes_what_cannot_be_hashed():
    text = said(_check.one_of, "f", "x", ["resnet50"], {"resnet50": 1})[1]
    assert text.startswith("f: x must be one of resnet50, got ['resnet50']")


def test_same_length_names_the_lists():
    _check.same_length("f", a=[1, 2], b="xy")
    text = said(_check.same_length, "f", a=[1], b=[1, 2])[1]
    assert text == "f: a and b must be equally long, got {'a': 1, 'b': 2}"


def test_kind_takes_subclasses():
    _check.kind("f", "x", True, int)
    _check.kind("f", "x", {}, (int, dict))


@given(st.text("aé'\"\\\n", max_size=300))
def test_a_value_is_shown_in_80_characters(value):
    shown = _check.show(value)
    assert len(shown) <= 80
    assert shown == repr(value) or (shown.endswith("...") and repr(value).startswith(shown[:77]))


def test_fail_is_a_value_error_and_nothing_else():
    raised, text = said(_check.fail, "prune", "sparsity", "must be in [0, 1]", 1.5)
    assert text == "prune: sparsity must be in [0, 1], got 1.5"
    assert raised is _check.BadValue
    assert issubclass(_check.BadKind, TypeError)
