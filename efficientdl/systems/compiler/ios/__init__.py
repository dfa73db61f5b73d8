"""Inter-operator scheduling: which operators of a network run at the same time.

Read `dag.py` first, then `schedule.py`: stages one after another, in each some groups at once.
`scheduler.py` finds the stages of least cost by dynamic programming, `operators.py` cuts a graph
into operators, `merge.py` makes several convolutions one, and `threads.py` runs a schedule,
measures what stages cost, or models it.
"""

from efficientdl.systems.compiler.ios.dag import Dag, dag_of
from efficientdl.systems.compiler.ios.merge import apply_merges, mergeable
from efficientdl.systems.compiler.ios.operators import Operators, operators_of
from efficientdl.systems.compiler.ios.schedule import (
    Group,
    Merged,
    Schedule,
    Stage,
    StageCost,
    check_schedule,
    greedy,
    sequential,
)
from efficientdl.systems.compiler.ios.scheduler import Scheduled, schedule_stages
from efficientdl.systems.compiler.ios.threads import (
    measured_cost,
    modelled_cost,
    run_schedule,
    workers,
)

__all__ = [
    "Dag",
    "dag_of",
    "Group",
    "Merged",
    "Stage",
    "StageCost",
    "Schedule",
    "check_schedule",
    "sequential",
    "greedy",
    "Scheduled",
    "schedule_stages",
    "mergeable",
    "apply_merges",
    "Operators",
    "operators_of",
    "workers",
    "run_schedule",
    "measured_cost",
    "modelled_cost",
]
