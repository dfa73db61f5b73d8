"""Numbers that meet: within a channel it goes on, across channels they are tied or stay."""

from torch import Tensor

from efficientdl.compression.pruning.structure.labels import Labels
from efficientdl.compression.pruning.structure.operands import argument, outputs
from efficientdl.compression.pruning.structure.tracer import Held, Tracer
from efficientdl.costs.trace import Op


def pointwise(tracer: Tracer, op: Op) -> None:
    """Numbers meet place by place: the channels that meet are tied.

    A weight that meets channels runs over them; a weight that meets a weight is cut with it.
    """
    out = outputs(op)[0]
    given = [t for t in op.inputs() if t.ndim]
    known = [t for t in given if tracer.labels(t) is not None]
    if not known:
        _weights_meet(tracer, op)
        return
    axes = {tracer.labels(t).axis + out.ndim - t.ndim for t in known}  # pyright: ignore[reportOptionalMemberAccess]
    axis = axes.pop()
    if axes:
        mixes(tracer, op)
        tracer.give(out, None)
        return
    ids = max((tracer.labels(t).ids for t in known), key=len)  # pyright: ignore[reportOptionalMemberAccess]
    for tensor in given:
        _meet(tracer, tensor, Labels(axis, ids), out)
    tracer.give(out, Labels(axis, ids))


def _meet(tracer: Tracer, tensor: Tensor, labels: Labels, out: Tensor) -> None:
    own = labels.axis - (out.ndim - tensor.ndim)
    mine, held = tracer.labels(tensor), tracer.held(tensor)
    if own < 0 or (mine is None and tensor.shape[own] == 1):
        return
    if mine is not None and len(mine.ids) == len(labels.ids):
        tracer.ties.tie(mine.ids, labels.ids)
    elif held is not None and held.axes[own] is not None:
        tracer.attach(held, own, labels.ids, "scale")
    else:
        tracer.ties.keep(labels.ids)
        tracer.keep(tensor)


def _weights_meet(tracer: Tracer, op: Op) -> None:
    given = [t for t in op.inputs() if t.ndim]
    helds = [held for t in given if (held := tracer.held(t)) is not None]
    kinds = {(t.shape, held.axes) for t, held in zip(given, helds, strict=False)}
    if helds and len(kinds) == 1 and len(helds) == len(given):
        names = tuple(dict.fromkeys(name for held in helds for name in held.names))
        tracer.hold(outputs(op)[0], Held(names, helds[0].axes))
    else:
        tracer.keep_weights(op)


def mixes(tracer: Tracer, op: Op) -> None:
    """It makes of all channels something else: they stay, and so do weights that go in."""
    tracer.keep(*op.inputs())
    tracer.keep_weights(op)


def spatial(tracer: Tracer, op: Op) -> None:
    """It works within each channel, over the last axes: pooling, resizing, padding."""
    tracer.keep_weights(op)
    labels, x = tracer.labels(op.args[0]), op.args[0]
    n_axes = 3 if "3d" in op.name else 1 if "1d" in op.name else 2
    if labels is not None and labels.axis >= x.ndim - n_axes:
        tracer.ties.keep(labels.ids)
        labels = None
    for out in outputs(op):
        tracer.give(out, labels)


def reduces(tracer: Tracer, op: Op) -> None:
    """A mean, a sum, a largest: over other axes the channels go on, over channels they stay."""
    tracer.keep_weights(op)
    x, labels = op.args[0], tracer.labels(op.args[0])
    if labels is None:
        return
    dims = argument(op, 1, "dim", None)
    dims = [dims] if isinstance(dims, int) else dims or list(range(x.ndim))
    gone = {d % x.ndim for d in dims}
    if labels.axis in gone:
        tracer.ties.keep(labels.ids)
        return
    keeps = any(out.ndim == x.ndim for out in outputs(op))
    axis = labels.axis if keeps else labels.axis - sum(d < labels.axis for d in gone)
    for out in outputs(op):
        tracer.give(out, Labels(axis, labels.ids))


def along(tracer: Tracer, op: Op) -> None:
    """A softmax or a running sum: over another axis the channels go on, over channels they stay."""
    tracer.keep_weights(op)
    labels = tracer.labels(op.args[0])
    if labels is not None and labels.axis == op.args[1] % op.args[0].ndim:
        tracer.ties.keep(labels.ids)
    tracer.give(outputs(op)[0], labels)


def layer_norm(tracer: Tracer, op: Op) -> None:
    """It takes mean and variance over its axes: channels there stay."""
    tracer.keep_weights(op)
    labels = tracer.labels(op.args[0])
    if labels is not None and labels.axis >= op.args[0].ndim - len(op.args[1]):
        tracer.ties.keep(labels.ids)
    tracer.give(op.out[0], tracer.labels(op.args[0]))
