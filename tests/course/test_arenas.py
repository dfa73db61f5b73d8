"""The challenge of lab 13: it can be met, one idea alone does not, and plans are checked again."""

import pytest
import torch

from efficientdl import models
from efficientdl.course import arenas
from efficientdl.course.exercises.lab_13 import BUDGET
from efficientdl.systems.compiler import memory

UNTIL = "stage3.0.project.norm"
PLAIN = {"until": "conv1.activation", "rows": 1, "cols": 1, "in_place": False}


def handed_in(**choice):
    """A choice, and the addresses that the library's planner gives its tensors."""
    choice = {"until": UNTIL, "rows": 7, "cols": 4, "in_place": True, **choice}
    plan = memory.plan_memory(memory.lifetimes_of(arenas.program(choice)))
    return {**choice, "offsets": dict(plan.offsets)}


@pytest.fixture(scope="module")
def right():
    return handed_in()


@pytest.fixture(scope="module")
def few():
    return handed_in(rows=2, cols=2)


def met(artefact):
    return [m.met for m in arenas.judge(artefact, BUDGET).measured]


def test_it_can_be_met(right):
    assert met(right) == [True, True]


def test_layer_by_layer_costs_what_the_network_costs():
    found = arenas.measure(handed_in(**PLAIN))
    model, x = models.build(arenas.NETWORK, seed=0).eval(), models.example(arenas.NETWORK)
    macs = 0

    def add(layer, _, y):
        nonlocal macs
        macs += y.numel() * layer.weight[0].numel()

    for layer in model.modules():
        if isinstance(layer, torch.nn.Conv2d | torch.nn.Linear):
            layer.register_forward_hook(add)
    with torch.no_grad():
        model(x)
    assert found["macs"] == macs
    # The fullest step: a depthwise layer of 96 channels that halves 112 x 112.
    assert found["arena_bytes"] == 4 * 96 * (112**2 + 56**2)


def test_patches_without_working_in_place_miss_the_arena():
    assert met(handed_in(in_place=False)) == [False, True]


def test_working_in_place_without_patches_misses_the_arena():
    assert met(handed_in(**{**PLAIN, "in_place": True})) == [False, True]


@pytest.mark.slow
def test_few_square_patches_miss_the_arena():
    assert met(handed_in(rows=5, cols=5)) == [False, True]


@pytest.mark.slow
def test_many_square_patches_miss_the_macs():
    assert met(handed_in(rows=6, cols=6)) == [True, False]


def test_addresses_apart_miss_the_arena(few):
    lives = memory.lifetimes_of(arenas.program(few))
    apart = {**few, "offsets": dict(memory.without_sharing(lives).offsets)}
    assert met(apart) == [False, True]


def test_the_arena_ends_where_the_highest_tensor_ends(few):
    moved = {name: at + 4096 for name, at in few["offsets"].items()}
    before, after = (arenas.measure({**few, "offsets": o}) for o in (few["offsets"], moved))
    assert after["arena_bytes"] == before["arena_bytes"] + 4096
    assert after["macs"] == before["macs"]


def test_two_living_tensors_may_not_overlap(few):
    everywhere_zero = dict.fromkeys(few["offsets"], 0)
    with pytest.raises(ValueError, match="must keep tensors apart that live at once"):
        arenas.measure({**few, "offsets": everywhere_zero})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"more": 1}, r"submit: artefact must have exactly the keys until, rows, cols"),
        ({"rows": 0}, "rows must be"),
        ({"cols": 10**6}, "cols must be"),
        ({"cols": 40}, "rows and cols must make at most 64 patches, got '2 x 40'"),
        ({"until": "conv9"}, "until must be one of"),
        ({"offsets": {}}, "must place exactly the tensors that live"),
        ({"in_place": False}, "must place exactly the tensors that live"),
        ({"offsets": {"x": -4}}, "address of x must be"),
    ],
)
def test_what_is_no_plan_is_refused(few, change, said):
    with pytest.raises(ValueError, match=said):
        arenas.measure({**few, **change})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"until": 3}, "until must be"),
        ({"rows": "many"}, "rows must be"),
        ({"in_place": "yes"}, "in_place must be"),
        ({"offsets": [0, 1]}, "offsets must be"),
        ({"offsets": {"x": 0.5}}, "address of x must be"),
    ],
)
def test_what_is_of_another_kind_is_refused(few, change, said):
    with pytest.raises(TypeError, match=said):
        arenas.measure({**few, **change})


def test_a_part_that_is_missing_is_refused():
    with pytest.raises(ValueError, match="must have exactly the keys"):
        arenas.judge({"until": UNTIL}, BUDGET)
