"""Right or wrong, and the sentence that says why."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from efficientdl.course.comparison import Tolerance, difference
from efficientdl.course.outcome import Kind
from efficientdl.course.values import plain
from tests.course.test_values import values

EXACT = Tolerance()
NAN, INF = float("nan"), float("inf")


@given(value=values)
@settings(deadline=None, max_examples=60)
def test_a_value_equals_itself(value):
    assert difference(value, value, EXACT) is None


@given(
    pair=hnp.array_shapes(max_dims=2, max_side=4).flatmap(
        lambda shape: st.tuples(
            hnp.arrays("float32", shape, elements=st.floats(-4, 4, width=32)),
            hnp.arrays("float32", shape, elements=st.floats(-4, 4, width=32)),
        )
    ),
    rtol=st.sampled_from([0.0, 1e-3, 0.5]),
    atol=st.sampled_from([0.0, 1e-2]),
)
@settings(deadline=None, max_examples=60)
def test_arrays_agree_with_torch(pair, rtol, atol):
    target, yours = pair
    t, y = (torch.from_numpy(a.astype("float64")) for a in pair)
    close = torch.allclose(y, t, rtol=rtol, atol=atol)
    assert (difference(target, yours, Tolerance(rtol, atol)) is None) == close


@pytest.mark.parametrize(
    ("target", "yours"),
    [
        (27, 27.0),
        (27.0, 27),
        (NAN, NAN),
        (INF, INF),
        (1.0, 1.0 + 1e-12),
        ((1, 2), [1, 2]),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        (np.array([NAN, 1.0]), np.array([NAN, 1.0])),
        (10**400, 10**400),
    ],
)
def test_right(target, yours):
    assert difference(target, yours, Tolerance(rtol=1e-9)) is None


@pytest.mark.parametrize(
    ("target", "yours", "kind", "said"),
    [
        (27, 28, "wrong_value", "the target is 27, yours is 28"),
        (27, 27.0000001, "wrong_value", "the target is 27"),
        (1, True, "wrong_shape", "must be a number, yours is True or False"),
        (True, 1, "wrong_shape", "must be True or False, yours is a number"),
        (1.0, NAN, "wrong_value", "yours is nan"),
        (NAN, 1.0, "wrong_value", "the target is nan"),
        (1.0, INF, "wrong_value", "yours is inf"),
        (INF, 1.0, "wrong_value", "the target is inf"),
        (1.0, 10**400, "wrong_value", "yours is 1"),
        (1, None, "wrong_shape", "yours is None"),
        ("a", "b", "wrong_value", "the target is 'a', yours is 'b'"),
        ((1, 2), (1, 2, 3), "wrong_shape", "2 items are wanted, yours has 3"),
        ((1, (2, 3)), (1, (2, 4)), "wrong_value", r"at \[1\]\[1\]: the target is 3"),
        ({"a": 1}, {}, "wrong_shape", "lacks the key 'a'"),
        ({"a": 1}, {"a": 1, "b": 2}, "wrong_shape", "not asked for: 'b'"),
        ({"a": {"b": 1}}, {"a": {"b": 3}}, "wrong_value", r"at 'a'\['b'\]: .* 3 times the target"),
        (np.zeros(3), [0, 0, 0], "wrong_shape", "must be an array, yours is a sequence"),
        (np.zeros((2, 3)), np.zeros((3, 2)), "wrong_shape", r"yours is \(3, 2\), the target tran"),
        (np.zeros(2), np.zeros(2, "float32"), "wrong_shape", "must be float64, yours is float32"),
        (np.zeros(2, bool), np.zeros(2), "wrong_shape", "dtype must be bool, yours is float64"),
        (np.arange(4), np.arange(4) * 2, "wrong_value", "3 of 4 entries differ; at .1. the target"),
    ],
)
def test_wrong(target, yours, kind, said):
    with np.errstate(all="raise"):
        found = difference(target, yours, Tolerance(rtol=1e-9))
    assert found is not None
    assert found.kind is Kind(kind)
    with pytest.raises(AssertionError, match=said):
        raise AssertionError(found.sentence)


def test_counts_are_exact_whatever_the_tolerance():
    assert difference(1000, 1001, Tolerance(rtol=0.1, atol=10)) is not None
    assert difference(1000.0, 1001, Tolerance(rtol=0.1)) is None


@pytest.mark.parametrize(
    ("target", "yours", "words"),
    [
        (100, 200, ", which is 2 times the target"),
        (100, 50, ", which is 1/2 of the target"),
        (8, 1, ", which is 1/8 of the target"),
        (1.5, -1.5, ", which is minus the target"),
        (3, 3 * 2**20, ", which is 1048576 times the target"),
        (100, 101, ""),
        (100, 100 * 77, ""),
        (0, 5, ""),
        (5, 0, ""),
        ("a", "b", ""),
        (True, False, ""),
        (np.array([1.0, 2.0]), np.array([2.0, 4.0]), ", which is 2 times the target"),
        (np.array([1.0, 2.0]), np.array([2.0, 5.0]), ""),
        (np.array([3, 1], "uint8"), np.array([9, 3], "uint8"), ", which is 3 times the target"),
        (np.zeros(2), np.ones(2), ""),
    ],
)
def test_a_telling_factor_is_said(target, yours, words):
    found = difference(target, yours, EXACT)
    assert found is not None
    if words:
        assert found.sentence.endswith(words)
    else:
        assert "which is" not in found.sentence


def test_no_object_answers_for_itself():
    class Yes:
        def __eq__(self, other):
            return True

        __hash__ = None

        def __array__(self, dtype=None, copy=None):
            return np.array([1.0])

    with pytest.raises(TypeError, match="got Yes"):
        plain(Yes())
