"""The rules: the shipped list is what enumeration gives, and each of them is true."""

import pytest

from efficientdl.systems.compiler.substitution.rules import (
    SEED,
    generate_rules,
    parse_rule,
    shipped_rules,
)
from efficientdl.systems.compiler.substitution.shipped import SHIPPED
from efficientdl.systems.compiler.substitution.verify import verify

MERGE = "apply(x, f), apply(x, g)"


@pytest.mark.slow
def test_the_rules_of_two_steps_are_shipped():
    made = generate_rules(n_steps=2, seed=SEED, trials=2)
    assert len(made) > 5
    assert {str(rule) for rule in made} <= set(SHIPPED.strip().splitlines())


@pytest.mark.full
def test_the_shipped_list_is_what_enumeration_gives():
    made = generate_rules(n_steps=3, seed=SEED, trials=2)
    assert "".join(f"{rule}\n" for rule in made) == SHIPPED


@pytest.mark.slow
@pytest.mark.parametrize("rule", shipped_rules(), ids=str)
def test_every_shipped_rule_is_true_on_fresh_numbers(rule):
    assert str(verify(rule.source, rule.target, seed=99, trials=10)) == str(rule)


def test_the_rules_that_papers_name_are_among_them():
    found = {str(rule.source): str(rule.target) for rule in shipped_rules()}
    assert found["concat(split(z)[0], split(z)[1])"] == "z"
    assert found["add(apply(x, f), apply(x, g))"] == "apply(x, sum(f, g))"
    assert "stack(f, g)" in found[MERGE]
    assert "apply_act" in found["act(apply(x, f))"]


def test_a_rule_is_read_as_it_is_printed():
    for line in SHIPPED.strip().splitlines():
        assert str(parse_rule(line)) == line


def test_a_rule_of_ones_own():
    rule = parse_rule("act(x) -> act(x)")
    assert verify(rule.source, rule.target, seed=0, trials=1) == rule


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("act(x)", "parse_rule: text must be `source -> target`"),
        ("act(x) -> relu(x)", "parse: step must be one of"),
        ("apply(x, f) -> apply(x, f) [conv3d]", "parse_rule: product must be one of"),
    ],
)
def test_what_is_not_a_rule_is_refused(text, message):
    with pytest.raises(ValueError, match=message):
        parse_rule(text)


def test_sizes_out_of_range_are_refused():
    with pytest.raises(ValueError, match=r"generate_rules: n_steps must be .* \[1, 3\], got 4"):
        generate_rules(n_steps=4, seed=0)
