"""Topology files, there and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from efficientdl.systems.hardware.layer import Conv, Gemm
from efficientdl.systems.hardware.topology_csv import (
    CONV_HEADER,
    GEMM_HEADER,
    read_topology,
    topology_text,
)

sizes = st.integers(1, 30)
names = st.text("abc_12", min_size=1, max_size=5)
plain_convs = st.builds(
    lambda c, side, n, kernel, stride: Conv(c, side + kernel, side + kernel, n, kernel, stride),
    *[sizes] * 3,
    st.integers(1, 5),
    st.integers(1, 4),
)


@given(layers=st.dictionaries(names, plain_convs, min_size=1, max_size=4))
def test_convolutions_come_back(layers):
    assert read_topology(topology_text(layers)) == layers


@given(layers=st.dictionaries(names, st.builds(Gemm, sizes, sizes, sizes), min_size=1, max_size=4))
def test_products_come_back(layers):
    assert read_topology(topology_text(layers)) == layers


def test_padding_becomes_input():
    text = topology_text({"a": Conv(3, 8, 9, 16, kernel=3, padding=(1, 0))})
    assert read_topology(text)["a"] == Conv(3, 10, 9, 16, kernel=3)


def test_files_as_people_write_them():
    text = f"{CONV_HEADER}\n\n conv1,\t227, 227, 11, 11, 3, 96, 4,\nconv1, 5,5,1,1,2,3,1\n,,\n"
    layers = read_topology(text)
    assert list(layers) == ["conv1", "conv1 (2)"]
    assert layers["conv1"] == Conv(3, 227, 227, 96, kernel=11, stride=4)


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("a, 1, 2,", "line 2 must have a name and 3 sizes, got 'a, 1, 2,'"),
        ("a, 1, two, 3,", "line 2 must have whole sizes, 1 or more, got 'a, 1, two, 3,'"),
        ("a, 1, 0, 3,", "line 2 must have whole sizes, 1 or more"),
        ("a, 1, -4, 3,", "line 2 must have whole sizes, 1 or more"),
    ],
)
def test_malformed_lines_are_named(line, error):
    with pytest.raises(ValueError, match=f"read_topology: {error}"):
        read_topology(f"{GEMM_HEADER}\n{line}\n")


def test_what_the_format_cannot_say():
    with pytest.raises(ValueError, match="line 2 must have a filter that fits its input"):
        read_topology(f"{CONV_HEADER}\na, 2, 2, 3, 3, 1, 1, 1,")
    with pytest.raises(ValueError, match="read_topology: text must have a line of column names"):
        read_topology("\n")
    with pytest.raises(ValueError, match="layer 'a' must have one group, one image, one stride"):
        topology_text({"a": Conv.depthwise(4, 5, 5, 3)})
    with pytest.raises(ValueError, match="layers must all be Conv or all be Gemm, got"):
        topology_text({"a": Gemm(1, 1, 1), "b": Conv(1, 1, 1, 1)})
    with pytest.raises(ValueError, match="name must be without commas and line ends, got 'a,b'"):
        topology_text({"a,b": Gemm(1, 1, 1)})
