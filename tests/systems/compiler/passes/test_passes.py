"""All passes on drawn graphs: same outputs, idempotent, never dearer, and the graph left alone."""

import copy

import pytest
from hypothesis import given, settings

from efficientdl.systems.compiler.graph import check
from efficientdl.systems.compiler.passes import (
    fold_constants,
    fuse,
    remove_dead_code,
    simplify_layout,
)
from tests.systems.compiler.drawn import assert_never_dearer, assert_same_outputs, graphs

PASSES = [remove_dead_code, fold_constants, fuse, simplify_layout]


@pytest.mark.parametrize("rewrite", PASSES)
@settings(deadline=None)
@given(graph=graphs)
def test_a_pass_keeps_its_promises(rewrite, graph):
    before = copy.deepcopy(graph)
    after = rewrite(graph)
    check(after)
    assert graph == before
    assert_same_outputs(graph, after)
    assert_never_dearer(graph, after)
    assert rewrite(after) == after


@settings(deadline=None)
@given(graph=graphs)
def test_one_after_the_other_they_keep_them_too(graph):
    after = graph
    for rewrite in PASSES:
        after = rewrite(after)
    assert_same_outputs(graph, after)
    assert_never_dearer(graph, after)


@pytest.mark.parametrize("rewrite", PASSES)
def test_a_graph_is_demanded(rewrite):
    with pytest.raises(TypeError, match="check: graph must be a Graph"):
        rewrite([])
