"""Layers with weights: they read the channels that come in and make those that go out."""

from collections.abc import Callable, Sequence

import numpy as np
from torch import Tensor

from efficientdl.compression.pruning.structure.labels import Labels
from efficientdl.compression.pruning.structure.ties import Ids
from efficientdl.compression.pruning.structure.tracer import Held, Tracer
from efficientdl.costs.trace import Op


def convolution(tracer: Tracer, op: Op) -> None:
    """It reads all channels of its group and makes new ones; depthwise, it makes the old ones."""
    x, weight, bias = op.args[:3]
    transposed, groups = op.args[6], op.args[8]
    held, axis = tracer.held(weight), x.ndim - (weight.ndim - 2) - 1
    if held is None:  # computed, not stored
        tracer.keep(x, weight)
        return
    ids = _read(tracer, x, axis)
    if groups == len(ids) > 1:
        made = np.repeat(ids, op.out.shape[axis] // groups)
        _attach(tracer, held, 0, ids if transposed else made, "depthwise")
    else:
        made = _grouped(tracer, op, held, ids)
    _attach(tracer, tracer.held(bias), 0, made, "bias")
    tracer.give(op.out, Labels(axis, made))


def _grouped(tracer: Tracer, op: Op, held: Held, ids: Ids) -> Ids:
    """Every group must keep as many channels as the others: they lose the same places."""
    transposed, groups = op.args[6], op.args[8]
    axis = op.args[0].ndim - (op.args[1].ndim - 2) - 1
    first, *others = ids.reshape(groups, -1)
    for other in others:
        tracer.ties.tie(first, other)
    fresh = tracer.ties.fresh(op.out.shape[axis] // groups)
    made = np.tile(fresh, groups)
    _attach(tracer, held, 0, ids if transposed else made, "in" if transposed else "out")
    _attach(tracer, held, 1, fresh if transposed else first, "out" if transposed else "in")
    return made


def _read(tracer: Tracer, x: Tensor, axis: int) -> Ids:
    """The channels along an axis; 0 where they run along another one, and stay."""
    labels = tracer.labels(x)
    if labels is not None and labels.axis == axis:
        return labels.ids
    tracer.keep(x)
    return np.zeros(x.shape[axis], dtype=np.int64)


def _attach(tracer: Tracer, held: Held | None, axis: int, ids: Ids, role: str) -> None:
    if held is not None:
        tracer.attach(held, axis, ids, role)


def matrix_product(tracer: Tracer, op: Op) -> None:
    """`mm` and `addmm`: rows of inputs by a weight; its inner axis reads, its outer one makes."""
    bias, x, weight = ([None, *op.args] if op.name == "aten.mm" else op.args)[:3]
    held = tracer.held(weight)
    if held is None:
        others: Sequence[Tensor] = [t for t in (bias, x, weight) if t is not None]
        tracer.keep(*others)
        tracer.keep_weights(op)
        return
    labels = tracer.labels(x)
    if labels is not None and labels.axis == 0:  # they pass by: the product is over another axis
        tracer.keep_weights(op)
        tracer.give(op.out, labels)
        return
    tracer.attach(held, 0, _read(tracer, x, 1), "in")
    made = tracer.ties.fresh(op.out.shape[1])
    tracer.attach(held, 1, made, "out")
    _attach(tracer, tracer.held(bias), 0, made, "bias")
    tracer.give(op.out, Labels(1, made))


def batch_norm(tracer: Tracer, op: Op) -> None:
    """Each channel by itself, with four numbers of its own."""
    x = op.args[0]
    ids = _read(tracer, x, 1)
    for tensor in op.args[1:5]:
        held = tracer.held(tensor)
        if held is not None:
            tracer.attach(held, 0, ids, "batch norm")
        elif isinstance(tensor, Tensor):
            tracer.ties.keep(ids)
    out = op.out[0] if isinstance(op.out, (tuple, list)) else op.out
    tracer.give(out, Labels(1, ids))


def group_norm(tracer: Tracer, op: Op) -> None:
    """Mean and variance over a few channels: those go together, and others do not mind."""
    x, n_groups = op.args[0], op.args[6]
    ids = _read(tracer, x, 1)
    helds = [held for tensor in op.args[1:3] if (held := tracer.held(tensor)) is not None]
    if n_groups == 1 or len(helds) < 2:  # nothing can go; or nothing says how many groups are left
        tracer.ties.keep(ids)
    first, *others = ids.reshape(n_groups, -1).T
    for other in others:
        tracer.ties.tie(first, other)
    for held in helds:
        tracer.attach(held, 0, ids, "group norm")
    tracer.give(op.out[0], Labels(1, ids))


def embedding(tracer: Tracer, op: Op) -> None:
    """A row of the table for each number: its columns are new channels."""
    held = tracer.held(op.args[0])
    if held is None:
        tracer.keep(op.args[0])
        return
    made = tracer.ties.fresh(op.args[0].shape[1])
    tracer.attach(held, 1, made, "out")
    tracer.give(op.out, Labels(op.out.ndim - 1, made))


PRODUCTS: dict[str, Callable[[Tracer, Op], None]] = {
    "convolution": convolution,
    "mm": matrix_product,
    "addmm": matrix_product,
    "native_batch_norm": batch_norm,
    "_native_batch_norm_legit_no_training": batch_norm,
    "_native_batch_norm_legit": batch_norm,
    "cudnn_batch_norm": batch_norm,
    "native_group_norm": group_norm,
    "embedding": embedding,
}
