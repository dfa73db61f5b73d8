"""Search that knows nothing of networks: spaces, searchers, one loop, the Pareto front.

A searcher proposes with `ask` and learns with `tell`; lower scores are better; the caller owns
the loop, the objective and the budget. Architecture search, auto-compression, mapping and
tuning are spaces and objectives for what stands here.
"""

from efficientdl.search.evolution import RegularizedEvolution
from efficientdl.search.grid import GridSearch
from efficientdl.search.minimize import Found, minimize
from efficientdl.search.pareto import pareto_front
from efficientdl.search.random import RandomSearch
from efficientdl.search.searcher import Searcher
from efficientdl.search.space import Point, Space

__all__ = [
    "Found",
    "GridSearch",
    "Point",
    "RandomSearch",
    "RegularizedEvolution",
    "Searcher",
    "Space",
    "minimize",
    "pareto_front",
]
