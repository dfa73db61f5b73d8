"""Simulation: the machines of `dataflow/`, cycle by cycle, with every word in its register.

`plan.py` is what the controller knows. `weight_array.py`, `output_array.py` and `adder_trees.py`
are the three machines; an input-stationary array is the first, with the operands exchanged.
`engine.py` runs a layer on one of them, and `snapshots.py` shows what each unit held meanwhile.
"""

from efficientdl.systems.hardware.simulate.engine import Product, simulate, simulate_product
from efficientdl.systems.hardware.simulate.plan import Trace
from efficientdl.systems.hardware.simulate.snapshots import Snapshot, State, snapshots

__all__ = ["simulate", "simulate_product", "Product", "Trace", "snapshots", "Snapshot", "State"]
