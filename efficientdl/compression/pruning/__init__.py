"""Pruning: remove the weights that matter least.

Four questions, asked apart: which weights matter (a criterion), which go together (a granularity
of `efficientdl.tensors`), within what they are ranked (a scope), and how many go (the sparsity).
"""

from efficientdl.compression.pruning.criteria import magnitude
from efficientdl.compression.pruning.prune import prune
from efficientdl.compression.pruning.scopes import globally, per_layer

__all__ = ["globally", "magnitude", "per_layer", "prune"]
