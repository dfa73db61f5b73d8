"""One application of a rule: wherever it applies, the graph computes what it did."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from torch import nn

from efficientdl.models.layers.inception import Inception, InceptionWidths
from efficientdl.systems.compiler.draft import Draft
from efficientdl.systems.compiler.graph import Graph, Value, check, constant, node
from efficientdl.systems.compiler.passes import fuse
from efficientdl.systems.compiler.substitution.forms import structure, two_by_two
from efficientdl.systems.compiler.substitution.match import matches, rewritings
from efficientdl.systems.compiler.substitution.rules import parse_rule, shipped_rules
from efficientdl.systems.compiler.trace import trace
from tests.systems.compiler.drawn import assert_same_outputs, graphs

X = Value("x", (1, 2, 3, 3), torch.float64)
MERGE = parse_rule(
    "apply(x, f), apply(x, g) -> split(apply(x, stack(f, g)))[0], split(apply(x, stack(f, g)))[1]"
    " [conv2d, linear]"
)


def inception():
    """An inception module with few channels, its activations fused, in float64."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = Inception(4, InceptionWidths(2, 3, 2, 2, 3, 2)).double()
    return fuse(trace(module, torch.zeros(1, 4, 5, 5, dtype=torch.float64)))


@settings(deadline=None, max_examples=30)
@given(graphs)
def test_every_rewriting_of_a_drawn_graph_is_equal_to_it(graph):
    for rule in shipped_rules():
        for made in rewritings(rule, graph):
            check(made)
            assert_same_outputs(graph, made)


def test_every_rewriting_of_an_inception_module_is_equal_to_it():
    graph = two_by_two(inception())
    made = {structure(new): new for rule in shipped_rules() for new in rewritings(rule, graph)}
    assert len(made) > 10
    for new in made.values():
        check(new)
        assert_same_outputs(graph, new)


def test_a_rule_that_says_nothing_new_gives_the_graph_back():
    graph = two_by_two(inception())
    made = list(rewritings(parse_rule("act(concat(x, y)) -> act(concat(x, y))"), graph))
    assert made == []  # its activations are fused
    same = parse_rule("apply_act(x, f) -> apply_act(x, f)")
    assert {structure(new) for new in rewritings(same, graph)} == {structure(graph)}


def convolutions(*, second="x", stride=(1, 1), groups=1):
    """Two convolutions: of one input, or the second of what the first gives."""
    rng = np.random.default_rng(0)
    held = {n: torch.from_numpy(rng.standard_normal((2, 2 // groups, 1, 1))) for n in "fg"}
    f, g = (constant(name, tensor) for name, tensor in held.items())
    a = node("a", "conv2d", [X, f], groups=groups)
    given = X if second == "x" else a.outputs[0]
    b = node("b", "conv2d", [given, g], stride=stride, groups=groups)
    return Graph((X,), held, (a, b), ("a", "b"))


@pytest.mark.parametrize(
    ("graph", "n_places"),
    [
        (convolutions(), 2),  # f with g, and g with f
        (convolutions(second="a"), 0),
        (convolutions(stride=(2, 2)), 0),
        (convolutions(groups=2), 0),  # of which the rule is not true
    ],
)
def test_where_the_merging_rule_applies(graph, n_places):
    assert len(list(matches(MERGE, Draft(graph)))) == n_places


def test_what_would_need_itself_is_not_made():
    """Two activations are done at once, but not where the second is of the first."""
    rule = parse_rule("act(x), act(y) -> split(act(concat(x, y)))[0], split(act(concat(x, y)))[1]")
    first = node("first", "relu", [X])
    second = node("second", "relu", first.outputs)
    assert list(rewritings(rule, Graph((X,), {}, (first, second), ("second",)))) == []


def test_a_linear_layer_on_rows_of_vectors_is_not_matched():
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU())
    rule = parse_rule("act(apply(x, f)) -> apply_act(x, f) [linear]")
    for shape, n_places in (((2, 3), 1), ((2, 5, 3), 0)):
        assert len(list(rewritings(rule, trace(model, torch.zeros(shape))))) == n_places
