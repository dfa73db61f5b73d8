"""Integer-only inference: a whole network between codes and codes, without a float."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from efficientdl import _check
from efficientdl.catalogue import Compressor, technique
from efficientdl.compression.layers import WeightLayer, demand_floats
from efficientdl.compression.quantization.dataflow import dataflow
from efficientdl.compression.quantization.integer_nodes import Node, Translator, Weights
from efficientdl.compression.quantization.integer_rules import RULES
from efficientdl.costs.count import count
from efficientdl.costs.trace import Op, Watcher, run, tensors
from efficientdl.models.layers.activation_codes import ActivationCodes
from efficientdl.models.layers.integer import IntegerConv2d, IntegerLinear, IntegerProduct
from efficientdl.models.layers.integer_steps import IntegerNetwork
from efficientdl.protocols import Result
from efficientdl.tensors import (
    Granularity,
    PerChannel,
    PerTensor,
    QParams,
    affine,
    choose_qparams,
    symmetric,
)
from efficientdl.tensors.affine import Rule


@technique(
    "quant-int8-integer-only",
    paper="Jacob, Kligys, Chen, Zhu, Tang, Howard, Adam and Kalenichenko, Quantization and "
    "Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference, 2018",
    survey="2.3",
    lab="04_quantization",
    kind=Compressor(
        identity={"weight_bits": 8, "activation_bits": 8},
        stronger=({"weight_bits": 8}, {"weight_bits": 4}),
        tolerance=2e-3,
        reason="8 bits round each weight and activation to one part in 255 of its range",
    ),
)
def integer_only(
    model: nn.Module,
    x: Float[Tensor, "n ..."],
    *,
    weight_bits: int = 8,
    activation_bits: int = 8,
    granularity: Granularity = PerChannel(),
    weight_rule: Rule = symmetric,
    activation_rule: Rule = affine,
) -> Result:
    """Integer-only inference: every layer takes int8 codes and gives int8 codes.

    A code `q` stands for `r = S (q - Z)`. Bytes are multiplied by bytes and added up in int32; the
    bias is an int32 of scale `S_w S_x`; the factor `M = S_w S_x / S_y`, all that is left of the
    scales, is a whole number and a shift, found before the network runs. Batch norm goes into the
    weights, ReLU and ReLU6 into the saturation, and a residual sum or a mean has a factor for each
    scale that it meets. The new network takes and gives floats, and holds none in between:
    `network.integers(codes)` is that part by itself.

    It knows convolutions, depthwise and grouped ones too, linear layers, batch norm behind them,
    ReLU, ReLU6 and clamps, maximum and average pools, sums, channels put side by side, and
    reshapes. Whatever else the model computes raises.

    Args:
        model: A trained network.
        x: Real examples, some dozens at least: the ranges of activations are taken from them. The
            report is for this batch.
        weight_bits: Bits of a weight, 2..8.
        activation_bits: Bits of an activation, 2..8.
        granularity: `PerChannel()` or `PerTensor()`: which weights of a layer share a scale.
        weight_rule: How a weight's range is chosen: `symmetric`, or `affine` as in the paper.
        activation_rule: How an activation's is; zero must be a level.

    Raises:
        BadValue: The model computes what has no rule; a weight or an activation is no finite
            number; a layer is so wide that its sums do not fit into 32 bits.

    >>> model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(16, 2))
    >>> x = torch.rand(8, 1, 4, 4)
    >>> network, report = integer_only(model, x)
    >>> network.integers(network.to_codes(x)).dtype
    torch.int8

    Source: Jacob et al., "Quantization and Training of Neural Networks for Efficient
    Integer-Arithmetic-Only Inference", CVPR 2018, section 2; the survey's section 2.3; lab 04.
    """
    for name, bits in (("weight_bits", weight_bits), ("activation_bits", activation_bits)):
        _check.whole("integer_only", name, bits, 2, 8)
    _check.kind("integer_only", "granularity", granularity, (PerChannel, PerTensor))
    _demand_floats(model)
    flow = dataflow("integer_only", model, x)
    nodes = Translator("integer_only", model, flow, RULES).nodes
    ranges = _Ranges({node.op for node in nodes}, activation_rule, activation_bits)
    run(model, x, ranges)
    codes = [ActivationCodes.of(ranges.of(x))]
    steps: list[tuple[str, nn.Module, tuple[int, ...]]] = []
    for node in nodes:
        xs = [codes[i] for i in node.takes]
        y = xs[0] if node.op is None else ActivationCodes.of(ranges.by_op[node.op])
        y = y.between(node.low, node.high)
        steps.append((
            node.name,
            _module(node, xs, y, weight_bits, granularity, weight_rule),
            node.takes,
        ))
        codes.append(y)
    network = IntegerNetwork(steps, x=codes[0], y=codes[-1]).train(model.training)
    return Result(network, count(network, x))


def _demand_floats(model: nn.Module) -> None:
    """Refuse a model that holds codes already."""
    _check.kind("integer_only", "model", model, nn.Module)
    for name, module in model.named_modules():
        if isinstance(module, WeightLayer):
            demand_floats("integer_only", name, module)
        if isinstance(module, IntegerNetwork):
            rule = "must not be quantized yet: it computes on integers"
            _check.fail("integer_only", "model", rule, type(module).__name__)


class _Ranges(Watcher):
    """The ranges of what some operations of a run give."""

    def __init__(self, wanted: set[int | None], rule: Rule, bits: int) -> None:
        self.wanted, self.rule, self.bits = wanted, rule, bits
        self.by_op: dict[int, QParams] = {}
        self._n_ops = 0

    def op(self, op: Op) -> None:
        if self._n_ops in self.wanted:
            self.by_op[self._n_ops] = self.of(next(tensors(op.out)))
        self._n_ops += 1

    def of(self, value: Tensor) -> QParams:
        """The range of one value."""
        if not bool(value.isfinite().all()):
            bad = float(value.detach()[~value.isfinite()][0])
            _check.fail("integer_only", "x", "must lead to finite activations alone", bad)
        return self.rule(value.detach().reshape(1, -1), bits=self.bits)


def _module(
    node: Node,
    xs: Sequence[ActivationCodes],
    y: ActivationCodes,
    bits: int,
    granularity: Granularity,
    rule: Rule,
) -> nn.Module:
    if node.make is not None:
        return node.make(xs, y)
    assert node.weights is not None, "a node without `make` is a product"
    return _product(
        node.weights, xs[0], y, weight_qparams(node.weights, xs[0], bits, granularity, rule)
    )


def _product(
    weights: Weights, x: ActivationCodes, y: ActivationCodes, qparams: QParams
) -> IntegerProduct:
    if weights.geometry is None:
        return IntegerLinear(weights.weight, weights.bias, qparams=qparams, x=x, y=y)
    return IntegerConv2d(weights.weight, weights.bias, weights.geometry, qparams=qparams, x=x, y=y)


def weight_qparams(
    weights: Weights, x: ActivationCodes, bits: int, granularity: Granularity, rule: Rule
) -> QParams:
    """Scales by the rule, made larger where the bias would not fit into 31 bits of `S_w S_x`.

    A channel that batch norm has all but switched off has tiny weights and a bias of usual size. A
    channel of zeros takes the smallest scale that its bias allows.
    """
    weight = weights.weight
    qparams = choose_qparams(weight, bits=bits, granularity=granularity, rule=rule)
    if weights.bias is None:
        return qparams
    rows = granularity.group(weight)
    biases = granularity.group(weights.bias.abs()).amax(dim=1, keepdim=True)
    least = biases / (x.scale * 2.0**30)
    empty = (rows == 0).all(dim=1, keepdim=True) & (least > 0)
    return qparams._replace(scale=torch.where(empty, least, qparams.scale.maximum(least)))
