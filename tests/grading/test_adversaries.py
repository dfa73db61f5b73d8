"""Attacks on the machine and the kernel: none gains a point, costs another's, hangs or stays."""

import sys
from functools import cache

import pytest

from efficientdl.course.outcome import Kind
from tests.grading import adversaries, sandbox
from tests.grading.sandbox import answered, assert_repelled, graded

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="the attacks are written for Linux"),
]
WEIGHTY = {"fork_bomb", "many_threads"}


@cache
def unbound():
    return sandbox.limit_binds()


@pytest.mark.parametrize(
    "attack",
    [*adversaries.ENDLESS, *adversaries.DYING, *adversaries.LATER, *adversaries.TAKING],
    ids=str,
)
def test_attack_is_repelled(small, attack):
    if attack.name in WEIGHTY and unbound():
        pytest.skip(unbound())
    score = graded(small, answered(small, attack.answers))
    assert_repelled(score, attack)


def test_the_right_notebook_earns_every_point(small):
    score = graded(small, answered(small, {}))
    assert {kind for kind, _ in sandbox.outcomes(score).values()} == {Kind.CORRECT}
    assert score.earned == score.points == sum(sandbox.POINTS.values())
    assert not score.ungraded
