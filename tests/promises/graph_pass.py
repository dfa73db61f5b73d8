"""Promises of graph passes: `f(graph) -> graph`.

A graph compares by `==`, draws inputs with `example(rng)`, runs with `run(*inputs)`, which gives
a list of arrays, and knows its `cost()`. `kind.graphs()` gives the graphs to try; one of them the
pass leaves alone.
"""

import copy

import numpy as np

from efficientdl.catalogue import Technique
from tests.promises.state import global_generators_untouched


def gives_the_same_outputs(technique: Technique) -> None:
    for graph in technique.kind.graphs():
        rewritten = technique.call(copy.deepcopy(graph))
        for seed in range(3):
            inputs = graph.example(np.random.default_rng(seed))
            expected = graph.run(*copy.deepcopy(inputs))
            for ours, theirs in zip(rewritten.run(*inputs), expected, strict=True):
                # 1e-9: the same sums in another order, in float64
                np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9)


def leaves_its_graph_alone(technique: Technique) -> None:
    for graph in technique.kind.graphs():
        before = copy.deepcopy(graph)
        with global_generators_untouched():
            technique.call(graph)
        assert graph == before, "changed the graph passed in"


def has_nothing_to_do_the_second_time(technique: Technique) -> None:
    for graph in technique.kind.graphs():
        once = technique.call(graph)
        assert technique.call(once) == once, "changed its own result"


def is_never_dearer(technique: Technique) -> None:
    for graph in technique.kind.graphs():
        before, after = graph.cost().known(), technique.call(graph).cost().known()
        dearer = [name for name in before if after[name] > before[name]]
        assert not dearer, f"made {dearer} dearer"


def rewrites_some_graph_and_leaves_one(technique: Technique) -> None:
    changed = [technique.call(graph) != graph for graph in technique.kind.graphs()]
    assert any(changed), "changed none of its graphs"
    assert not all(changed), "left none of its graphs alone"


PROMISES = [
    gives_the_same_outputs,
    leaves_its_graph_alone,
    has_nothing_to_do_the_second_time,
    is_never_dearer,
    rewrites_some_graph_and_leaves_one,
]
