"""Convolutions of one input, computed as one, give what they give one by one."""

import random

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from efficientdl import models
from efficientdl._check import BadValue
from efficientdl.costs.latency import Latency
from efficientdl.models import seeded
from efficientdl.models.layers import Inception, InceptionWidths
from efficientdl.systems.compiler.graph import Graph, Value, constant, node
from efficientdl.systems.compiler.ios import threads
from efficientdl.systems.compiler.ios.dag import dag_of
from efficientdl.systems.compiler.ios.merge import apply_merges, mergeable, merged_nodes
from efficientdl.systems.compiler.ios.operators import operators_of
from efficientdl.systems.compiler.ios.schedule import Merged, Schedule, check_schedule, sequential
from efficientdl.systems.compiler.ios.scheduler import schedule_stages
from efficientdl.systems.compiler.ios.threads import (
    measured_cost,
    modelled_cost,
    run_schedule,
    workers,
)
from efficientdl.systems.compiler.passes import fuse
from efficientdl.systems.compiler.trace import trace
from tests.systems.compiler.ios.dags import least_cost, waits

X = Value("x", (2, 3, 9, 8), torch.float64)


def fork(kernels, *, stride=(1, 1), bias=(), last=None):
    """Convolutions a, b, c, ... of x, each with a ReLU behind it; `last` changes the last one."""
    rng, held, nodes = torch.Generator().manual_seed(0), {}, []
    for i, (r, s) in enumerate(kernels):
        name, more = "abcdef"[i], (last or {}) if i == len(kernels) - 1 else {}
        shape = (2 + i, 3 // more.get("groups", 1), r, s)
        held[f"{name}.w"] = torch.randn(shape, generator=rng, dtype=torch.float64)
        inputs = [X, constant(f"{name}.w", held[f"{name}.w"])]
        if i in bias:
            held[f"{name}.b"] = torch.randn(2 + i, generator=rng, dtype=torch.float64)
            inputs.append(constant(f"{name}.b", held[f"{name}.b"]))
        options = {"stride": stride, "padding": (r // 2, s // 2)} | more
        conv = node(name, "conv2d", inputs, **options)
        nodes += [conv, node(f"{name}.relu", "relu", conv.outputs)]
    outputs = tuple(n.name for n in nodes[1::2])
    return operators_of(Graph((X,), held, tuple(nodes), outputs))


def as_one(operators):
    return Schedule((Merged(tuple((name,) for name in operators.dag.names)),))


odd_numbers = st.sampled_from([1, 3, 5])


@settings(deadline=None, max_examples=40)
@given(
    kernels=st.lists(st.tuples(odd_numbers, odd_numbers), min_size=2, max_size=4),
    stride=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    bias=st.sets(st.integers(0, 3)),
)
def test_convolutions_of_any_kernels_as_one(kernels, stride, bias):
    operators = fork(kernels, stride=stride, bias=bias)
    assert mergeable(operators)(operators.dag.names)
    (x,) = operators.graph.example(np.random.default_rng(0))
    expected = operators.graph.run(x)
    with workers(1) as pool:
        ours = run_schedule(operators, as_one(operators), x, executor=pool)
    torch.testing.assert_close(ours, expected, rtol=1e-12, atol=1e-12)  # float64, 75 terms


def test_there_is_one_convolution_left_of_them():
    operators = fork([(1, 1), (3, 3), (3, 1)], bias={1})
    merged, schedule = apply_merges(operators, as_one(operators))
    ops = [n.op for n in merged.graph.nodes]
    assert ops == ["conv2d", "split", "relu", "relu", "relu"]
    assert merged.graph.constants.keys() == {"a+b+c.weight", "a+b+c.bias"}
    assert merged.graph.constants["a+b+c.weight"].shape == (2 + 3 + 4, 3, 3, 3)
    check_schedule(merged.dag, schedule)


def test_a_schedule_that_merges_nothing_runs_the_same_nodes():
    operators = fork([(1, 1), (3, 3)])
    same, schedule = apply_merges(operators, sequential(operators.dag))
    assert same.graph == operators.graph
    assert schedule == sequential(operators.dag)


@pytest.mark.parametrize(
    "odd",
    [
        {"stride": (2, 1)},
        {"padding": (0, 1)},
        {"dilation": (2, 2), "padding": (2, 2)},
        {"activation": "relu"},
        {"groups": 3},
    ],
    ids=lambda odd: next(iter(odd)),
)
def test_what_does_not_move_alike_is_not_merged(odd):
    operators = fork([(3, 3), (3, 3)], last=odd)
    names = operators.dag.names
    assert not mergeable(operators)(names)
    with pytest.raises(BadValue, match="merged_nodes: operators must begin with convolutions"):
        merged_nodes(operators, names)


def test_other_operators_and_other_inputs_are_not_merged():
    held = {"w": torch.ones(3, 3, 1, 1, dtype=torch.float64)}
    w = constant("w", held["w"])
    first = node("first", "conv2d", [X, w])
    second = node("second", "conv2d", [*first.outputs, w])
    pool = node("pool", "max_pool2d", [X], kernel=(1, 1), stride=(1, 1))
    graph = Graph((X,), held, (first, second, pool), ("second", "pool", "first"))
    may_merge = mergeable(operators_of(graph))
    assert not may_merge(("first", "second"))
    assert not may_merge(("first", "pool"))
    with pytest.raises(BadValue, match="operators must begin with convolutions that can be one"):
        merged_nodes(operators_of(graph), ("first",))


def cost_of(seed):
    """A cost that follows no rule, another one for the same operators merged."""
    return lambda stage: random.Random(f"{seed} {type(stage)} {sorted(stage)}").randint(1, 100)


@settings(max_examples=60, deadline=None)
@given(
    adjacency=waits(),
    seed=st.integers(0, 2**16),
    max_group=st.integers(1, 3),
    max_groups=st.integers(1, 5),
    allowed=st.integers(1, 3),
)
def test_the_search_equals_trying_every_schedule_in_both_ways(
    adjacency, seed, max_group, max_groups, allowed
):
    cost, limits = cost_of(seed), {"max_group": max_group, "max_groups": max_groups}

    def may_merge(names):
        return random.Random(f"{seed} {names}").randint(1, 3) <= allowed

    def cheaper(stage):
        names = tuple(name for group in stage for name in group)
        if len(stage) == len(names) > 1 and may_merge(names):
            return min(cost(stage), cost(Merged(stage)))
        return cost(stage)

    found = schedule_stages(dag_of(adjacency), cost, may_merge=may_merge, **limits)
    assert found.cost == least_cost(adjacency, cheaper, **limits)
    assert found.cost == found.schedule.cost(cost)
    assert found.cost <= schedule_stages(dag_of(adjacency), cost, **limits).cost
    check_schedule(dag_of(adjacency), found.schedule)


def test_it_merges_where_that_is_cheaper_and_runs_so():
    operators = fork([(1, 1), (3, 3), (3, 3)])
    (x,) = operators.graph.example(np.random.default_rng(0))
    cost = lambda stage: 1.0 if isinstance(stage, Merged) and len(stage) == 2 else 3.0  # noqa: E731
    found = schedule_stages(operators.dag, cost, max_groups=2, may_merge=mergeable(operators))
    assert found.cost == 4.0
    assert sum(isinstance(stage, Merged) for stage in found.schedule) == 1
    assert " + " in str(found.schedule)
    with workers(2) as pool:
        ours = run_schedule(operators, found.schedule, x, executor=pool)
    torch.testing.assert_close(ours, operators.graph.run(x), rtol=1e-12, atol=1e-12)


def test_a_merged_stage_is_measured_as_one_convolution(monkeypatch):
    operators = fork([(1, 1), (3, 3)])
    (x,) = operators.graph.example(np.random.default_rng(0))
    ran = []
    real = torch.nn.functional.conv2d

    def conv2d(*args, **options):
        ran.append(tuple(args[1].shape))
        return real(*args, **options)

    def latency(call, **_):
        ran.clear()
        call()
        return Latency((float(len(ran)),))

    monkeypatch.setattr(torch.nn.functional, "conv2d", conv2d)
    monkeypatch.setattr(threads, "latency", latency)
    with workers(1) as pool:
        cost = measured_cost(operators, x, executor=pool)
        groups = (("a",), ("b",))
        assert cost(groups) == 2.0
        assert cost(Merged(groups)) == 1.0  # and not what the same groups cost at once
    assert ran == [(5, 3, 3, 3)]


def test_the_simple_machine_takes_the_operators_one_after_another():
    cost = modelled_cost({"a": 1.0, "b": 2.0}, n_workers=2, start_s=0.5)
    assert cost((("a",), ("b",))) == 2.5
    assert cost(Merged((("a",), ("b",)))) == 3.5


def operators_that_run(stage):
    """A machine with one worker, on which what is merged takes no longer than one operator."""
    return 1.0 if isinstance(stage, Merged) else float(sum(map(len, stage)))


def assert_merges_and_agrees(model, x, *, n_merged):
    operators = operators_of(fuse(trace(model, x)))
    limits = {"max_group": 2, "max_groups": 3}
    may_merge = mergeable(operators)
    found = schedule_stages(operators.dag, operators_that_run, may_merge=may_merge, **limits)
    assert sum(isinstance(stage, Merged) for stage in found.schedule) == n_merged
    with workers(2) as pool:
        (y,) = run_schedule(operators, found.schedule, x, executor=pool)
    expected = model(x).detach()
    # float32 sums of up to some thousand terms, added in another order
    torch.testing.assert_close(y, expected, rtol=0, atol=1e-5 * float(expected.abs().max()))


def test_the_first_convolutions_of_an_inception_block_become_one():
    model = seeded(lambda: Inception(8, InceptionWidths(4, 3, 5, 2, 3, 4)), seed=0).eval()
    x = torch.randn(1, 8, 9, 9, generator=torch.Generator().manual_seed(0))
    assert_merges_and_agrees(model, x, n_merged=1)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "n_merged"), [("squeezenet", 8), ("googlenet", 9)])
def test_every_module_of_networks_of_the_zoo_merges(name, n_merged):
    shape = models.example(name).shape
    x = torch.rand(1, *shape[1:], generator=torch.Generator().manual_seed(0))
    assert_merges_and_agrees(models.build(name, seed=0).eval(), x, n_merged=n_merged)
