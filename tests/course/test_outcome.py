"""The closed set of outcomes."""

from efficientdl.course.outcome import Kind, Outcome


def test_outcomes_are_the_agreed_words():
    assert [kind.value for kind in Kind] == [
        "correct", "partial", "wrong_value", "wrong_shape", "not_attempted", "raised",
        "timeout", "memory", "kernel_died", "forbidden", "internal_error",
    ]  # fmt: skip


def test_share_of_no_cases_is_zero():
    assert Outcome(Kind.TIMEOUT, "too long", right=0, cases=0).share == 0.0
    assert Outcome(Kind.PARTIAL, "", right=1, cases=4).share == 0.25
