"""A search that a simulator guides: random changes, kept when they help, and else by chance."""

from dataclasses import dataclass

import numpy as np

from efficientdl import _check
from efficientdl.systems.compiler.graph import Graph
from efficientdl.systems.compiler.substitution.devices import Devices, Strategy, choices, simulate


@dataclass(frozen=True)
class Placement:
    """What the search found.

    Attributes:
        strategy: The devices of each node.
        latency_s: What the simulator says of it, in seconds.
        history: Simulated seconds of the best so far, after each change that was tried.
    """

    strategy: Strategy
    latency_s: float
    history: tuple[float, ...]


def place(
    graph: Graph, devices: Devices, *, steps: int = 1000, beta: float = 20.0, seed: int
) -> Placement:
    """Spread a graph over devices by a Markov chain that a simulator guides.

    It begins with every node on the first device. A step places one node anew, at random; a change
    that makes the simulated time t' from t is kept with the probability
    min(1, exp(beta (t - t') / t0)), where t0 is the time on one device. So what is better is always
    kept, and what is a little worse sometimes, which is the way out of a dead end.

    Args:
        graph: What to spread.
        devices: What it runs on.
        steps: Changes to try; 0 leaves everything on the first device.
        beta: How strict the chain is; the larger, the less often a worse strategy is kept.
        seed: Draws the changes.

    Source: Jia, Zaharia and Aiken, "Beyond Data and Model Parallelism for Deep Neural Networks"
    (FlexFlow), 2019; the survey's section 6.1; lab 13.
    """
    _check.whole("place", "steps", steps, 0)
    _check.at_least("place", "beta", beta, 0.0)
    _check.whole("place", "seed", seed, 0)
    rng, ways = np.random.default_rng(seed), choices(graph, devices)
    current: dict[str, tuple[int, ...]] = dict.fromkeys(ways, (0,))
    first = price = least = simulate(graph, current, devices)
    best, history, names = current, [least], list(ways)
    for _ in range(steps if names else 0):
        name = names[rng.integers(len(names))]
        changed = {**current, name: ways[name][rng.integers(len(ways[name]))]}
        new = simulate(graph, changed, devices)
        if rng.random() < np.exp(min(0.0, beta * (price - new) / first)):
            current, price = changed, new
        if price < least:
            best, least = current, price
        history.append(least)
    return Placement(best, least, tuple(history))
