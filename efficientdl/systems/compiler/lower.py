"""From torch's operations to the graph's: one small rule for each that our networks use."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from efficientdl import _check
from efficientdl.systems.compiler.graph import Value
from efficientdl.systems.compiler.ops import ACTIVATIONS

# An operation of the graph: its name, the names of torch's arguments that are its inputs, and its
# attributes. None where the operation does nothing in inference.
Lowered = tuple[str, tuple[str, ...], dict[str, Any]] | None
Given = Mapping[str, Any]


def pair(value: Any) -> tuple[int, int]:  # noqa: ANN401 (a number or a list of one or two)
    """Torch's way to give one number for two directions, as two."""
    numbers = list(value) if isinstance(value, (list, tuple)) else [value]
    return (numbers[0], numbers[0]) if len(numbers) == 1 else (numbers[0], numbers[1])


def axis_of(given: Given, name: str = "dim", source: str = "input") -> int:
    """An axis counted from 0, where torch also counts from the end."""
    rank = len(_shape(given, source))
    return given[name] % rank


def _shape(given: Given, name: str) -> tuple[int, ...]:
    value = given[name]
    assert isinstance(value, Value)
    return value.shape


def _softmax(a: Given) -> Lowered:
    return "softmax", ("self",), {"axis": axis_of(a, source="self")}


