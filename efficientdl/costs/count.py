"""Parameters, MACs and bytes of a model, layer by layer."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import cast

from torch import Tensor, nn

from efficientdl.catalogue import Measure, technique
from efficientdl.costs.macs import macs
from efficientdl.costs.trace import (
    MODEL,
    Call,
    Inputs,
    Op,
    Watcher,
    check_inputs,
    n_bytes,
    run,
    tensors,
)
from efficientdl.protocols import Costed
from efficientdl.report import Cost, Report


def costed(module: nn.Module) -> Costed | None:
    """The module as one that knows its own cost, or None."""
    # Asked of the class: a layer *named* cost inside the module would answer for the module.
    return cast(Costed, module) if callable(getattr(type(module), "cost", None)) else None


def _distinct_bytes(values: Iterable[Tensor]) -> int:
    """Bytes of tensors, those counted once that are the same values under two views."""
    places: dict[tuple[int, object, int], int] = {}
    for t in values:
        place = (t.untyped_storage()._cdata, t.storage_offset(), t.numel())
        places[place] = n_bytes(t)
    return sum(places.values())


def _own_weights(module: nn.Module) -> list[nn.Parameter]:
    """The parameters of this module alone; of one that answers for itself, all inside it."""
    return list(module.parameters(recurse=costed(module) is not None))


@dataclass
class _Row:
    """What was seen of one layer."""

    macs: int = 0
    activation_bytes: int = 0
    traffic_bytes: int = 0
    computed: bool = False
    told: Cost | None = None

    def add(self, activation_bytes: int, traffic_bytes: int) -> None:
        self.activation_bytes = max(self.activation_bytes, activation_bytes)
        self.traffic_bytes += traffic_bytes


class _Tally(Watcher):
    """Rows by layer, in the order in which layers first did something.

    A layer with no layer inside it counts as one step: what goes in, its weights, what comes out.
    What a larger module computes by itself, between its layers, counts operation by operation.
    """

    def __init__(self, model: nn.Module) -> None:
        self.rows: dict[str, _Row] = {}
        self.modules = {name or MODEL: module for name, module in model.named_modules()}
        self.answering: list[str] = []  # a layer that answers for itself, and calls inside it
        held = tensors(*model.parameters(), *model.buffers())
        self.held = {t.untyped_storage()._cdata for t in held}

    def row(self, name: str) -> _Row:
        return self.rows.setdefault(name, _Row())

    def is_step(self, name: str) -> bool:
        module = self.modules[name]
        return costed(module) is not None or not any(True for _ in module.children())

    def enter(self, call: Call) -> None:
        if self.answering or costed(call.module) is not None:
            self.answering.append(call.name)
        if len(self.answering) <= 1 and self.is_step(call.name):
            self.row(call.name).computed = False

    def op(self, op: Op) -> None:
        name = self.answering[0] if self.answering else op.layer
        if op.only_views():
            return
        row = self.row(name)
        row.macs += macs(op)
        row.computed = True
        if not self.is_step(name):
            moved = _distinct_bytes([*op.inputs(), *op.outputs()])
            passing = (t for t in op.inputs() if t.untyped_storage()._cdata not in self.held)
            row.add(_distinct_bytes([*passing, *op.outputs()]), moved)

    def leave(self, call: Call, out: object) -> None:
        answers_for_itself = len(self.answering) == 1
        if self.answering:
            self.answering.pop()
        if self.answering or not self.is_step(call.name):
            return
        row = self.row(call.name)
        activations = _distinct_bytes([*call.inputs(), *tensors(out)])
        moved = activations + _weights_read(call.module, out)
        if answers_for_itself:
            told = cast(Costed, call.module).cost(tuple(next(call.inputs()).shape))
            row.told = told if row.told is None else _again(row.told, told)
            if told.weight_bits is not None:
                moved = activations + -(-told.weight_bits // 8)
        row.add(activations, moved if row.computed else 0)


def _weights_read(module: nn.Module, out: object) -> int:
    weights = sum(map(n_bytes, tensors(*_own_weights(module))))
    if isinstance(module, nn.Embedding):  # it reads the rows that it looks up, not the table
        return min(weights, _distinct_bytes(tensors(out)))
    return weights


def _again(before: Cost, now: Cost) -> Cost:
    """A layer that is called once more: it works again, its weights are stored once."""
    return replace(before + now, params=now.params, weight_bits=now.weight_bits)


def _cost(row: _Row, weights: list[nn.Parameter], *, shares: bool) -> Cost:
    """The cost of a row that stores these weights.

    A layer that knows its own cost and shares a weight with an earlier row would tell of it again:
    what it stores is counted here instead.
    """
    seen = Cost(
        params=sum(p.numel() for p in weights),
        macs=row.macs,
        weight_bits=sum(8 * p.element_size() * p.numel() for p in weights),
        activation_bytes=row.activation_bytes,
        traffic_bytes=row.traffic_bytes,
    )
    told = {} if row.told is None else row.told.known()
    if shares:
        told = {name: told[name] for name in told if name not in ("params", "weight_bits")}
    return replace(seen, **told)  # pyright: ignore[reportArgumentType]


@technique(
    "cost-params-macs",
    paper="Sze, Chen, Yang, Emer, Efficient Processing of Deep Neural Networks, 2017",
    survey="2.5, Table 1",
    lab="01_costs",
    kind=Measure(),
)
def count(model: nn.Module, x: Inputs) -> Report:
    """Count parameters, MACs and bytes, layer by layer.

    The model runs once, as in inference, and every matrix product and convolution that torch
    executes is counted where it happens: a functional call, a tied weight or an attention formula
    escapes as little as a layer does. On the meta device nothing is computed and nothing stored,
    so the largest network is counted in a moment. A layer that knows its own cost is asked, and
    what it leaves open is counted.

    Figures of a row: `params`, each tensor once, with the layer that comes first; `macs`, biases
    free; `weight_bits`, as the weights are stored; `activation_bytes`, input and output together;
    `traffic_bytes`, weights, input and output moved once each, for every call. The bytes of a
    view, such as a flattening, do not move. Weights of a layer that is never called, and work
    that a module does between its layers, have a row too.

    Args:
        x: One input, or a tuple of the model's arguments; figures are for this batch.

    >>> import torch
    >>> model = nn.Sequential(nn.Conv2d(3, 8, 3, bias=False), nn.Flatten(), nn.Linear(32, 10))
    >>> print(count(model, torch.zeros(1, 3, 4, 4)))
    layer  params   MACs  weights KiB  activations KiB  traffic KiB
    -----  ------  -----  -----------  ---------------  -----------
    0         216    864         0.84             0.31         1.16
    1           0      0         0.00             0.12         0.00
    2         330    320         1.29             0.16         1.45
    total     546  1,184         2.13             0.31         2.61

    Source: Sze, Chen, Yang, Emer, "Efficient Processing of Deep Neural Networks", 2017, section
        III; survey section 2.5, Table 1; lab 01.
    """
    check_inputs("count", model, x)
    tally = _Tally(model)
    run(model, x, tally)
    return Report(dict(_rows(tally)))


def _rows(tally: _Tally) -> Iterator[tuple[str, Cost]]:
    """Each row, with the weights that no earlier row has; layers never called come last."""
    claimed: set[int] = set()
    uncalled = [name for name in tally.modules if name not in tally.rows]
    for name in [*tally.rows, *uncalled]:
        own = _own_weights(tally.modules[name])
        weights = [p for p in own if id(p) not in claimed]
        claimed.update(id(p) for p in weights)
        if weights or name in tally.rows:
            shares = len(weights) < len(own)
            yield name, _cost(tally.rows.get(name, _Row()), weights, shares=shares)
