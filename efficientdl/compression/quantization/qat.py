"""Quantization-aware training: train with the rounding that inference will have."""

from copy import deepcopy
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from efficientdl import _check
from efficientdl.catalogue import technique
from efficientdl.compression.layers import FloatLayer, demand_floats, put, weight_layers
from efficientdl.compression.quantization.fold import norm_pairs, with_weight
from efficientdl.compression.quantization.kinds import BOTH_IN_CODES
from efficientdl.compression.quantization.observe import observe_inputs
from efficientdl.compression.quantization.quantizable import demand_bits
from efficientdl.costs.count import count
from efficientdl.fit.plan import Training, after
from efficientdl.models.layers.folded import Folded, Norm
from efficientdl.models.layers.quantized import QuantizedConv2d, QuantizedLinear
from efficientdl.models.layers.quantized_input import QuantizedInput
from efficientdl.models.layers.tracked_input import TrackedInput
from efficientdl.protocols import Policy, Result
from efficientdl.tensors import Granularity, PerChannel, QParams, symmetric
from efficientdl.tensors.affine import Rule, ends_of
from efficientdl.tensors.straight_through import on_levels


@dataclass(frozen=True)
class WeightRounding:
    """Round a weight as `quantize_weights` would, with a straight-through gradient.

    Attributes:
        bits: Bits of a weight.
        granularity: Which weights share a scale.
        rule: How their range is chosen, anew each time.

    >>> WeightRounding(2, PerChannel())(torch.tensor([[-1.0, 0.3, 1.0]]))
    tensor([[-1., 0., 1.]])
    """

    bits: int
    granularity: Granularity
    rule: Rule = symmetric

    def levels(self, weight: Float[Tensor, "..."]) -> QParams:
        """The levels of this weight."""
        return self.rule(self.granularity.group(weight.detach()), bits=self.bits)

    def __call__(self, weight: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        return on_levels(weight, self.levels(weight), granularity=self.granularity)


@technique(
    "quant-qat",
    paper="Jacob, Kligys, Chen, Zhu, Tang, Howard, Adam and Kalenichenko, Quantization and "
    "Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference, 2018",
    survey="2.3",
    lab="04_quantization",
    kind=BOTH_IN_CODES,
)
def quantization_aware_training(
    model: nn.Module,
    x: Float[Tensor, "n ..."],
    *,
    weight_bits: Policy[int] = 8,
    activation_bits: int = 8,
    training: Training | None = None,
    granularity: Granularity = PerChannel(),
    weight_rule: Rule = symmetric,
) -> Result:
    """Quantization-aware training: fake quantization in the forward pass, then real codes.

    Each layer takes in the batch norm behind it, rounds the folded weight and its own input, and
    computes with those; the gradient passes the rounding as if it were not there (equation 2 with
    its straight-through estimator). What has been trained is then put into codes, and computes
    the same. The paper leaves activations in float for the first steps, until their ranges have
    settled; here the ranges begin where `x` has them.

    Args:
        model: A trained network to start from.
        x: Real examples, some dozens at least: the ranges of activations begin with them. The
            report is for this batch.
        weight_bits: Bits of a weight, 2..16 (1..16 where the rule is not symmetric), or
            `{layer name: bits}`, which leaves the other layers float, their batch norm too.
        activation_bits: Bits of an activation, 1..16.
        training: How to train; None puts the network into codes at once, which is
            `quantize_static` behind `fold_batch_norm`.
        granularity: Which weights share a scale; a channel each is the default.
        weight_rule: How a weight's range is chosen at each step.

    Raises:
        BadValue: A layer cannot be quantized, or a batch norm not folded; a weight or an
            activation is no finite number; there are no examples.

    >>> model = nn.Sequential(nn.Linear(8, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 2))
    >>> x, y = torch.rand(32, 8, generator=torch.Generator().manual_seed(0)), torch.arange(32) % 2
    >>> plan = Training(train=(x, y), epochs=1, lr=1e-3, seed=0)
    >>> small, report = quantization_aware_training(model, x, weight_bits=4, training=plan)
    fit: 1 steps
    >>> small[0].layer.bits, small[1]
    (4, Identity())

    Source: Jacob et al., "Quantization and Training of Neural Networks for Efficient
    Integer-Arithmetic-Only Inference", CVPR 2018, section 3; the survey's section 2.3,
    "Quantization Schemes"; lab 04.
    """
    rounded = with_fake_quantization(
        model,
        x,
        weight_bits=weight_bits,
        activation_bits=activation_bits,
        granularity=granularity,
        weight_rule=weight_rule,
    )
    small = settle_quantization(after(training, rounded).model)
    return Result(small, count(small, x))


def with_fake_quantization(
    model: nn.Module,
    x: Float[Tensor, "n ..."],
    *,
    weight_bits: Policy[int] = 8,
    activation_bits: int = 8,
    granularity: Granularity = PerChannel(),
    weight_rule: Rule = symmetric,
) -> nn.Module:
    """A copy of a network that rounds as it will in codes, for a training of your own.

    Train it, then `settle_quantization`. Arguments and errors are those of
    `quantization_aware_training`, by whose name the errors go.

    >>> rounded = with_fake_quantization(nn.Sequential(nn.Linear(4, 2)), torch.rand(8, 4))
    >>> type(rounded[0]).__name__, type(rounded[0].layer).__name__
    ('TrackedInput', 'Folded')

    Source: Jacob et al., CVPR 2018, section 3.2 and figure 1.1b; lab 04.
    """
    caller = "quantization_aware_training"
    wanted = demand_bits(caller, "weight_bits", weight_bits, model, allowed=range(1, 17))
    _check.whole(caller, "activation_bits", activation_bits, 1, 16)
    ends = observe_inputs(caller, model, x, layers=wanted, measure=_ends)
    norms = {layer: norm for norm, layer in norm_pairs(caller, model, x).items()}
    ours = deepcopy(model)
    layers = weight_layers(caller, ours)
    new: dict[str, nn.Module] = {}
    for name, bits in wanted.items():
        norm = None
        if name in norms:
            norm = ours.get_submodule(norms[name])
            assert isinstance(norm, Norm), "pairs are of these"
            new[norms[name]] = nn.Identity().train(norm.training)
        layer = demand_floats(caller, name, layers[name])
        rounding = WeightRounding(bits, granularity, weight_rule)
        rounding.levels(layer.weight)  # bits that the rule does not take raise now
        folded = Folded(layer, norm, rounding=rounding)
        new[name] = TrackedInput(folded, *ends[name], bits=activation_bits)
    return put(ours, new)


@torch.no_grad()
def settle_quantization(model: nn.Module) -> nn.Module:
    """Codes in the place of fake quantization; inference computes what it did before.

    Args:
        model: What `with_fake_quantization` made, trained or not; it is not changed.

    Raises:
        BadValue: Nothing in it is fake.

    Source: Jacob et al., CVPR 2018, section 3.2, equation 14; lab 04.
    """
    ours = deepcopy(model)
    fakes = {n: m for n, m in ours.named_modules() if isinstance(m, TrackedInput)}
    if not fakes:
        rule = "must come from with_fake_quantization"
        _check.fail("settle_quantization", "model", rule, type(model).__name__)
    return put(ours, {name: _settled(fake) for name, fake in fakes.items()})


def _settled(fake: TrackedInput) -> QuantizedInput:
    folded = fake.layer
    assert isinstance(folded, Folded), "with_fake_quantization puts one there"
    rounding = folded.rounding
    assert isinstance(rounding, WeightRounding), "with_fake_quantization puts one there"
    weight, bias = folded.folded()
    layer: FloatLayer = with_weight(folded.layer, weight, bias)
    qparams = rounding.levels(weight)
    of = QuantizedConv2d if isinstance(layer, nn.Conv2d) else QuantizedLinear
    coded = of(layer, qparams, granularity=rounding.granularity)  # pyright: ignore[reportArgumentType]
    return QuantizedInput(coded, fake.qparams)


def _ends(values: Tensor) -> tuple[Tensor, Tensor]:
    low, high = ends_of("quantization_aware_training", values)
    return low[0, 0], high[0, 0]
