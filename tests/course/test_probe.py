"""Drawing, asking and judging: what the notebook and the grader share."""

import sys

import numpy as np
import pytest

from efficientdl.course.exercise import Exercise
from efficientdl.course.outcome import Kind
from efficientdl.course.probe import Answer, ask, draw, judge
from tests.course.test_exercise import GIVEN

SQUARE = Exercise(**GIVEN | {"draw": lambda rng: (int(rng.integers(2, 1000)),)})


def outcome_of(function, exercise=SQUARE, right=lambda x: x * x):
    inputs = draw(exercise, seed=0)
    answers = [ask(function, arguments) for arguments in inputs]
    return judge(exercise, inputs, [right(*a) for a in inputs], answers, names=["x"])


def test_draw_replays_and_depends_on_seed_case_and_id():
    inputs = draw(SQUARE, seed=3)
    assert inputs == draw(SQUARE, seed=3)
    assert len(inputs) == SQUARE.cases
    assert len(set(inputs)) > 1
    assert inputs != draw(SQUARE, seed=4)
    assert inputs != draw(Exercise(**GIVEN | {"id": "other", "draw": SQUARE.draw}), seed=3)


def test_draw_takes_a_grader_key():
    assert draw(SQUARE, seed=2**256 - 1) != draw(SQUARE, seed=2**256 - 2)


def test_draw_gives_plain_values():
    exercise = Exercise(**GIVEN | {"draw": lambda rng: (rng.integers(3), [rng.random()])})
    for count, items in draw(exercise, seed=0):
        assert type(count) is int
        assert type(items) is list
        assert type(items[0]) is float


def test_draw_errors():
    with pytest.raises(ValueError, match="draw: seed must be a whole number, 0 or more, got -1"):
        draw(SQUARE, seed=-1)
    with pytest.raises(TypeError, match="draw of demo: arguments must be a tuple, got 3"):
        draw(Exercise(**GIVEN | {"draw": lambda rng: 3}), seed=0)


def test_ask_hands_out_a_copy():
    array = np.zeros(2)

    def damage(x):
        x[0] = 9
        return x

    answer = ask(damage, (array,))
    np.testing.assert_array_equal(array, [0, 0])
    np.testing.assert_array_equal(answer.value, [9, 0])


def test_ask_passes_on_what_is_not_written():
    def unfinished(x):
        raise NotImplementedError("demo: Square a number")

    with pytest.raises(NotImplementedError, match="demo: Square"):
        ask(unfinished, (1,))


def test_ask_says_where_it_was_raised():
    def divide(x):
        return x / 0

    answer = ask(divide, (1,))
    assert answer.failure is Kind.RAISED
    said = "your function raised ZeroDivisionError: division by zero, in line"
    assert answer.sentence.startswith(said)
    assert answer.sentence.endswith("return x / 0")


def test_ask_survives_exit_and_memory():
    assert ask(lambda: sys.exit(3), ()).failure is Kind.RAISED

    def greedy():
        raise MemoryError

    assert ask(greedy, ()).failure is Kind.MEMORY


def test_ask_refuses_what_is_no_value():
    answer = ask(lambda: (i for i in range(3)), ())
    assert answer.failure is Kind.WRONG_SHAPE
    assert answer.sentence.endswith("got generator")


def test_wrong_number_of_arguments_is_raised():
    assert "takes 0 positional arguments" in ask(lambda: 1, (1, 2)).sentence


def test_all_right():
    found = outcome_of(lambda x: x**2)
    assert (found.kind, found.right, found.cases, found.shown) == (Kind.CORRECT, 8, 8, None)


def test_none_right_gives_the_kind_of_the_case_shown():
    found = outcome_of(lambda x: 2 * x * x)
    assert found.kind is Kind.WRONG_VALUE
    assert found.share == 0
    assert found.message.endswith("which is 2 times the target")
    assert found.shown is not None
    ((name, text),) = found.shown.inputs
    assert name == "x"
    assert found.shown.target == str(int(text) ** 2)
    assert found.shown.yours == str(2 * int(text) ** 2)


def test_some_right_is_partial_and_shows_the_shortest():
    inputs = [(100,), (3,), (4,), (5000,)]
    answers = [Answer(1), Answer(9), Answer(1), Answer(1)]
    found = judge(SQUARE, inputs, [10_000, 9, 16, 25_000_000], answers)
    assert (found.kind, found.right, found.cases) == (Kind.PARTIAL, 1, 4)
    assert found.shown is not None
    assert found.shown.inputs == (("argument 1", "4"),)


def test_failures_keep_their_kind():
    failed = [Answer(failure=Kind.TIMEOUT, sentence="too long")] * 2
    found = judge(SQUARE, [(1,), (2,)], [1, 4], failed)
    assert (found.kind, found.message) == (Kind.TIMEOUT, "too long")
    assert found.shown is not None
    assert found.shown.yours == ""


def test_judge_demands_equal_lengths():
    with pytest.raises(ValueError, match="must be equally long"):
        judge(SQUARE, [(1,)], [1, 2], [Answer(1)])


def test_explanation_is_asked_for_wrong_values_only():
    def explain(arguments, target, yours):
        return "You doubled." if yours == 2 * arguments[0] else ""

    exercise = Exercise(**GIVEN | {"draw": SQUARE.draw, "explain": explain})
    assert outcome_of(lambda x: 2 * x, exercise).message.endswith(". You doubled.")
    assert "doubled" not in outcome_of(lambda x: 3 * x, exercise).message
    assert outcome_of(lambda x: "text", exercise).kind is Kind.WRONG_SHAPE


def test_an_object_that_equals_everything_is_wrong():
    class Yes(int):
        def __eq__(self, other):
            return True

        __hash__ = int.__hash__

    assert outcome_of(lambda x: Yes(1)).kind is Kind.WRONG_VALUE
