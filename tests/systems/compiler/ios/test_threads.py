"""A network run in threads gives what torch gives, whatever the schedule."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from efficientdl import models
from efficientdl._check import BadValue
from efficientdl.costs.latency import Latency
from efficientdl.models.layers import Inception, InceptionWidths
from efficientdl.systems.compiler.ios import threads
from efficientdl.systems.compiler.ios.operators import TOUCH_UPS, operators_of
from efficientdl.systems.compiler.ios.schedule import Schedule, greedy, sequential
from efficientdl.systems.compiler.ios.scheduler import schedule_stages
from efficientdl.systems.compiler.ios.threads import (
    measured_cost,
    modelled_cost,
    run_schedule,
    workers,
)
from efficientdl.systems.compiler.trace import trace
from tests.systems.compiler.ios.dags import any_cost


class Cell(nn.Module):
    """A cell as a search would find it: five nodes, each the sum of two branches."""

    def __init__(self):
        super().__init__()
        separable = lambda k: nn.Sequential(  # noqa: E731
            nn.ReLU(), nn.Conv2d(8, 8, k, padding=k // 2, groups=8), nn.Conv2d(8, 8, 1)
        )
        self.three = nn.ModuleList(separable(3) for _ in range(4))
        self.five = nn.ModuleList(separable(5) for _ in range(4))
        self.pool = nn.AvgPool2d(3, stride=1, padding=1)

    def forward(self, x):
        a = self.three[0](x) + self.five[0](x)
        b = self.three[1](x) + self.pool(x)
        c = self.five[1](a) + self.three[2](b)
        d = self.five[2](x) + self.pool(a)
        e = self.five[3](c) + self.three[3](d)
        return torch.cat([b, d, e], dim=1)


def built(layer):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return layer().eval()


def cases():
    x = torch.randn(2, 8, 12, 12, generator=torch.Generator().manual_seed(1))
    widths = InceptionWidths(4, 3, 5, 2, 3, 4)
    inception = built(lambda: Inception(8, widths))
    yield inception, x, operators_of(trace(inception, x))
    cell = built(Cell)  # each separable convolution one operator, as the paper has it
    yield cell, x, operators_of(trace(cell, x), joined=TOUCH_UPS | {"conv2d"})


CASES = [pytest.param(*case, id=type(case[0]).__name__) for case in cases()]


@pytest.mark.parametrize(("model", "x", "operators"), CASES)
def test_the_identity_one_operator_after_another_is_the_model(model, x, operators):
    with workers(2) as pool:
        (y,) = run_schedule(operators, sequential(operators.dag), x, executor=pool)
    torch.testing.assert_close(y, model(x).detach(), rtol=0, atol=0)


@pytest.mark.parametrize(("model", "x", "operators"), CASES)
@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**16))
def test_any_schedule_gives_what_the_model_gives(model, x, operators, seed):
    found = schedule_stages(operators.dag, any_cost(seed), max_group=2, max_groups=3)
    with workers(2) as pool:
        (y,) = run_schedule(operators, found.schedule, x, executor=pool)
    torch.testing.assert_close(y, model(x).detach(), rtol=0, atol=0)


def test_the_groups_of_a_stage_run_at_the_same_time():
    # Each group waits for the other one: run one after the other, they would wait for ever.
    meet = threading.Barrier(2, timeout=10)

    class Meeting(nn.Module):
        def forward(self, x):
            return torch.relu(x) * torch.sigmoid(x)

    x = torch.randn(4, generator=torch.Generator().manual_seed(0))
    operators = operators_of(trace(Meeting(), x))
    real = threads._run_group

    def run_group(operators, group, held):
        if group != ("mul",):
            meet.wait()
        return real(operators, group, held)

    with pytest.MonkeyPatch.context() as patch, workers(2) as pool:
        patch.setattr(threads, "_run_group", run_group)
        schedule = greedy(operators.dag)
        assert [len(stage) for stage in schedule] == [2, 1]
        (y,) = run_schedule(operators, schedule, x, executor=pool)
    torch.testing.assert_close(y, torch.relu(x) * torch.sigmoid(x), rtol=0, atol=0)


def test_an_error_in_a_thread_is_not_lost():
    _, x, operators = next(cases())
    broken = dict(operators.nodes)
    last = operators.dag.names[-1]
    del broken[last]
    operators = type(operators)(operators.graph, operators.dag, broken)
    with ThreadPoolExecutor(1) as pool, pytest.raises(KeyError, match=last):
        run_schedule(operators, sequential(operators.dag), x, executor=pool)


def test_torch_has_its_threads_back():
    before = torch.get_num_threads()
    with workers(3):
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before


def test_measured_costs_come_from_the_clock_and_each_stage_is_measured_once(monkeypatch):
    measured = []

    def latency(call, **options):
        call()
        measured.append(options)
        return Latency((0.1 * len(measured),))

    monkeypatch.setattr(threads, "latency", latency)
    _, x, operators = next(cases())
    with workers(2) as pool:
        cost = measured_cost(operators, x, executor=pool, repeats=3)
        first, second = list(sequential(operators.dag))[:2]
        assert [cost(first), cost(second), cost(first)] == pytest.approx([0.1, 0.2, 0.1])
    assert measured == [{"warmup": 1, "repeats": 3, "threads": 1}] * 2


def test_with_measured_costs_the_schedule_found_is_the_cheapest_and_runs():
    model, x, operators = next(cases())
    with workers(2) as pool:
        cost = measured_cost(operators, x, executor=pool, repeats=1)
        found = schedule_stages(operators.dag, cost, max_group=2, max_groups=2)
        assert found.cost <= sequential(operators.dag).cost(cost)
        assert found.cost <= greedy(operators.dag, max_groups=2).cost(cost)
        (y,) = run_schedule(operators, found.schedule, x, executor=pool)
    torch.testing.assert_close(y, model(x).detach(), rtol=0, atol=0)


@given(seconds=st.lists(st.floats(0, 10), min_size=1, max_size=6), start=st.floats(0, 5))
def test_the_simple_machine_with_one_worker_and_with_enough(seconds, start):
    by_name = {f"op{i}": s for i, s in enumerate(seconds)}
    stage = tuple((name,) for name in by_name)
    one = modelled_cost(by_name, n_workers=1, start_s=start)(stage)
    enough = modelled_cost(by_name, n_workers=len(seconds), start_s=start)(stage)
    # 1e-9: the same floats, added in another order
    assert one == pytest.approx(start + sum(seconds), rel=1e-9)
    assert enough == pytest.approx(start + max(seconds), rel=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["squeezenet", "googlenet"])
def test_networks_of_the_zoo_with_several_branches(name):
    model, x = (
        models.build(name, seed=0).eval(),
        torch.rand(models.example(name).shape, generator=torch.Generator().manual_seed(0)),
    )
    operators = operators_of(trace(model, x))
    rows = operators.graph.report().rows
    seconds = {
        op: 1e-4 + sum(rows[node.name].macs for node in nodes) / 1e10
        for op, nodes in operators.nodes.items()
    }
    cost = modelled_cost(seconds, n_workers=2, start_s=5e-5)
    found = schedule_stages(operators.dag, cost)
    assert found.cost < greedy(operators.dag).cost(cost) < sequential(operators.dag).cost(cost)
    with workers(2) as pool:
        (y,) = run_schedule(operators, found.schedule, x, executor=pool)
    torch.testing.assert_close(y, model(x).detach(), rtol=0, atol=0)


def test_a_schedule_of_another_network_is_refused_before_anything_runs():
    _, x, operators = next(cases())
    with workers(1) as pool, pytest.raises(BadValue, match="schedule must run each operator once"):
        run_schedule(operators, Schedule(()), x, executor=pool)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        ((), "run_schedule: inputs must be 1, got 0"),
        ((torch.zeros(1, 8, 12, 12),), r"run_schedule: x must be torch.float32 \(2, 8, 12, 12\)"),
    ],
)
def test_inputs_of_another_shape_are_refused(x, message):
    _, _, operators = next(cases())
    with workers(1) as pool, pytest.raises(BadValue, match=message):
        run_schedule(operators, sequential(operators.dag), *x, executor=pool)


@pytest.mark.parametrize("n", [0, -1])
def test_no_workers_are_refused(n):
    with pytest.raises(BadValue, match="n_workers must be a whole number, 1 or more"), workers(n):
        pass
    with pytest.raises(BadValue, match="n_workers must be a whole number, 1 or more"):
        modelled_cost({}, n_workers=n)
