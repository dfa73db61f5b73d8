"""Dataflows: what stays in a unit, and what that costs, in closed form.

`folds.py` cuts a product to the size of the array and adds up the time of the cuts; each of the
other files says how long one fold takes, how soon the next may follow, and what moves.
"""

from efficientdl.systems.hardware.dataflow.input_stationary import input_stationary
from efficientdl.systems.hardware.dataflow.no_local_reuse import no_local_reuse
from efficientdl.systems.hardware.dataflow.output_stationary import output_stationary
from efficientdl.systems.hardware.dataflow.weight_stationary import weight_stationary

__all__ = ["output_stationary", "weight_stationary", "input_stationary", "no_local_reuse"]
