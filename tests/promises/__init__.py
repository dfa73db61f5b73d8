"""What every technique promises, kind by kind.

A promise is a function `promise(technique)` that raises AssertionError when it is broken. The
file of a kind lists its promises; `tests/test_promises.py` tests every technique of the catalogue
against those of its kind. A promise that cannot hold is declared at the technique with its
reason (`exempt`), and must then indeed fail.

The `test_*.py` files beside the promises try them on toys: some keep every promise, others break
exactly one, and the promise meant for it must notice.
"""

from collections.abc import Callable

from efficientdl import catalogue
from efficientdl.catalogue import Kind, Technique
from tests.promises import (
    compressor,
    criterion,
    every,
    granularity,
    graph_pass,
    kernel,
    layer,
    learning_rule,
    loss,
    measure,
    network,
    penalty,
    searcher,
    simulator,
)

Promise = Callable[[Technique], None]

PROMISES: dict[type[Kind], list[Promise]] = {
    catalogue.Compressor: compressor.PROMISES,
    catalogue.Criterion: criterion.PROMISES,
    catalogue.Granularity: granularity.PROMISES,
    catalogue.Layer: layer.PROMISES,
    catalogue.Network: network.PROMISES,
    catalogue.Loss: loss.PROMISES,
    catalogue.Penalty: penalty.PROMISES,
    catalogue.LearningRule: learning_rule.PROMISES,
    catalogue.Searcher: searcher.PROMISES,
    catalogue.Kernel: kernel.PROMISES,
    catalogue.Simulator: simulator.PROMISES,
    catalogue.Pass: graph_pass.PROMISES,
    catalogue.Measure: measure.PROMISES,
}


def promises_of(kind: Kind) -> list[Promise]:
    """The promises of a technique of this kind: those of every technique, and its own."""
    return [*every.PROMISES, *PROMISES[type(kind)]]
