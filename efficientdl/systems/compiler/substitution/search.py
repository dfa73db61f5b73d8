"""Search for a cheaper graph among those that rules make of one: with backtracking."""

from collections.abc import Sequence
from heapq import heappop, heappush

import numpy as np
import torch

from efficientdl import _check
from efficientdl.catalogue import Pass, technique
from efficientdl.systems.compiler.graph import Graph, Value, check, constant, node
from efficientdl.systems.compiler.passes.constant_folding import compute_constants
from efficientdl.systems.compiler.substitution.cost import GraphCost, simulated_latency
from efficientdl.systems.compiler.substitution.forms import at_once, structure, two_by_two
from efficientdl.systems.compiler.substitution.match import all_rewritings
from efficientdl.systems.compiler.substitution.pieces import joined, pieces
from efficientdl.systems.compiler.substitution.rules import shipped_rules
from efficientdl.systems.compiler.substitution.verify import Rule


def _graphs() -> tuple[Graph, ...]:
    """Two convolutions of one input, joined; and one convolution."""
    rng, x = np.random.default_rng(0), Value("x", (1, 4, 3, 3), torch.float64)
    held = {name: torch.from_numpy(rng.standard_normal((2, 4, 1, 1))) for name in ("v", "w")}
    v, w = (constant(name, tensor) for name, tensor in held.items())
    left, right = node("left", "conv2d", [x, v]), node("right", "conv2d", [x, w])
    both = node("both", "concat", [left.outputs[0], right.outputs[0]], axis=1)
    one = Graph((x,), {"v": held["v"]}, (left,), ("left",))
    return Graph((x,), held, (left, right, both), ("both",)), one


@technique(
    "sys-graph-substitution",
    paper="Jia, Thomas, Warszawski, Gao, Zaharia and Aiken, Optimizing DNN Computation with "
    "Relaxed Graph Substitutions, 2019; Jia, Padon, Thomas, Warszawski, Zaharia and Aiken, TASO: "
    "Optimizing Deep Learning Computation with Automatic Generation of Graph Substitutions, 2019",
    survey="6.1",
    lab="13_kernels_and_compilers",
    kind=Pass(graphs=_graphs),
)
def substitute(
    graph: Graph,
    *,
    rules: Sequence[Rule] | None = None,
    cost: GraphCost | None = None,
    alpha: float = 1.05,
    budget: int = 100,
    piece: int = 8,
) -> Graph:
    """Replace parts of a graph by equal ones until it costs less, and give the cheapest found.

    The graphs seen so far wait in a queue, the cheapest first. Each in turn is rewritten by every
    rule in every place. What comes out waits too, unless it costs alpha times the cheapest or
    more. With alpha = 1 each step has to pay at once; a larger one lets the search take a step
    that costs, because of what it makes possible, and go back where nothing came of it.

    Filters that a rule computes of other filters are constants, computed once at the end. Fuse
    first: then two convolutions of one input, each with its ReLU, are merged in one step.

    Args:
        graph: What to make cheaper.
        rules: What may replace what; the shipped ones where it is left out.
        cost: What is to become less; `simulated_latency()` where it is left out. The graphs that it
            is asked of still hold what will be computed in advance; `at_run_time` leaves that out.
        alpha: How much dearer than the cheapest a graph may be to be rewritten further, 1 or more.
        budget: Most graphs to rewrite in each piece; 0 leaves the graph as it is.
        piece: A large graph is cut where a single value goes through, and searched piece by piece,
            each of this many nodes or more; so time grows with the number of modules and not with
            the number of their combinations.

    >>> before = _graphs()[0]
    >>> print(substitute(before))
    x: float64 (1, 4, 3, 3)
    new.conv2d = conv2d(x, new.concat)  # (1, 4, 3, 3)
    return new.conv2d

    Source: Jia, Thomas, Warszawski, Gao, Zaharia and Aiken, "Optimizing DNN Computation with
    Relaxed Graph Substitutions" (MetaFlow), 2019, the search; Jia et al., "TASO", SOSP
    2019, the rules; the survey's section 6.1; lab 13.
    """
    check(graph)
    _check.at_least("substitute", "alpha", alpha, 1.0)
    _check.whole("substitute", "budget", budget, 0)
    _check.whole("substitute", "piece", piece, 1)
    rules = shipped_rules() if rules is None else rules
    cost = cost or simulated_latency()
    while True:
        parts = pieces(graph, n_nodes=piece)
        found = [backtrack(p, rules, cost, alpha=alpha, budget=budget)[0] for p in parts]
        if all(new is old for new, old in zip(found, parts, strict=True)):
            return graph
        graph = found[0] if len(found) == 1 else joined(graph, found)


def backtrack(
    graph: Graph, rules: Sequence[Rule], cost: GraphCost, *, alpha: float, budget: int
) -> tuple[Graph, list[float]]:
    """The search of `substitute`: the best graph, and the cost of the best after each rewriting."""
    best, least = graph, cost(graph)
    queue, seen, history = [(least, 0, two_by_two(graph))], {structure(two_by_two(graph))}, [least]
    while queue and len(history) <= budget:
        price, _, current = heappop(queue)
        if price >= alpha * least and price > least:
            break  # all that wait are as dear or dearer
        for made in all_rewritings(rules, current, seen):
            flat = at_once(made)
            price = cost(flat)
            if price < least:
                best, least = flat, price
            if price < alpha * least or price == least:
                heappush(queue, (price, len(seen), made))
        history.append(least)
    return (graph if best is graph else compute_constants(best)), history
