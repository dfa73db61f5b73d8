"""The pictures that labs share, each a pure function: numbers in, a `Figure` out."""

from efficientdl.viz.figures.arena import arena
from efficientdl.viz.figures.before_after import before_after
from efficientdl.viz.figures.carbon import carbon
from efficientdl.viz.figures.comparison import comparison
from efficientdl.viz.figures.roofline import roofline
from efficientdl.viz.figures.stack import stack
from efficientdl.viz.figures.tradeoff import tradeoff
from efficientdl.viz.figures.weights import kept_weights

__all__ = [
    "arena",
    "before_after",
    "carbon",
    "comparison",
    "kept_weights",
    "roofline",
    "stack",
    "tradeoff",
]
