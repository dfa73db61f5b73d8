"""Numbers that only move: their channels move with them.

The labels are written out, the operation itself moves them, and they are read back. A weight that
moves on its way to its layer is followed as long as each of its axes stays in one piece.
"""

from typing import Any

import torch
from torch import Tensor

from efficientdl.compression.pruning.structure.labels import Labels
from efficientdl.compression.pruning.structure.operands import argument, outputs
from efficientdl.compression.pruning.structure.tracer import Held, Tracer
from efficientdl.costs.trace import Op

# What leaves the channels on the axis on which it finds them.
STAY_IN_PLACE = {"cat", "pixel_shuffle", "repeat"}


def same(tracer: Tracer, op: Op) -> None:
    """It gives its first input again, or something of its shape."""
    held, labels = tracer.held(op.args[0]), tracer.labels(op.args[0])
    for out in outputs(op):
        if held is not None:
            tracer.hold(out, held)
        else:
            tracer.give(out, labels)


def moves(tracer: Tracer, op: Op) -> None:
    """It moves numbers: their labels are moved by the operation itself."""
    if tracer.held(op.args[0]) is not None:
        _move_weight(tracer, op)
        return
    tracer.keep_weights(op)  # one of several, as in a concatenation
    inputs = [tracer.labels(t) for t in op.inputs()]
    if not any(inputs):
        return
    name = op.name.removeprefix("aten.")
    args = [_grid(tracer, a) for a in op.args]
    if name in {"view", "_unsafe_view", "reshape"}:
        moved = args[0].reshape(op.out.shape)
    else:
        moved = getattr(torch.ops.aten, name)(*args)
    prefer = next(labels.axis for labels in inputs if labels) if name in STAY_IN_PLACE else None
    moved = moved if isinstance(moved, (tuple, list)) else [moved]
    for out, grid in zip(outputs(op), moved, strict=True):
        tracer.give_grid(out, grid, prefer)


def _grid(tracer: Tracer, given: Any) -> Any:  # noqa: ANN401
    if isinstance(given, Tensor):
        return tracer.grid(given)
    if isinstance(given, (tuple, list)) and given and isinstance(given[0], Tensor):
        return [tracer.grid(t) for t in given]
    return given


def _move_weight(tracer: Tracer, op: Op) -> None:
    """Follow which axis of a weight goes where, when it is only turned, or gets axes of size 1."""
    weight, held, out = op.args[0], tracer.held(op.args[0]), op.out
    name = op.name.removeprefix("aten.")
    long = [(a, n) for a, n in enumerate(weight.shape) if n > 1]
    turned_over = name == "flip" and any(
        weight.shape[a] > 1 and a % weight.ndim < 2 for a in op.args[1]
    )
    if held is None or turned_over or not isinstance(out, Tensor):
        tracer.keep_weights(op)
    elif name in {"t", "transpose", "permute"}:
        tracer.hold(out, Held(held.names, _turned(held.axes, name, op.args[1:])))
    elif [n for n in out.shape if n > 1] == [n for _, n in long]:
        axes = iter(long)
        own = tuple(held.axes[next(axes)[0]] if n > 1 else None for n in out.shape)
        tracer.hold(out, Held(held.names, own))
    else:
        tracer.keep_weights(op)


def _turned(axes: tuple[int | None, ...], name: str, args: Any) -> tuple[int | None, ...]:  # noqa: ANN401
    if name == "permute":
        return tuple(axes[a] for a in args[0])
    turned = list(axes)
    a, b = args if name == "transpose" else (0, len(axes) - 1)
    turned[a], turned[b] = axes[b], axes[a]
    return tuple(turned)


def splits(tracer: Tracer, op: Op) -> None:
    """`chunk`: equal parts of the channels lose the same places, so that the halves stay halves."""
    labels, parts = tracer.labels(op.args[0]), outputs(op)
    axis = argument(op, 2, "dim", 0) % op.args[0].ndim
    if labels is not None and labels.axis == axis:
        if len({part.shape[axis] for part in parts}) > 1:
            tracer.ties.keep(labels.ids)
        else:
            rows = labels.ids.reshape(len(parts), -1)
            for row in rows[1:]:
                tracer.ties.tie(rows[0], row)
    moves(tracer, op)


def halves(tracer: Tracer, op: Op) -> None:
    """A gated linear unit: the second half opens and closes the first, place by place."""
    labels, out = tracer.labels(op.args[0]), outputs(op)[0]
    axis = argument(op, 1, "dim", -1) % op.args[0].ndim
    tracer.keep_weights(op)
    if labels is not None and labels.axis == axis:
        first, second = labels.ids.reshape(2, -1)
        tracer.ties.tie(first, second)
        labels = Labels(axis, first)
    tracer.give(out, labels)


def picks(tracer: Tracer, op: Op) -> None:
    """Places are named by number: along channels, those numbers fix how many there are."""
    labels = tracer.labels(op.args[0])
    place = 2 if op.name == "aten.split_with_sizes" else 1
    axis = argument(op, place, "dim", 0) % op.args[0].ndim
    whole = all(out.shape == op.args[0].shape for out in outputs(op))
    if labels is not None and labels.axis == axis and not whole:
        tracer.ties.keep(labels.ids)
    moves(tracer, op)


def pads(tracer: Tracer, op: Op) -> None:
    """Channels of padding are new and stay."""
    tracer.keep_weights(op)
    if tracer.labels(op.args[0]) is not None:
        grid = torch.ops.aten.constant_pad_nd(tracer.grid(op.args[0]), op.args[1], 0)
        tracer.give_grid(op.out, grid, 1)
