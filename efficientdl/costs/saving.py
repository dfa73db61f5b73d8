"""What one operation keeps for the backward pass: two analytic rules.

`paper_rule` is the bookkeeping behind the survey's Figures 9 and 10: what a frugal implementation
has to keep. `torch_rule` is what torch keeps, to the byte. They differ where torch is generous: it
keeps the whole input of a ReLU6, for which one bit per value would do, and the input of a
convolution whose weight is frozen.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from efficientdl import _check
from efficientdl.costs.trace import Op, n_bytes


@dataclass(frozen=True, slots=True)
class Kept:
    """Something kept for the backward pass.

    Attributes:
        bytes: Its size.
        tensor: The tensor, where keeping the same memory twice costs once; else None.
    """

    bytes: int
    tensor: Tensor | None = None


@dataclass(frozen=True)
class SavingRule:
    """What an operation keeps.

    Attributes:
        name: What figures and tables call the rule.
        kept: From an operation, whose tensors tell by `requires_grad` where gradients will flow,
            to what it keeps.
    """

    name: str
    kept: Callable[[Op], list[Kept]]


def _needs_grad(value: object) -> bool:
    return isinstance(value, Tensor) and value.requires_grad


# --- the paper's rule


def _whole_input(x: int, weight: int) -> Callable[[Op], int]:
    """Keep the input, to compute the gradient of a weight that learns."""
    return lambda op: n_bytes(op.args[x]) if _needs_grad(op.args[weight]) else 0


def _one_bit(op: Op) -> int:
    """Keep which values passed: one bit each."""
    return -(-op.args[0].numel() // 8) if _needs_grad(op.args[0]) else 0


def _smooth(op: Op) -> int:
    """Keep the input, from which the slope is computed."""
    return n_bytes(op.args[0]) if _needs_grad(op.args[0]) else 0


def _both(a: int, b: int) -> Callable[[Op], int]:
    """Keep each factor for the gradient of the other."""
    return lambda op: _whole_input(a, b)(op) + _whole_input(b, a)(op)


_PAPER: dict[str, Callable[[Op], int]] = {
    "aten.convolution": _whole_input(0, 1),
    "aten.native_batch_norm": _whole_input(0, 1),
    "aten.native_layer_norm": _whole_input(0, 2),
    "aten.addmm": _whole_input(1, 2),
    "aten.mm": _whole_input(0, 1),
    "aten.bmm": _both(0, 1),
    **dict.fromkeys(("aten.relu", "aten.hardtanh", "aten.leaky_relu"), _one_bit),
    **dict.fromkeys(
        [f"aten.{f}" for f in ("sigmoid", "tanh", "hardswish", "hardsigmoid", "silu", "gelu")],
        _smooth,
    ),
}


def _paper(op: Op) -> list[Kept]:
    n = _PAPER.get(op.name.removesuffix("_"), lambda _: 0)(op)
    return [Kept(n)] if n else []


paper_rule = SavingRule("paper", _paper)
"""Inputs of convolutions, linear layers and norms that learn; one bit per value of a ReLU.

Pooling, additions and reshapes keep nothing, and an input that two layers read counts twice. A
frozen weight asks for no input: this is why training only biases is cheap on paper.

Source: Cai, Gan, Zhu, Han, "TinyTL: Reduce Memory, Not Parameters for Efficient On-Device
    Learning", 2020, and its memory profiler; survey section 4, Figures 9 and 10; lab 01.
"""


# --- torch's rule


def _saves(*inputs: int, results: tuple[int, ...] = ()) -> Callable[[Op], Iterator[Any]]:
    """Keep these arguments and these results."""

    def saved(op: Op) -> Iterator[Any]:
        out = op.out if isinstance(op.out, (tuple, list)) else (op.out,)
        yield from (op.args[i] for i in inputs if i < len(op.args))
        yield from (out[i] for i in results)

    return saved


def _factors(a: int, b: int) -> Callable[[Op], Iterator[Any]]:
    """Keep each factor of a product where the other one needs its gradient."""

    def saved(op: Op) -> Iterator[Any]:
        if _needs_grad(op.args[b]):
            yield op.args[a]
        if _needs_grad(op.args[a]):
            yield op.args[b]

    return saved


def _quotient(op: Op) -> Iterator[Any]:
    if _needs_grad(op.args[1]):
        yield op.args[0]
    yield op.args[1]


_INPUT = ("hardtanh", "hardswish", "hardsigmoid", "silu", "gelu", "leaky_relu", "softplus", "mish")
_INPUT += ("avg_pool2d", "avg_pool3d", "_adaptive_avg_pool2d", "pow", "abs", "log", "clamp")
_RESULT = ("relu", "sigmoid", "tanh", "exp", "sqrt", "rsqrt", "_softmax", "_log_softmax")
_RESULT += ("_safe_softmax",)
_NOTHING = ("add", "sub", "neg", "cat", "stack", "mean", "sum", "clone", "constant_pad_nd")
_NOTHING += ("upsample_nearest2d", "upsample_bilinear2d", "_to_copy", "copy", "roll", "flip")
_NOTHING += ("empty_like", "zeros_like", "ones_like")  # shapes go in, values do not

_TORCH: dict[str, Callable[[Op], Iterator[Any]]] = {
    **{f"aten.{name}": _saves(0) for name in _INPUT},
    **{f"aten.{name}": _saves(results=(0,)) for name in _RESULT},
    **{f"aten.{name}": _saves() for name in _NOTHING},
    "aten.convolution": _saves(0, 1),
    "aten.native_batch_norm": _saves(0, 1, results=(1, 2)),
    "aten.native_layer_norm": _saves(0, 2, results=(1, 2)),
    "aten.native_group_norm": _saves(0, 1, results=(1, 2)),
    "aten.max_pool2d_with_indices": _saves(0, results=(1,)),
    "aten.embedding": _saves(1),
    "aten.mul": _factors(0, 1),
    "aten.mm": _factors(0, 1),
    "aten.bmm": _factors(0, 1),
    "aten.addmm": _factors(1, 2),
    "aten.baddbmm": _factors(1, 2),
    "aten.div": _quotient,
    "aten._scaled_dot_product_flash_attention_for_cpu": _saves(0, 1, 2, results=(0, 1)),
}


def _torch(op: Op) -> list[Kept]:
    if not any(map(_needs_grad, op.inputs())) or op.only_views():
        return []
    if not any(t.is_floating_point() for t in op.outputs()):  # a comparison, an index
        return []
    in_place = op.name.endswith("_")
    name = op.name.removesuffix("_")
    if name not in _TORCH:
        _check.fail("torch_rule", "operation", "must be one that the rule knows", op.name)
    saved = [t for t in _TORCH[name](op) if isinstance(t, Tensor)]
    if in_place and name.removeprefix("aten.") in _INPUT:
        # The input is about to be overwritten: torch keeps a copy, memory of its own.
        return [Kept(n_bytes(t)) for t in saved]
    return [Kept(t.untyped_storage().nbytes(), t) for t in saved]


torch_rule = SavingRule("torch", _torch)
"""What autograd saves: the formulas of torch's own derivatives, shared memory counted once.

An operation that the rule has no line for is an error, not a zero.

Source: PyTorch 2.13, `tools/autograd/derivatives.yaml`; lab 01.
"""
