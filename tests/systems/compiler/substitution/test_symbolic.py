"""Polynomials: they compute what the graph computes, and tell what differs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from efficientdl.systems.compiler.graph import Graph, Value, node
from efficientdl.systems.compiler.substitution.pattern import parse
from efficientdl.systems.compiler.substitution.setting import Setting, whole_numbers
from efficientdl.systems.compiler.substitution.symbolic import Algebra, Polynomial, equal

terms = st.dictionaries(
    st.lists(st.integers(0, 2), max_size=2).map(lambda m: tuple(sorted(m))), st.integers(-3, 3)
)
points = st.tuples(*[st.integers(-5, 5)] * 3)


def at(polynomial, point):
    return sum(c * int(np.prod([point[i] for i in m])) for m, c in polynomial.terms.items())


@settings(deadline=None)
@given(terms, terms, points)
def test_sums_and_products_are_those_of_the_values(left, right, point):
    a, b = Polynomial(left), Polynomial(right)
    assert at(a + b, point) == at(a, point) + at(b, point)
    assert at(a * b, point) == at(a, point) * at(b, point)
    assert a + b == b + a
    assert a * b == b * a


SHAPES = [
    Setting(picture=(1, 3, 4), stride=(2, 1)),
    Setting(picture=(2, 2, 2), kernel=(1, 1), padding=(0, 0), has_bias=False),
    Setting(data=(4, 4, 2, 2), filters=((4, 4), (4, 4)), groups=2),
    Setting(op="linear"),
]


@pytest.mark.parametrize("setting", SHAPES)
@pytest.mark.parametrize("text", ["apply(x, f)", "add(apply(x, f), apply(x, g))", "concat(x, y)"])
def test_a_graph_of_polynomials_at_a_point_is_the_graph_at_that_point(setting, text):
    graph = setting.graph(parse(text))
    x = setting.inputs(whole_numbers(np.random.default_rng(0), most=5))
    algebra = Algebra()
    outputs = algebra.run(graph)
    values = {v.name: t for v, t in zip(graph.inputs, x, strict=True)}
    point = [int(values[name][place]) for name, place in algebra.numbers]
    for polynomials, numbers in zip(outputs, graph.run(*x), strict=True):
        ours = np.vectorize(lambda p: at(p, point), otypes=[float])(polynomials)
        np.testing.assert_array_equal(ours, numbers)


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        ("add(x, y)", "add(y, x)", True),
        ("concat(x, y)", "concat(y, x)", False),
        ("act(add(x, y))", "add(act(x), act(y))", False),
        ("act(act(x))", "act(x)", False),
        ("act(concat(x, y))", "concat(act(x), act(y))", True),
        ("apply(apply(x, f), g)", "apply(apply(x, g), f)", False),
        ("apply(add(x, y), f)", "add(apply(x, f), apply(y, f))", False),  # the bias comes twice
    ],
)
def test_what_is_equal_and_what_is_not(left, right, same):
    setting = Setting(picture=(1, 2, 2))
    assert equal(setting.graph(parse(left)), setting.graph(parse(right))) is same


def test_an_operation_without_a_rule_is_refused():
    x = Value("x", (1, 2))
    graph = Graph((x,), {}, (node("y", "softmax", [x], axis=1),), ("y",))
    with pytest.raises(ValueError, match=r"Algebra.run: op must be one of .*, got 'softmax'"):
        Algebra().run(graph)


def test_padding_with_something_else_than_zeros_is_refused():
    x = Value("x", (2,))
    graph = Graph((x,), {}, (node("y", "pad", [x], widths=((1, 0),), value=1.0),), ("y",))
    with pytest.raises(ValueError, match=r"Algebra.run: padding must be zeros, got 1.0"):
        Algebra().run(graph)
