"""Parcels: what goes in comes out bit for bit; what a stranger made is refused, not believed."""

import io
import json
import struct
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from efficientdl._check import BadKind, BadValue
from efficientdl.course.comparison import Tolerance, difference
from efficientdl.course.parcel import pack, unpack

DTYPES = st.sampled_from(["bool", "int8", "uint16", "int64", "float16", "float32", "float64"])
ARRAYS = DTYPES.flatmap(lambda d: hnp.arrays(d, hnp.array_shapes(min_dims=1, max_dims=3)))
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=["Cs"]))
)
VALUES = st.recursive(
    SCALARS | ARRAYS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(st.text("abc$", max_size=3) | st.integers(), inner, max_size=4)
    ),
    max_leaves=8,
)


def same(a, b):
    """Equal in kind and in every bit; arrays in dtype, shape and bytes."""
    if isinstance(a, np.ndarray):
        assert isinstance(b, np.ndarray)
        assert (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())
    elif isinstance(a, list | tuple):
        assert type(a) is type(b)
        assert len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            same(x, y)
    elif isinstance(a, dict):
        assert list(a) == list(b)
        for key in a:
            same(a[key], b[key])
    else:
        assert type(a) is type(b)
        assert a == b or (a != a and b != b)


@given(VALUES)
def test_what_is_packed_comes_out_the_same(value):
    same(value, unpack(pack(value)))


def test_order_in_memory_does_not_matter():
    value = np.asfortranarray(np.arange(6.0).reshape(2, 3))
    np.testing.assert_array_equal(unpack(pack(value)), value)
    assert difference(value, unpack(pack(value[:, ::2])), Tolerance()) is not None


def test_a_value_of_no_kind_is_refused():
    with pytest.raises(BadKind, match="must be made of numbers"):
        pack([object()])


def npy(array):
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


def forged(tree, **members):
    """A zip with this tree and these raw members."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as zipped:
        text = json.dumps(tree).encode()
        zipped.writestr("tree.npy", npy(np.frombuffer(text, np.uint8)))
        for name, raw in members.items():
            zipped.writestr(f"{name}.npy", raw)
    return file.getvalue()


def header(text):
    body = text.encode().ljust(118 - 1) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(body)) + body


HUGE = header("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,), }")
STRANGERS = {
    "no zip": b"PK but not really",
    "empty": b"",
    "no tree": (lambda f: (zipfile.ZipFile(f, "w").close(), f.getvalue())[1])(io.BytesIO()),
    "objects": forged({"$array": 0}, arr_0=npy(np.array([{"a": 1}], dtype=object))),
    "strings": forged({"$array": 0}, arr_0=npy(np.array(["abc"]))),
    "complex": forged({"$array": 0}, arr_0=npy(np.array([1j]))),
    "terabytes promised": forged({"$array": 0}, arr_0=HUGE),
    "a header that is code": forged({"$array": 0}, arr_0=header("__import__('os').getcwd()")),
    "a member that is missing": forged({"$array": 7}),
    "an unknown mark": forged({"$code": "1 + 1"}),
    "two marks": forged({"$tuple": [], "$float": "1"}),
    "deep": forged(json.loads("[" * 400 + "]" * 400)),
    "cut off": pack(np.arange(100))[:-30],
    "a pair that is none": forged({"$dict": [[1, 2, 3]]}),
    "a key that is a list": forged({"$dict": [[[1], 2]]}),
}


@pytest.mark.parametrize("data", STRANGERS.values(), ids=STRANGERS)
def test_strangers_are_refused(data):
    with pytest.raises((BadValue, BadKind)):
        unpack(data)


def test_a_long_table_of_contents_is_refused_before_it_is_read(monkeypatch):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as zipped:
        for i in range(8000):
            zipped.writestr(f"arr_{i}.npy", b"")
    data = file.getvalue()
    monkeypatch.setattr(zipfile.ZipFile, "__init__", None)
    with pytest.raises(BadValue, match="too many members"):
        unpack(data)


def test_as_many_arrays_as_are_allowed_come_through():
    assert len(unpack(pack([np.zeros(1)] * 4095))) == 4095


def test_a_bomb_is_not_blown_up():
    """Sizes are counted while reading: what a header or a directory claims does not count."""
    bomb = forged({"$array": 0}, arr_0=npy(np.zeros(2_000_000, np.uint8)))
    assert len(bomb) < 5000
    with pytest.raises(BadValue, match="must be at most 1,000,000 bytes"):
        unpack(bomb, largest_bytes=1_000_000)
    assert unpack(bomb, largest_bytes=2_100_000).size == 2_000_000
