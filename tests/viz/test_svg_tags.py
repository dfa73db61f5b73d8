"""Elements of SVG are escaped and short."""

from xml.etree import ElementTree

from hypothesis import given, settings
from hypothesis import strategies as st

from efficientdl.viz.svg_tags import group, n, tag

words = st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), min_size=1)


@settings(deadline=None)
@given(words, words)
def test_any_text_comes_back(text, attribute):
    element = ElementTree.fromstring(tag("text", text, role=attribute))
    assert element.text == text
    assert element.get("role") == attribute


@settings(deadline=None)
@given(st.floats(-1e4, 1e4))
def test_coordinates_are_right_to_a_tenth(value):
    assert abs(float(n(value)) - value) <= 0.05 + 1e-9


def test_groups_hold_their_elements():
    assert group("g", [tag("path"), tag("rect")]) == "<g><path/><rect/></g>"
