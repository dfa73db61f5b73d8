"""Machines that skip zeros: of the activations, of the weights, or of both.

What is skipped must first be found, so these machines read indices that a dense one does not need;
and what is left is uneven, so their units wait for one another. Read `eie.py` first: it has queues
against the waiting, whose formula is in `queues.py`. `ese.py` prunes so that there is less to wait
for, `cnvlutin.py` skips activations, `cambricon_x.py` weights, and `scnn.py` both, in convolutions.
Beside the simulations stand formulas, and the cycles of the same multipliers without skipping.
"""

from efficientdl.systems.hardware.sparse.cambricon_x import CambriconX, simulate_cambricon_x
from efficientdl.systems.hardware.sparse.cnvlutin import Cnvlutin, simulate_cnvlutin, zero_free
from efficientdl.systems.hardware.sparse.eie import Eie, run_columns, simulate_eie
from efficientdl.systems.hardware.sparse.eie_layers import EIE_LAYERS, compare_eie, eie_table
from efficientdl.systems.hardware.sparse.ese import Ese, Lstm, lstm_reference, simulate_ese
from efficientdl.systems.hardware.sparse.interleaved import InterleavedColumns
from efficientdl.systems.hardware.sparse.queues import queue_cycles, queue_lengths
from efficientdl.systems.hardware.sparse.scnn import Scnn, simulate_scnn
from efficientdl.systems.hardware.sparse.scnn_density import crossover, speedups

__all__ = [
    "InterleavedColumns",
    "Eie",
    "simulate_eie",
    "run_columns",
    "queue_cycles",
    "queue_lengths",
    "EIE_LAYERS",
    "compare_eie",
    "eie_table",
    "Ese",
    "Lstm",
    "simulate_ese",
    "lstm_reference",
    "Cnvlutin",
    "simulate_cnvlutin",
    "zero_free",
    "CambriconX",
    "simulate_cambricon_x",
    "Scnn",
    "simulate_scnn",
    "speedups",
    "crossover",
]
