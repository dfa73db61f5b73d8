"""Promises of learning rules: `step(state, batch, *, generator, options) -> (state, Report)`.

The state is the model being trained, or something whose `model` is; the batch is `(x, y)` with
class labels, and the loss is cross-entropy. At the identity, whose options include `lr`, a step
is a step of plain SGD. The report counts the bytes that travel as `traffic_bytes`.
"""

import copy

import torch
from torch import Tensor, nn

from efficientdl.catalogue import Technique
from efficientdl.report import Report
from tests.promises.state import global_generators_untouched, untouched


def setting() -> tuple[nn.Module, tuple[Tensor, Tensor]]:
    rng = torch.Generator().manual_seed(0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 3)).double()
    x = torch.randn(16, 6, generator=rng, dtype=torch.float64)
    return model, (x, torch.randint(3, (16,), generator=rng))


def stepped(
    technique: Technique, model: nn.Module, batch: tuple[Tensor, Tensor]
) -> tuple[nn.Module, Report]:
    generator = torch.Generator().manual_seed(1)
    state, report = technique.call(model, batch, generator=generator, **technique.kind.identity)
    return getattr(state, "model", state), report


def is_sgd_at_its_identity(technique: Technique) -> None:
    model, (x, y) = setting()
    ours, _ = stepped(technique, model, (x, y))
    theirs = copy.deepcopy(model)
    nn.functional.cross_entropy(theirs(x), y).backward()
    torch.optim.SGD(theirs.parameters(), lr=technique.kind.identity["lr"]).step()
    for (name, mine), other in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        # 1e-12: the mean of a batch, added up in another order in float64
        close = torch.allclose(mine, other, rtol=0, atol=1e-12)
        assert close, f"{name} is not where a step of SGD would have put it"


def leaves_its_state_alone(technique: Technique) -> None:
    model, batch = setting()
    with untouched(model), global_generators_untouched():
        ours, _ = stepped(technique, model, batch)
    assert ours is not model, "returned the state that it was given"


def replays_from_its_generator(technique: Technique) -> None:
    model, batch = setting()
    first, report = stepped(technique, model, batch)
    second, again = stepped(technique, model, batch)
    for one, two in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(one, two), "gave another state for the same generator"
    assert report == again, "gave another report for the same generator"


def reports_the_bytes_that_travel(technique: Technique) -> None:
    _, report = stepped(technique, *setting())
    assert report.total.traffic_bytes is not None, "reports no traffic_bytes"
    assert report.total.traffic_bytes >= 0, "reports negative traffic_bytes"


PROMISES = [
    is_sgd_at_its_identity,
    leaves_its_state_alone,
    replays_from_its_generator,
    reports_the_bytes_that_travel,
]
