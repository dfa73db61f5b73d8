"""Verify a substitution: on real numbers, on whole numbers exactly, and as polynomials."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from efficientdl import _check
from efficientdl.systems.compiler.substitution.pattern import Pattern
from efficientdl.systems.compiler.substitution.setting import Setting, real_numbers, whole_numbers
from efficientdl.systems.compiler.substitution.symbolic import equal

TRIALS = 50  # draws of real numbers for each setting

_DENSE = (
    Setting(picture=(1, 3, 4)),
    Setting(picture=(2, 2, 2), kernel=(1, 1), padding=(0, 0), has_bias=False),
    Setting(picture=(1, 5, 4), stride=(2, 2), activation="hardswish"),
    Setting(data=(2, 3, 1, 2), filters=((3, 2), (1, 2)), activation="relu6"),
    Setting(data=(2, 3, 1, 2), filters=((2, 2), (2, 3)), kernel=(1, 3), padding=(0, 1)),
)
_GROUPED = (
    *(replace(s, data=(4, 4, 2, 2), filters=((4, 4), (4, 4)), groups=2) for s in _DENSE[:3]),
    Setting(data=(4, 2, 2, 2), filters=((2, 4), (6, 4)), groups=2),
    Setting(data=(4, 2, 2, 2), filters=((4, 4), (4, 2)), groups=2, kernel=(1, 1), padding=(0, 0)),
)
# What `apply` may be, each on five shapes.
PRODUCTS: dict[str, tuple[Setting, ...]] = {
    "conv2d": _DENSE,
    "grouped conv2d": _GROUPED,
    "linear": tuple(replace(s, op="linear") for s in _DENSE),
}
# For polynomials, whose number grows fast: the least shapes that tell channels and places apart.
_SYMBOLIC = Setting(
    picture=(1, 2, 2), data=(1, 1, 1, 1), filters=((1, 1), (1, 1)), kernel=(1, 1), padding=(0, 0)
)
SYMBOLIC: dict[str, tuple[Setting, ...]] = {
    "conv2d": (
        _SYMBOLIC,
        replace(_SYMBOLIC, kernel=(3, 3), padding=(1, 1)),
        replace(_SYMBOLIC, data=(2, 2, 1, 1), filters=((2, 2), (2, 2)), has_bias=False),
    ),
    "grouped conv2d": (
        replace(_SYMBOLIC, data=(2, 2, 1, 1), filters=((2, 2), (2, 2)), groups=2),
        replace(_SYMBOLIC, data=(4, 4, 2, 2), filters=((4, 4), (4, 4)), groups=2),
    ),
    "linear": (replace(_SYMBOLIC, op="linear", data=(2, 2, 1, 1), filters=((2, 2), (2, 2))),),
}


@dataclass(frozen=True)
class Rule:
    """A substitution that has been verified: the source may be replaced by the target.

    Attributes:
        source: What is looked for.
        target: What it becomes; its outputs are those of the source, in order.
        products: What `apply` may be, keys of `PRODUCTS`.
    """

    source: Pattern
    target: Pattern
    products: frozenset[str]

    def __str__(self) -> str:
        speaks_of = {step.op for side in (self.source, self.target) for step in side.steps}
        where = f"  [{', '.join(sorted(self.products))}]" if speaks_of & APPLIES else ""
        return f"{self.source}  ->  {self.target}{where}"


APPLIES = {"apply", "apply_act", "apply_wide"}


def verify(source: Pattern, target: Pattern, *, seed: int, trials: int = TRIALS) -> Rule | None:
    """Hold a target against its source; the rule, with the products it holds for, or None.

    For each kind of product there are three examinations. On five shapes, with strides, paddings
    and unequal widths, 50 draws of real numbers in float64 must agree within rounding, and as many
    of whole numbers to the bit: for a polynomial of degree d, whole numbers out of 2 m + 1 miss a
    difference with a probability of at most d / (2 m + 1) each time. On the smallest shapes both
    sides must be the same polynomials, with an activation that may be any function.

    A rule may hold for convolutions and not for grouped ones. It then says so, and is not looked
    for there. Where the source does not fit a shape, there is nothing to hold it against.

    Args:
        source: What is looked for.
        target: What it may become.
        seed: Draws the numbers.
        trials: Draws of each kind for each shape.

    Source: Jia, Padon, Thomas, Warszawski, Zaharia and Aiken, "TASO", SOSP 2019, which
    proves its rules from axioms; here equality is examined on the operations themselves.
    """
    _check.whole("verify", "trials", trials, 1)
    rng = np.random.default_rng(seed)
    holds = frozenset(
        name
        for name, settings in PRODUCTS.items()
        if _proved(source, target, SYMBOLIC[name]) and _agree(source, target, settings, rng, trials)
    )
    return Rule(source, target, holds) if holds else None


def _proved(source: Pattern, target: Pattern, settings: Sequence[Setting]) -> bool:
    """Whether both are the same polynomials on every shape, and there is one."""
    met = False
    for setting in settings:
        left, right = setting.graph(source), setting.graph(target)
        if left is None:
            continue
        if right is None or not equal(left, right):
            return False
        met = True
    return met


def _agree(
    source: Pattern,
    target: Pattern,
    settings: Sequence[Setting],
    rng: np.random.Generator,
    trials: int,
) -> bool:
    """Whether both give the same numbers on every shape, and there is one."""
    met = False
    for setting in settings:
        left, right = setting.graph(source), setting.graph(target)
        if left is None:
            continue
        if right is None:
            return False
        met = True
        for _ in range(trials):
            real = setting.inputs(real_numbers(rng))
            # 1e-9: a few dozen terms of the order of one, added in another order in float64
            if not _close(left.run(*real), right.run(*real), within=1e-9):
                return False
            exact = replace(setting, activation="relu")
            left_exact, right_exact = exact.graph(source), exact.graph(target)
            assert left_exact is not None
            assert right_exact is not None
            whole = setting.inputs(whole_numbers(rng, most=1000))  # sums stay below 2**53
            if not _close(left_exact.run(*whole), right_exact.run(*whole), within=0.0):
                return False
    return met


def _close(left: Sequence[Tensor], right: Sequence[Tensor], *, within: float) -> bool:
    return all(
        a.shape == b.shape and torch.allclose(a, b, rtol=within, atol=within)
        for a, b in zip(left, right, strict=True)
    )
