"""Tasks as data: their rules, their headings, budgets."""

import pytest

from efficientdl.course.exercise import (
    PLACEHOLDER,
    Challenge,
    Exercise,
    Verdict,
    Written,
    at_least,
    at_most,
)

GIVEN = {
    "id": "demo",
    "lab": "99_demo",
    "title": "Square a number",
    "symbol": "square",
    "points": 5,
    "minutes": 2,
    "difficulty": 2,
    "draw": lambda rng: (int(rng.integers(9)),),
    "hints": ("A power.", "The second.", "x ** 2"),
}


def test_heading():
    assert Exercise(**GIVEN).heading() == (
        "**Exercise · Square a number** ●●○ · 2 minutes · 5 points"
    )
    written = Written(id="w", lab="99_demo", title="Why?", points=1, minutes=1, rubric=("So.",))
    assert written.heading() == "**In your own words · Why?** · 1 minute · 1 point"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"id": "Demo one"}, "id must be short words in lower case"),
        ({"points": 101}, r"points must be a whole number in \[0, 100\], got 101"),
        ({"minutes": 0}, "minutes must be a whole number"),
        ({"title": "two\nlines"}, "title must be one line"),
        ({"symbol": "two words"}, "symbol must be a Python name"),
        ({"difficulty": 4}, r"difficulty must be a whole number in \[1, 3\], got 4"),
        ({"cases": 2}, "cases must be a whole number"),
        ({"rtol": -1.0}, "rtol must be at least 0"),
        ({"rtol": 1e-3}, "reason must say why"),
        ({"hints": ("one", "two")}, "hints must be three"),
        ({"hints": ("one", "two", " ")}, "hints must be three, none empty"),
        ({"forbids": ("numpy.",)}, "forbids must be dotted names, got 'numpy.'"),
        ({"forbids": ("",)}, "forbids must be dotted names"),
        ({"time_limit_s": 0}, r"time_limit_s must be a whole number in \[1, 600\], got 0"),
        ({"time_limit_s": 601}, "time_limit_s must be a whole number"),
    ],
)
def test_rules(changed, said):
    with pytest.raises(ValueError, match=said):
        Exercise(**GIVEN | changed)


def test_a_tolerance_with_a_reason_is_taken():
    assert Exercise(**GIVEN | {"rtol": 1e-3, "reason": "float32 sums"}).rtol == 1e-3


def test_forbidden_names_are_a_tuple():
    with pytest.raises(TypeError, match=r"forbids must be a tuple, got 'numpy.sort'"):
        Exercise(**GIVEN | {"forbids": "numpy.sort"})


def test_rule_line_names_what_is_forbidden():
    def line(*forbids):
        return Exercise(**GIVEN | {"forbids": forbids}).rule_line()

    assert line() == ""
    assert line("efficientdl.costs.energy") == (
        "Write it yourself: `costs.energy` is not allowed here."
    )
    assert line("torch.a", "b", "c.d") == (
        "Write it yourself: `torch.a`, `b` and `c.d` are not allowed here."
    )


def test_a_cell_is_begun_when_the_stub_is_gone():
    demo = Exercise(**GIVEN)
    cell = f'def square(x):\n    """x times x."""\n{demo.stub("    ")}'
    assert cell.endswith('    raise NotImplementedError("demo: Square a number")')
    assert not demo.begun(cell)
    assert not demo.begun(cell + "\n\n")
    assert not demo.begun(f"{cell}\n\ndef g():\n    return 1")
    assert not demo.begun("")
    assert demo.begun("def square(x):\n    return x * x")
    assert demo.begun(cell.replace("    # YOUR CODE HERE\n", "    y = x\n"))
    assert demo.begun(cell.replace("demo: ", "other: "))


def test_an_answer_in_words_is_begun_when_the_placeholder_is_gone():
    written = Written(id="w", lab="99_demo", title="Why?", points=1, minutes=1, rubric=("So.",))
    assert not written.begun(f"{PLACEHOLDER}\n")
    assert not written.begun(" ")
    assert written.begun("Because.")
    assert written.begun(f"{PLACEHOLDER}\n\nBecause.")


def test_limits_at_their_edge():
    small, good = at_most("size", 10, "bytes"), at_least("accuracy", 0.9)
    assert [small.measure(v).met for v in (9, 10, 11, float("inf"))] == [True, True, False, False]
    assert [good.measure(v).met for v in (0.89, 0.9, 1.0)] == [False, True, True]
    assert Verdict((small.measure(1), good.measure(0.1))).share == 0.5
    assert Verdict(()).share == 0.0


def test_a_figure_that_is_no_number_is_refused():
    with pytest.raises(ValueError, match="size must be a number"):
        at_most("size", 10).measure(float("nan"))


def test_challenge_says_its_budget():
    budget = (at_most("size", 200_000, "bytes"), at_least("accuracy", 0.9))
    rest = {k: GIVEN[k] for k in ("id", "lab", "title", "symbol", "points", "minutes")}
    challenge = Challenge(**rest, budget=budget, judge=lambda artefact: Verdict(()))
    assert challenge.budget_line() == "Budget: size at most 200,000 bytes; accuracy at least 0.9."
    assert challenge.time_limit_s == 60
    with pytest.raises(ValueError, match="time_limit_s must be a whole number"):
        Challenge(**rest, budget=budget, judge=lambda artefact: Verdict(()), time_limit_s=0)
    with pytest.raises(ValueError, match="budget must have a limit"):
        Challenge(**rest, budget=(), judge=lambda artefact: Verdict(()))


def test_written_needs_a_rubric():
    with pytest.raises(ValueError, match="rubric must say"):
        Written(id="w", lab="99_demo", title="Why?", points=1, minutes=1, rubric=())
