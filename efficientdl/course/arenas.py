"""The challenge of lab 13: MobileNetV2 in patches, in an arena whose plan is handed in."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from efficientdl import _check, models
from efficientdl.course.exercise import Limit, Verdict
from efficientdl.systems.compiler import Graph, fuse, trace
from efficientdl.systems.compiler.memory import (
    Plan,
    Program,
    check_plan,
    in_place,
    lifetimes_of,
    patch_by_patch,
)

NETWORK = "mobilenet_v2"
_KEYS = ("until", "rows", "cols", "in_place", "offsets")
_MOST = 64  # patches: the judge makes them all, which takes seconds


@cache
def network() -> Graph:
    """The graph of MobileNetV2 for one picture, fused: shapes alone, no weights."""
    x = models.example(NETWORK).to("meta")
    return fuse(trace(models.skeleton(NETWORK), x))


def program(artefact: Mapping[str, Any]) -> Program:
    """The program that was chosen: where patches end, how many, and whether layers overwrite.

    Args:
        artefact: Its `until`, `rows`, `cols` and `in_place`, from somebody who is not trusted.

    Raises:
        BadKind: One of them is of another kind.
        BadValue: There is no such value, or patches cannot end there.
    """
    _check.kind("submit", "until", artefact["until"], str)
    for name in ("rows", "cols"):
        _check.whole("submit", name, artefact[name], 1, _MOST)
    if artefact["rows"] * artefact["cols"] > _MOST:
        patches = f"{artefact['rows']} x {artefact['cols']}"
        _check.fail("submit", "rows and cols", f"must make at most {_MOST} patches", patches)
    _check.kind("submit", "in_place", artefact["in_place"], bool)
    cut = patch_by_patch(
        network(), until=artefact["until"], rows=artefact["rows"], cols=artefact["cols"]
    )
    return in_place(cut) if artefact["in_place"] else cut


def measure(artefact: Mapping[str, Any]) -> dict[str, int]:
    """What a choice and its addresses are worth.

    Args:
        artefact: `{"until": value, "rows": r, "cols": c, "in_place": True or False, "offsets":
            {tensor: address}}`.

    Returns:
        `arena_bytes`, the highest end of a tensor; and `macs`, those done twice counted twice.

    Raises:
        BadKind: A part is of another kind.
        BadValue: A part is missing, patches cannot end there, a tensor has no address, or two
            that live at once overlap.
    """
    if artefact.keys() != set(_KEYS):
        rule = f"must have exactly the keys {', '.join(_KEYS)}"
        _check.fail("submit", "artefact", rule, sorted(map(str, artefact)))
    _check.kind("submit", "offsets", artefact["offsets"], Mapping)
    chosen = program(artefact)
    lives = lifetimes_of(chosen)
    for name, address in artefact["offsets"].items():
        _check.whole("submit", f"address of {name}", address, 0)
    plan = Plan(lives, dict(artefact["offsets"]))
    check_plan(plan)
    return {"arena_bytes": plan.peak_bytes, "macs": chosen.cost().macs or 0}


def judge(artefact: Mapping[str, Any], budget: tuple[Limit, ...]) -> Verdict:
    """Make the program again, check the plan, and hold each figure against its limit.

    Args:
        artefact: What `measure` takes.
        budget: Limits named by the figures of `measure`.
    """
    found = measure(artefact)
    return Verdict(tuple(limit.measure(found[limit.name]) for limit in budget))
