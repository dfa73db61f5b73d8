"""The rules: those that enumeration finds, and their shipped list."""

import re
from collections.abc import Sequence
from functools import cache

from efficientdl import _check
from efficientdl.systems.compiler.substitution.forms import structure
from efficientdl.systems.compiler.substitution.generate import candidates
from efficientdl.systems.compiler.substitution.match import all_rewritings, rewritings
from efficientdl.systems.compiler.substitution.pattern import Pattern, parse
from efficientdl.systems.compiler.substitution.setting import Setting
from efficientdl.systems.compiler.substitution.shipped import SHIPPED
from efficientdl.systems.compiler.substitution.verify import PRODUCTS, TRIALS, Rule, verify

SEED = 0  # with which the shipped list was made


def generate_rules(*, n_steps: int, seed: int, trials: int = TRIALS) -> list[Rule]:
    """Generate the substitution rules over patterns of at most `n_steps` steps.

    All patterns are written down, and those with one fingerprint are paired. From small to large,
    a pair is left out when rules that are already kept do its work: when one of them makes a side
    smaller, or two of them, one after the other, make the target of the source. The way back of a
    kept rule stays, and so does a shortcut of two rules to a smaller target. What is left is
    verified.

    Args:
        n_steps: Most steps of a side, 1 to 3.
        seed: Draws the numbers.
        trials: Draws of each kind for each shape in the verification.

    >>> for rule in generate_rules(n_steps=2, seed=0, trials=1)[:3]:
    ...     print(rule)
    split(concat(x, y))[0], split(concat(x, y))[1]  ->  x, y
    concat(split(z)[0], split(z)[1])  ->  z
    act(apply(x, f))  ->  apply_act(x, f)  [conv2d, grouped conv2d, linear]

    Source: Jia, Padon, Thomas, Warszawski, Zaharia and Aiken, "TASO: Optimizing Deep Learning
    Computation with Automatic Generation of Graph Substitutions", SOSP 2019; the survey's section
    6.1; lab 13.
    """
    _check.whole("generate_rules", "n_steps", n_steps, 1, 3)
    _check.whole("generate_rules", "seed", seed, 0)
    kept: list[Rule] = []
    for source, target in candidates(n_steps=n_steps, seed=seed):
        if not _follows(source, target, kept):
            rule = verify(source, target, seed=seed, trials=trials)
            kept += [] if rule is None else [rule]
    return kept


_FOR = re.compile(r"\[([^\]01]+)\]\s*$")  # the products at the end; [0] is a part of a split


@cache
def shipped_rules() -> tuple[Rule, ...]:
    """The rules of three steps, as `generate_rules(n_steps=3, seed=SEED)` gives them.

    >>> print(shipped_rules()[1])
    concat(split(z)[0], split(z)[1])  ->  z
    """
    return tuple(parse_rule(line) for line in SHIPPED.strip().splitlines())


def parse_rule(text: str) -> Rule:
    """Read a rule as it is printed. Nothing is verified: for a rule of your own, see `verify`.

    >>> rule = parse_rule("act(apply(x, f)) -> apply_act(x, f) [conv2d, linear]")
    >>> sorted(rule.products)
    ['conv2d', 'linear']

    Raises:
        BadValue: The text is not a rule.
    """
    source, arrow, rest = text.partition("->")
    target, _, where = _FOR.sub(r"|\1", rest).partition("|")
    if not arrow:
        _check.fail("parse_rule", "text", "must be `source -> target`", text)
    products = [name.strip() for name in where.split(",")] if where else list(PRODUCTS)
    for name in products:
        _check.one_of("parse_rule", "product", name, PRODUCTS)
    return Rule(parse(source), parse(target), frozenset(products))


def _follows(source: Pattern, target: Pattern, kept: Sequence[Rule]) -> bool:
    """Whether rules that are kept do the work of this pair."""
    left, right = Setting().graph(source), Setting().graph(target)
    assert left is not None
    assert right is not None
    if any((r.source, r.target) == (target, source) for r in kept):
        return False  # the way back: a step up, from which another one may lead further down
    shrinking = [r for r in kept if len(r.target.steps) < len(r.source.steps)]
    if any(True for side in (left, right) for rule in shrinking for _ in rewritings(rule, side)):
        return True
    wanted, seen, layer = structure(right), {structure(left)}, [left]
    shortcut = len(target.steps) < len(source.steps)
    for _ in range(1 if shortcut else 2):
        layer = [g for graph in layer for g in all_rewritings(kept, graph, seen)]
        if wanted in seen:
            return True
    return wanted in seen
