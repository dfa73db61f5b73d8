"""Fusion: what runs one after the other on the same values, as one operation."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from efficientdl.catalogue import Pass, technique
from efficientdl.systems.compiler.draft import Draft
from efficientdl.systems.compiler.graph import Graph, Node, Value, check, constant, node
from efficientdl.systems.compiler.ops import ACTIVATIONS
from efficientdl.systems.compiler.passes.constant_folding import fold_constants

PRODUCTS = ("conv2d", "linear")
TAKE_ACTIVATION = (*PRODUCTS, "add", "mul")


def _graphs() -> tuple[Graph, ...]:
    """A convolution, a norm, a sum and two activations; and one with nothing to fuse."""
    rng, x = np.random.default_rng(0), Value("x", (2, 4, 5, 5), torch.float64)
    shapes: dict[str, tuple[int, ...]] = {"w": (4, 4, 3, 3), "gamma": (4,), "beta": (4,)}
    held = {name: torch.from_numpy(rng.standard_normal(s)) for name, s in shapes.items()}
    held |= {"mean": torch.from_numpy(rng.standard_normal(4))}
    held |= {"var": torch.from_numpy(rng.uniform(0.5, 2.0, 4))}
    given = {name: constant(name, t) for name, t in held.items()}
    conv = node("conv", "conv2d", [x, given["w"]], padding=(1, 1))
    four = [given[name] for name in ("gamma", "beta", "mean", "var")]
    norm = node("norm", "batch_norm", [conv.outputs[0], *four])
    act = node("act", "relu", [norm.outputs[0]])
    total = node("total", "add", [act.outputs[0], x])
    out = node("out", "hardswish", [total.outputs[0]])
    plain = Graph((x,), {"w": held["w"]}, (conv,), ("conv",))
    return Graph((x,), held, (conv, norm, act, total, out), ("out",)), plain


@technique(
    "sys-fusion",
    paper="Chen, Moreau, Jiang, Zheng, Yan, Cowan, Shen, Wang, Hu, Ceze, Guestrin and "
    "Krishnamurthy, TVM: An Automated End-to-End Optimizing Compiler for Deep Learning, 2018; "
    "Jiang et al., MNN: A Universal and Efficient Inference Engine, 2020",
    survey="6.1",
    lab="13_kernels_and_compilers",
    kind=Pass(graphs=_graphs),
)
def fuse(graph: Graph) -> Graph:
    """Fuse convolution, batch norm and activation into one operation, and fold constants.

    Batch norm in inference is a scale and a shift of each channel, and so can be put into the
    weights that make the channel: with s = gamma / sqrt(var + eps), w' = s w and
    b' = (b - mean) s + beta. An activation then works on each value while it is still at hand,
    instead of reading and writing the whole map once more. A value that something else takes, too,
    has to be there in full, so its node stays alone; and weights that two layers share are not
    scaled for one of them.

    The new weights are computed in float64 and rounded once. What changes is rounding: the
    outputs differ by some units in the last place of the sums, not by more.

    >>> from torch import nn
    >>> from efficientdl.systems.compiler.trace import trace
    >>> model = nn.Sequential(nn.Conv2d(1, 2, 3, bias=False), nn.BatchNorm2d(2), nn.ReLU())
    >>> print(fuse(trace(model, torch.zeros(1, 1, 4, 4))))
    x: float32 (1, 1, 4, 4)
    2 = conv2d(x, 0.weight.fused, 1.bias.fused, activation=relu)  # (1, 2, 2, 2)
    return 2

    Source: Chen et al., "TVM", OSDI 2018, section 3; Jiang et al., "MNN", MLSys 2020; the survey's
    section 6.1; lab 13.
    """
    check(graph)
    while (fused := _fused_once(graph)) != graph:
        graph = fused
    return graph


def _fused_once(graph: Graph) -> Graph:
    graph = fold_constants(graph)
    for rule in (_fuse_norm, _fuse_activation):
        draft = Draft(graph)
        for n in graph.nodes:
            before = draft.made_by(n.inputs[0])
            if before is not None and draft.is_taken_once(n.inputs[0]):
                rule(draft, before, n)
        graph = draft.graph()
    return graph


def _fuse_norm(draft: Draft, product: Node, norm: Node) -> None:
    """Put a batch norm into the product before it."""
    if norm.op != "batch_norm" or product.op not in PRODUCTS or product.attributes["activation"]:
        return
    if product.op == "linear" and len(product.outputs[0].shape) != 2:
        return  # its last axis is not the norm's channels
    weights = (*product.inputs[1:], *norm.inputs[1:])
    if not all(name in draft.constants and draft.is_taken_once(name) for name in weights):
        return
    held = [draft.constants[name] for name in weights]
    bias = held[1] if len(product.inputs) == 3 else None
    weight, bias = scaled(held[0], bias, *held[-4:], eps=norm.attributes["eps"])
    new_bias = draft.hold(f"{norm.inputs[2]}.fused", bias)
    new = [draft.hold(f"{product.inputs[1]}.fused", weight), new_bias]
    inputs = [draft.values[product.inputs[0]], *new]
    _put_in_place(draft, product, norm, inputs, product.attributes)


def scaled(
    weight: Tensor,
    bias: Tensor | None,
    gamma: Tensor,
    beta: Tensor,
    mean: Tensor,
    var: Tensor,
    *,
    eps: float,
) -> tuple[Tensor, Tensor]:
    """Weight and bias with a batch norm in them: w' = s w, b' = (b - mean) s + beta."""
    s = gamma.double() / (var.double() + eps).sqrt()
    start = -mean.double() if bias is None else bias.double() - mean.double()
    by_row = s.reshape(-1, *[1] * (weight.dim() - 1))
    dtype = weight.dtype
    return (weight.double() * by_row).to(dtype), (start * s + beta.double()).to(dtype)


def _fuse_activation(draft: Draft, before: Node, act: Node) -> None:
    """Let the operation before an activation do it."""
    if act.op not in ACTIVATIONS or before.op not in TAKE_ACTIVATION:
        return
    if before.attributes["activation"] is None:
        inputs = [draft.values[name] for name in before.inputs]
        attributes = {**before.attributes, "activation": act.op}
        _put_in_place(draft, before, act, inputs, attributes)


def _put_in_place(
    draft: Draft, first: Node, second: Node, inputs: list[Value], attributes: Mapping[str, Any]
) -> None:
    """One node for two, under the name of the second, so that whoever takes it need not know."""
    names = tuple(value.name for value in inputs)
    draft.merge(first.name, replace(second, op=first.op, inputs=names, attributes=attributes))
