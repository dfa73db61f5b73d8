"""Criteria: a score for each weight, the larger the more worth keeping.

A criterion gets the weight, and names as keyword-only arguments what else it must know of the
layer: a gradient, a Hessian's diagonal. It swallows the rest, so that one driver calls all of
them alike and collects only what is asked for. Groups of weights are ranked by their mean score.
"""

from efficientdl.compression.pruning.criteria.hessian import obd, obs
from efficientdl.compression.pruning.criteria.magnitude import magnitude
from efficientdl.compression.pruning.criteria.norm import l2_norm
from efficientdl.compression.pruning.criteria.sensitivity import sensitivity
from efficientdl.compression.pruning.criteria.taylor import taylor

__all__ = ["l2_norm", "magnitude", "obd", "obs", "sensitivity", "taylor"]
