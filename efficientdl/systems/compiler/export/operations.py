"""From the graph's operations to ONNX's: a small rule for each of the closed set."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from efficientdl.systems.compiler.export.writer import Shape, Writer
from efficientdl.systems.compiler.graph import Node


class Task(NamedTuple):
    """One node to write.

    Attributes:
        node: The node.
        inputs: ONNX's names of what it takes.
        shapes: Their shapes.
        dtype: Of all its values.
        out: The names to give to its outputs.
    """

    node: Node
    inputs: list[str]
    shapes: list[Shape]
    dtype: np.dtype
    out: list[str]


def write(w: Writer, task: Task) -> list[str]:
    """Write one node, its activation too; returns the names of its outputs."""
    activation = task.node.attributes.get("activation")
    if activation is None:
        return RULES[task.node.op](w, task)
    inner = task._replace(out=[f"{task.out[0]}.before"])
    (y,) = RULES[task.node.op](w, inner)
    return RULES[activation](w, task._replace(inputs=[y]))


def _same(op: str, **attributes: object) -> Callable[[Writer, Task], list[str]]:
    """A rule for an operation that ONNX has as it is."""

    def rule(w: Writer, t: Task) -> list[str]:
        return [w.add(op, t.inputs, name=t.out[0], **attributes)]

    return rule


def _conv2d(w: Writer, t: Task) -> list[str]:
    a = t.node.attributes
    options = {
        "kernel_shape": t.shapes[1][2:],
        "strides": a["stride"],
        "pads": (*a["padding"], *a["padding"]),
        "dilations": a["dilation"],
        "group": a["groups"],
    }
    return [w.add("Conv", t.inputs, name=t.out[0], **options)]


def _linear(w: Writer, t: Task) -> list[str]:
    if len(t.shapes[0]) == 2:
        return [w.add("Gemm", t.inputs, name=t.out[0], transB=1)]
    x, weight, *bias = t.inputs
    turned = w.add("Transpose", [weight], name=f"{t.out[0]}.turned", perm=(1, 0))
    name = f"{t.out[0]}.product" if bias else t.out[0]
    y = w.add("MatMul", [x, turned], name=name)
    return [w.add("Add", [y, *bias], name=t.out[0]) if bias else y]


def _batch_norm(w: Writer, t: Task) -> list[str]:
    eps = t.node.attributes["eps"]
    return [w.add("BatchNormalization", t.inputs, name=t.out[0], epsilon=eps)]


def _layer_norm(w: Writer, t: Task) -> list[str]:
    eps = t.node.attributes["eps"]
    return [w.add("LayerNormalization", t.inputs, name=t.out[0], axis=-1, epsilon=eps)]


def _relu6(w: Writer, t: Task) -> list[str]:
    ends = [w.hold(f"{t.out[0]}.{n}", np.array(n, dtype=t.dtype)) for n in (0, 6)]
    return [w.add("Clip", [t.inputs[0], *ends], name=t.out[0])]


def _silu(w: Writer, t: Task) -> list[str]:
    gate = w.add("Sigmoid", t.inputs, name=f"{t.out[0]}.gate")
    return [w.add("Mul", [t.inputs[0], gate], name=t.out[0])]


def _softmax(w: Writer, t: Task) -> list[str]:
    return [w.add("Softmax", t.inputs, name=t.out[0], axis=t.node.attributes["axis"])]


def _beyond(t: Task) -> tuple[int, int]:
    """How far the last window reaches beyond the padded picture, where torch rounds up.

    Written as padding, it means the same to every runtime: there are several readings of
    `ceil_mode`.
    """
    a, size, places = t.node.attributes, t.shapes[0][2:], t.node.outputs[0].shape[2:]
    reach = [
        (n - 1) * s + d * (k - 1) + 1
        for n, s, d, k in zip(
            places, a["stride"], a.get("dilation", (1, 1)), a["kernel"], strict=True
        )
    ]
    over = [r - h - 2 * p for r, h, p in zip(reach, size, a["padding"], strict=True)]
    return max(over[0], 0), max(over[1], 0)


def _max_pool2d(w: Writer, t: Task) -> list[str]:
    a, (down, across) = t.node.attributes, _beyond(t)
    up, left = a["padding"]
    options = {
        "kernel_shape": a["kernel"],
        "strides": a["stride"],
        "dilations": a["dilation"],
        "pads": (up, left, up + down, left + across),
    }
    return [w.add("MaxPool", t.inputs, name=t.out[0], **options)]


def _avg_pool2d(w: Writer, t: Task) -> list[str]:
    """What counts as padding is written as a picture with zeros; what does not, as padding."""
    a, (down, across) = t.node.attributes, _beyond(t)
    (up, left), x = a["padding"], t.inputs[0]
    if a["count_padding"] and (up or left):
        x = _padded(w, t, ((0, 0), (0, 0), (up, up), (left, left)), f"{t.out[0]}.padded")
        up = left = 0
    options = {
        "kernel_shape": a["kernel"],
        "strides": a["stride"],
        "pads": (up, left, up + down, left + across),
        "count_include_pad": 0,
    }
    return [w.add("AveragePool", [x], name=t.out[0], **options)]


def _adaptive_avg_pool2d(w: Writer, t: Task) -> list[str]:
    """A mean over all, or over parts: each a row of a matrix to the left, then to the right."""
    (h, width), (p, q) = t.shapes[0][2:], t.node.attributes["size"]
    if (p, q) == (1, 1):
        return [w.add("GlobalAveragePool", t.inputs, name=t.out[0])]
    rows = w.hold(f"{t.out[0]}.rows", _means(h, p).astype(t.dtype))
    columns = w.hold(f"{t.out[0]}.columns", _means(width, q).T.astype(t.dtype))
    y = w.add("MatMul", [rows, t.inputs[0]], name=f"{t.out[0]}.by_rows")
    return [w.add("MatMul", [y, columns], name=t.out[0])]


def _means(n: int, parts: int) -> np.ndarray:
    """The matrix that takes `n` values to the means of `parts` parts, as torch cuts them."""
    matrix = np.zeros((parts, n))
    for i in range(parts):
        start, stop = i * n // parts, -(-(i + 1) * n // parts)
        matrix[i, start:stop] = 1 / (stop - start)
    return matrix


def _mean(w: Writer, t: Task) -> list[str]:
    a = t.node.attributes
    axes = w.whole(f"{t.out[0]}.axes", a["axes"])
    options = {"keepdims": int(a["keep"]), "noop_with_empty_axes": 1}
    return [w.add("ReduceMean", [t.inputs[0], axes], name=t.out[0], **options)]


def _concat(w: Writer, t: Task) -> list[str]:
    return [w.add("Concat", t.inputs, name=t.out[0], axis=t.node.attributes["axis"])]


def _split(w: Writer, t: Task) -> list[str]:
    a = t.node.attributes
    sizes = w.whole(f"{t.node.name}.sizes", a["sizes"])
    return w.add_several("Split", [t.inputs[0], sizes], names=t.out, axis=a["axis"])


def _slice(w: Writer, t: Task) -> list[str]:
    a = t.node.attributes
    ends = [w.whole(f"{t.out[0]}.{key}", [a[key]]) for key in ("start", "stop", "axis")]
    return [w.add("Slice", [t.inputs[0], *ends], name=t.out[0])]


def _reshape(w: Writer, t: Task) -> list[str]:
    shape = w.whole(f"{t.out[0]}.shape", t.node.attributes["shape"])
    return [w.add("Reshape", [t.inputs[0], shape], name=t.out[0])]


def _permute(w: Writer, t: Task) -> list[str]:
    return [w.add("Transpose", t.inputs, name=t.out[0], perm=t.node.attributes["axes"])]


def _pad(w: Writer, t: Task) -> list[str]:
    a = t.node.attributes
    return [_padded(w, t, a["widths"], t.out[0], value=a["value"])]


def _padded(
    w: Writer, t: Task, widths: tuple[tuple[int, int], ...], name: str, *, value: float = 0.0
) -> str:
    """The first input with a border; ONNX takes all widths before, then all behind."""
    before, behind = zip(*widths, strict=True)
    pads = w.whole(f"{name}.widths", (*before, *behind))
    border = w.hold(f"{name}.value", np.array(value, dtype=t.dtype))
    return w.add("Pad", [t.inputs[0], pads, border], name=name)


RULES: dict[str, Callable[[Writer, Task], list[str]]] = {
    "conv2d": _conv2d,
    "linear": _linear,
    "matmul": _same("MatMul"),
    "batch_norm": _batch_norm,
    "layer_norm": _layer_norm,
    "relu": _same("Relu"),
    "relu6": _relu6,
    "hardswish": _same("HardSwish"),
    "hardsigmoid": _same("HardSigmoid", alpha=1 / 6, beta=0.5),
    "sigmoid": _same("Sigmoid"),
    "tanh": _same("Tanh"),
    "silu": _silu,
    "gelu": _same("Gelu"),
    "add": _same("Add"),
    "mul": _same("Mul"),
    "softmax": _softmax,
    "max_pool2d": _max_pool2d,
    "avg_pool2d": _avg_pool2d,
    "adaptive_avg_pool2d": _adaptive_avg_pool2d,
    "mean": _mean,
    "concat": _concat,
    "split": _split,
    "slice": _slice,
    "reshape": _reshape,
    "permute": _permute,
    "pad": _pad,
}
