"""Verification: true rules pass for the products they are true of, false ones do not."""

import pytest

from efficientdl.systems.compiler.substitution.pattern import parse
from efficientdl.systems.compiler.substitution.verify import PRODUCTS, verify

ALL = set(PRODUCTS)


@pytest.mark.parametrize(
    ("source", "target", "products"),
    [
        ("act(x)", "act(x)", ALL),  # the identity
        ("act(apply(x, f))", "apply_act(x, f)", ALL),
        ("apply(x, f)", "apply_wide(x, enlarge(f))", ALL - {"linear"}),
        ("add(apply(x, f), apply(x, g))", "apply(x, sum(f, g))", ALL),
        (
            "apply(x, f), apply(x, g)",
            "split(apply(x, stack(f, g)))[0], split(apply(x, stack(f, g)))[1]",
            {"conv2d", "linear"},  # a grouped convolution would mix the groups of f and g
        ),
        ("add(apply(x, f), apply(y, g))", "apply(concat(x, y), join(f, g))", {"conv2d", "linear"}),
    ],
)
def test_true_rules(source, target, products):
    rule = verify(parse(source), parse(target), seed=0, trials=2)
    assert rule is not None
    assert rule.products == products


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("act(act(x))", "act(x)"),  # true of ReLU, not of every activation
        ("act(add(x, y))", "add(act(x), act(y))"),
        ("concat(x, y)", "concat(y, x)"),  # the same shape
        ("apply(x, f)", "apply(x, g)"),
        ("apply(add(x, y), f)", "add(apply(x, f), apply(y, f))"),  # the bias comes twice
        ("add(apply(x, f), apply(x, g))", "apply(x, stack(f, g))"),
        ("add(x, y)", "concat(x, y)"),
    ],
)
def test_false_rules(source, target):
    assert verify(parse(source), parse(target), seed=0, trials=2) is None


def test_each_product_is_examined_on_five_shapes():
    assert {name: len(settings) for name, settings in PRODUCTS.items()} == dict.fromkeys(ALL, 5)


def test_no_trial_is_refused():
    with pytest.raises(ValueError, match="verify: trials must be a whole number, 1 or more"):
        verify(parse("x"), parse("x"), seed=0, trials=0)
