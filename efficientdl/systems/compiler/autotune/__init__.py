"""Autotuning: which way to cut and order loops is fastest here, found by trying.

A `MatmulTask` or a `ConvTask` is what is computed, a `Schedule` how, and `space_of` all schedules
that fit. `autotune` tries a few, chosen by a `CostModel` that it learns from the trials, and keeps
a log. Read `tune.py` first, then `annealing.py`, `features.py` and `cost_model.py`.
"""

from efficientdl.kernels.scheduled import Schedule
from efficientdl.systems.compiler.autotune.annealing import AnnealedSearch
from efficientdl.systems.compiler.autotune.cost_model import CostModel
from efficientdl.systems.compiler.autotune.features import features, named_features
from efficientdl.systems.compiler.autotune.log import Logged, append_log, machine_name, read_log
from efficientdl.systems.compiler.autotune.spaces import default_schedule, space_of
from efficientdl.systems.compiler.autotune.tasks import ConvTask, MatmulTask, Program, Task, Trial
from efficientdl.systems.compiler.autotune.tune import Tuned, autotune, measured

__all__ = [
    "MatmulTask",
    "ConvTask",
    "Task",
    "Program",
    "Schedule",
    "Trial",
    "space_of",
    "default_schedule",
    "autotune",
    "Tuned",
    "measured",
    "AnnealedSearch",
    "CostModel",
    "features",
    "named_features",
    "Logged",
    "read_log",
    "append_log",
    "machine_name",
]
