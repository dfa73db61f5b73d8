"""Memory planning: where every activation of one inference lies, in one arena, before it runs.

Read `lifetimes.py` first: a tensor is a rectangle of steps and bytes, and the fullest step bounds
every plan from below. `plan.py` says which plans are safe; `fit.py`, `reorder.py` and `exact.py`
find plans, `planner.py` calls them in turn. None of these knows of networks. `program.py` does: it
makes steps of a graph, `in_place.py` and `patches.py` make other steps that need less, and
`arena.py` runs any of them in one flat buffer.
"""

from efficientdl.systems.compiler.memory.arena import run_in_arena
from efficientdl.systems.compiler.memory.exact import Exact, exact_plan
from efficientdl.systems.compiler.memory.fit import best_fit, by_area, by_birth, by_size, first_fit
from efficientdl.systems.compiler.memory.in_place import in_place
from efficientdl.systems.compiler.memory.lifetimes import Lifetime, live_bytes, lower_bound
from efficientdl.systems.compiler.memory.patches import patch_by_patch, recomputed
from efficientdl.systems.compiler.memory.plan import Plan, check_plan, without_sharing
from efficientdl.systems.compiler.memory.planner import plan_memory
from efficientdl.systems.compiler.memory.program import (
    Program,
    lifetimes_of,
    program_of,
    with_inputs_outside,
)
from efficientdl.systems.compiler.memory.reorder import reordered

__all__ = [
    "Lifetime",
    "live_bytes",
    "lower_bound",
    "Plan",
    "check_plan",
    "without_sharing",
    "first_fit",
    "best_fit",
    "by_size",
    "by_birth",
    "by_area",
    "reordered",
    "Exact",
    "exact_plan",
    "plan_memory",
    "Program",
    "program_of",
    "lifetimes_of",
    "with_inputs_outside",
    "in_place",
    "patch_by_patch",
    "recomputed",
    "run_in_arena",
]
