"""The closed set of values: into it, to JSON and back, and onto the page."""

import enum
import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from efficientdl.course.values import decode, digest, encode, plain, shown

DTYPES = ["bool", "int8", "uint8", "int64", "float16", "float32", "float64"]
numbers = st.one_of(st.booleans(), st.integers(), st.floats(), st.none(), st.text(max_size=5))
arrays = st.sampled_from(DTYPES).flatmap(
    lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=1, max_side=3, min_side=0))
)
values = st.recursive(
    numbers | arrays,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text(max_size=3) | st.integers(), inner, max_size=3)
    ),
    max_leaves=6,
)


def same(a, b):
    """Equal in kind, shape, dtype and value; NaN is NaN."""
    if type(a) is not type(b):
        return False
    if isinstance(a, np.ndarray):
        alike = a.dtype == b.dtype and a.shape == b.shape
        return alike and np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    return a == b or (a != a and b != b)


@given(value=values)
@settings(deadline=None, max_examples=60)
def test_json_keeps_every_value(value):
    text = json.dumps(encode(value), allow_nan=False)
    assert same(decode(json.loads(text)), value)


@given(value=values)
@settings(deadline=None, max_examples=60)
def test_plain_values_stay_as_they_are(value):
    assert same(plain(value), value)


def test_float32_is_written_with_its_own_digits():
    assert json.dumps(encode(np.array([0.1], "float32"))["$array"]) == "[0.1]"


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (np.float32(0.5), 0.5),
        (np.int8(3), 3),
        (np.True_, True),
        (np.array(7), 7),
        (torch.tensor(2.5), 2.5),
        (torch.tensor([True, False]), np.array([True, False])),
        (torch.tensor([1.5], dtype=torch.bfloat16), np.array([1.5], "float32")),
        (torch.eye(2).to_sparse(), np.eye(2, dtype="float32")),
        (torch.nn.Parameter(torch.ones(1)), np.ones(1, "float32")),
        (enum.IntEnum("Bits", "one two").two, 2),
        (np.str_("a"), "a"),
        ({np.int64(3): [np.float64(1)]}, {3: [1.0]}),
    ],
)
def test_relatives_become_plain(given, wanted):
    assert same(plain(given), wanted)


def test_no_method_of_a_subclass_is_asked():
    class Liar(int):
        def __eq__(self, other):
            return True

        def __index__(self):
            return 42

        __hash__ = int.__hash__

    class Text(str):
        def __str__(self):
            return "target"

    assert same(plain(Liar(3)), 3)
    assert same(plain(Text("mine")), "mine")


def test_arrays_are_copied():
    array = np.zeros(2)
    kept = plain(array)
    array[0] = 1
    np.testing.assert_array_equal(kept, [0, 0])


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (object(), "got object"),
        (SimpleNamespace(a=1), "got SimpleNamespace"),
        (np.array([object()]), "dtype object"),
        (np.array([1j]), "dtype complex128"),
        (np.array(["a"]), "dtype <U1"),
        ({1.5: 0}, "keys must be strings or whole numbers, got float"),
        ({True: 0}, "keys must be strings or whole numbers, got bool"),
        (iter([1]), "got list_iterator"),
    ],
)
def test_other_kinds_are_refused(value, said):
    with pytest.raises(TypeError, match=said):
        plain(value)


def test_a_list_that_holds_itself_is_refused():
    endless = []
    endless.append(endless)
    with pytest.raises(TypeError, match="nested at most 20 deep"):
        plain(endless)


def test_digest_sees_values_and_not_last_bits():
    assert digest((0.1 + 0.2,)) == digest((0.3,))
    assert digest((-0.0,)) == digest((0.0,))
    assert digest((0.3,)) != digest((0.3001,))
    assert digest((np.zeros(2),)) != digest((np.zeros(2, "float32"),))
    assert digest(([1, 2],)) != digest(([2, 1],))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3, "3"),
        (2.0, "2.0"),
        (1 / 3, "0.3333333333"),
        (float("nan"), "nan"),
        (float("inf"), "inf"),
        (1e300, "1e+300"),
        ("a", "'a'"),
        ((1,), "(1,)"),
        ([1, "b"], "[1, 'b']"),
        ({}, "{}"),
        ({"a": 1, "b": (2, 3)}, "a: 1\nb: (2, 3)"),
        (np.array([[1, 0]], "int8"), "[[1 0]]\nint8, shape (1, 2)"),
    ],
)
def test_shown(value, text):
    assert shown(value) == text


def test_long_arrays_are_cut():
    text = shown(np.arange(10_000.0))
    assert len(text) < 120
    assert "shape (10000,)" in text