def _conv2d(a: Given) -> Lowered:
    dilation, padding = pair(a["dilation"]), a["padding"]
    if padding == "valid":
        padding = 0
    elif padding == "same":
        total = [d * (r - 1) for d, r in zip(dilation, _shape(a, "weight")[2:], strict=True)]
        if any(n % 2 for n in total):
            _check.fail("trace", "padding", "must be the same on both sides", "same")
        padding = [n // 2 for n in total]
    options = {"stride": pair(a["stride"]), "padding": pair(padding), "dilation": dilation}
    return "conv2d", ("input", "weight", "bias"), {**options, "groups": a["groups"]}


def _linear(_: Given) -> Lowered:
    return "linear", ("input", "weight", "bias"), {}


def _batch_norm(a: Given) -> Lowered:
    if a.get("training"):
        _check.fail("trace", "batch norm", "must have running statistics", "none")
    inputs = ("input", "weight", "bias", "running_mean", "running_var")
    return "batch_norm", inputs, {"eps": a["eps"]}


def _layer_norm(a: Given) -> Lowered:
    if len(a["normalized_shape"]) != 1:
        _check.fail("trace", "layer norm", "must be over the last axis", a["normalized_shape"])
    return "layer_norm", ("input", "weight", "bias"), {"eps": a["eps"]}


def _hardtanh(a: Given) -> Lowered:
    if (a["min_val"], a["max_val"]) != (0, 6):
        _check.fail("trace", "hardtanh", "must be from 0 to 6", (a["min_val"], a["max_val"]))
    return "relu6", ("self",), {}


def _activation(name: str, _: Given) -> Lowered:
    return name, ("self",), {}


def _gelu(a: Given) -> Lowered:
    if a["approximate"] != "none":
        _check.fail("trace", "gelu", "must be exact", a["approximate"])
    return "gelu", ("self",), {}


def _add(a: Given) -> Lowered:
    if a["alpha"] != 1:
        _check.fail("trace", "alpha of add", "must be 1", a["alpha"])
    return "add", ("self", "other"), {}


def _max_pool2d(a: Given) -> Lowered:
    kernel = pair(a["kernel_size"])
    options = {
        "stride": pair(a["stride"]) if a["stride"] else kernel,
        "padding": pair(a["padding"]),
    }
    options |= {"dilation": pair(a["dilation"]), "ceil": a["ceil_mode"]}
    return "max_pool2d", ("self",), {"kernel": kernel, **options}


def _avg_pool2d(a: Given) -> Lowered:
    if a["divisor_override"] is not None:
        _check.fail("trace", "divisor of avg_pool2d", "must be none", a["divisor_override"])
    kernel = pair(a["kernel_size"])
    options = {
        "stride": pair(a["stride"]) if a["stride"] else kernel,
        "padding": pair(a["padding"]),
    }
    options |= {"ceil": a["ceil_mode"], "count_padding": a["count_include_pad"]}
    return "avg_pool2d", ("self",), {"kernel": kernel, **options}


def _adaptive_avg_pool2d(a: Given) -> Lowered:
    return "adaptive_avg_pool2d", ("self",), {"size": pair(a["output_size"])}


def _mean(a: Given) -> Lowered:
    rank = len(_shape(a, "self"))
    axes = range(rank) if not a["dim"] else sorted(i % rank for i in a["dim"])
    return "mean", ("self",), {"axes": tuple(axes), "keep": a["keepdim"]}


def _split_into(source: str, sizes: list[int], axis: int) -> Lowered:
    return "split", (source,), {"axis": axis, "sizes": tuple(sizes)}


def _chunk(a: Given) -> Lowered:
    axis = axis_of(a, source="self")
    total = _shape(a, "self")[axis]
    size = -(-total // a["chunks"])
    sizes = [min(size, total - start) for start in range(0, total, size)]
    return _split_into("self", sizes, axis)


def _split(a: Given) -> Lowered:
    axis = axis_of(a, source="self")
    size = a.get("split_size", a.get("split_sizes"))
    if isinstance(size, int):
        total = _shape(a, "self")[axis]
        size = [min(size, total - start) for start in range(0, total, size)]
    return _split_into("self", list(size), axis)


def _slice(a: Given) -> Lowered:
    axis = axis_of(a, source="self")
    total = _shape(a, "self")[axis]
    if a["step"] != 1:
        _check.fail("trace", "step of slice", "must be 1", a["step"])
    start, stop, _ = slice(a["start"], a["end"]).indices(total)
    if (start, stop) == (0, total):
        return None
    return "slice", ("self",), {"axis": axis, "start": start, "stop": stop}


def _permute(a: Given) -> Lowered:
    rank = len(_shape(a, "self"))
    return "permute", ("self",), {"axes": tuple(i % rank for i in a["dims"])}


def _transpose(a: Given) -> Lowered:
    axes = list(range(len(_shape(a, "self"))))
    i, j = a["dim0"] % len(axes), a["dim1"] % len(axes)
    axes[i], axes[j] = axes[j], axes[i]
    return "permute", ("self",), {"axes": tuple(axes)}


def _pad(a: Given) -> Lowered:
    if a["mode"] != "constant":
        _check.fail("trace", "pad", "must be with a constant", a["mode"])
    flat, rank = list(a["pad"]), len(_shape(a, "self"))
    widths = [(flat[i], flat[i + 1]) for i in range(0, len(flat), 2)]
    widths += [(0, 0)] * (rank - len(widths))
    return "pad", ("self",), {"widths": tuple(reversed(widths)), "value": float(a["value"] or 0)}


def _nothing(_: Given) -> Lowered:
    return None


LOWER: dict[str, Callable[[Given], Lowered]] = {
    "conv2d": _conv2d,
    "linear": _linear,
    "matmul": lambda _: ("matmul", ("self", "other"), {}),
    "bmm": lambda _: ("matmul", ("self", "mat2"), {}),
    "mm": lambda _: ("matmul", ("self", "mat2"), {}),
    "batch_norm": _batch_norm,
    "_native_batch_norm_legit_no_training": _batch_norm,
    "layer_norm": _layer_norm,
    "hardtanh": _hardtanh,
    "gelu": _gelu,
    "add": _add,
    "mul": lambda _: ("mul", ("self", "other"), {}),
    "softmax": _softmax,
    "_softmax": _softmax,
    "max_pool2d": _max_pool2d,
    "avg_pool2d": _avg_pool2d,
    "max_pool2d_with_indices": _max_pool2d,
    "adaptive_avg_pool2d": _adaptive_avg_pool2d,
    "_adaptive_avg_pool2d": _adaptive_avg_pool2d,
    "mean": _mean,
    "cat": lambda a: ("concat", ("tensors",), {"axis": a["dim"] % len(a["tensors"][0].shape)}),
    "chunk": _chunk,
    "split": _split,
    "split_with_sizes": _split,
    "slice": _slice,
    "permute": _permute,
    "transpose": _transpose,
    "pad": _pad,
    # Their result's shape says all that there is to know; `trace` writes it down.
    **dict.fromkeys(
        ("reshape", "view", "_unsafe_view", "flatten", "squeeze", "unsqueeze"),
        lambda _: ("reshape", ("self",), {"shape": None}),
    ),
    **dict.fromkeys(
        ("dropout", "feature_dropout", "clone", "contiguous", "detach", "alias"), _nothing
    ),
    **{name: partial(_activation, name) for name in ACTIVATIONS if name not in ("relu6", "gelu")},
}
