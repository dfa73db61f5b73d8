"""Trained ternary quantization: zero, or one of two sizes that are learned."""

from copy import deepcopy

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx

from efficientdl import _check
from efficientdl.catalogue import Compressor, technique
from efficientdl.compression.quantization.few_bits import chosen_whole, train_few_bits
from efficientdl.fit.plan import Training
from efficientdl.models.layers.reweighted import Reweighted
from efficientdl.models.layers.ternary import TwoScaleTernary
from efficientdl.protocols import Policy, Result


class _TwoScales(torch.autograd.Function):
    """`W_p` where the sign is 1, `-W_n` where it is -1, with the paper's gradients."""

    @staticmethod
    def forward(
        ctx: FunctionCtx,
        weight: Tensor,  # noqa: ARG004 (it stands here to get its gradient)
        positive: Tensor,
        negative: Tensor,
        signs: Tensor,
    ) -> Tensor:
        ctx.save_for_backward(signs, positive, negative)
        return _with_sizes(signs, positive, negative)  # eq. 6

    @staticmethod
    def backward(ctx: FunctionCtx, grad: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        signs, positive, negative = ctx.saved_tensors  # pyright: ignore[reportAttributeAccessIssue]
        to_positive = (grad * (signs > 0)).sum()  # eq. 7
        # eq. 7 is printed without this sign; the level is -W_n, and its derivative is -1
        to_negative = -(grad * (signs < 0)).sum()
        factor = torch.where(signs > 0, positive, torch.where(signs < 0, negative, 1.0))
        return factor * grad, to_positive, to_negative, None  # eq. 8


def two_scale_ternary(
    weight: Float[Tensor, "*shape"],
    positive: Float[Tensor, ""],
    negative: Float[Tensor, ""],
    *,
    threshold: float = 0.05,
) -> Float[Tensor, "*shape"]:
    """Each weight as `-W_n`, 0 or `+W_p`, with the gradients that train all three.

    A weight is zero up to `threshold` times the largest magnitude. `W_p` and `W_n` get the sum of
    the gradients of their weights. A weight gets the gradient of its level, times that level's
    size where it is not zero.

    Args:
        weight: The float weight.
        positive: `W_p`.
        negative: `W_n`.
        threshold: Share of the largest magnitude, in [0, 1).

    >>> sizes = torch.tensor(0.5), torch.tensor(2.0)
    >>> two_scale_ternary(torch.tensor([-1.0, 0.01, 0.3]), *sizes).tolist()
    [-2.0, 0.0, 0.5]

    Source: Zhu, Han, Mao and Dally, "Trained Ternary Quantization", ICLR 2017, equations 6 to 9;
    lab 04.
    """
    signs = _signs("two_scale_ternary", weight.detach(), threshold)
    return _TwoScales.apply(weight, positive, negative, signs)  # pyright: ignore[reportReturnType]


class _Trained(nn.Module):
    """The rule of a layer, with its two sizes, the same at first: the best that one size can be."""

    def __init__(self, weight: Tensor, threshold: float) -> None:
        super().__init__()
        self.threshold = threshold
        used = self.signs(weight) != 0
        size = (weight.abs() * used).sum() / used.sum().clamp(min=1)
        self.positive, self.negative = nn.Parameter(size.clone()), nn.Parameter(size.clone())

    def signs(self, weight: Tensor) -> Tensor:
        return _signs("train_ternary", weight, self.threshold)

    def forward(self, weight: Tensor) -> Tensor:
        return two_scale_ternary(weight, self.positive, self.negative, threshold=self.threshold)


@technique(
    "quant-ttq",
    paper="Zhu, Han, Mao and Dally, Trained Ternary Quantization, 2017",
    survey="2.3",
    lab="04_quantization",
    kind=Compressor(identity={"bits": 32}, stronger=({"bits": {"7": 2}}, {"bits": 2})),
)
def train_ternary(
    model: nn.Module,
    x: Float[Tensor, "..."],
    *,
    training: Training | None = None,
    bits: Policy[int] = 2,
    threshold: float = 0.05,
) -> Result:
    """Trained ternary quantization: `-W_n`, 0 or `+W_p`, with both sizes learned for each layer.

    Two sizes can say more than one, and as they are trained they need not be near the weights
    that they replace. Float weights are trained beside them: they decide which weight is zero, and
    which has which sign. The paper divides a layer's weights by the largest first; here they, and
    both sizes, stay as large as they are. It leaves the first and the last layer in float: see
    `bits`.

    Args:
        model: A network, as a rule a trained one, with linear layers or convolutions.
        x: An example of its input, for the report.
        training: How to train; None leaves both sizes where they begin, at the mean magnitude.
        bits: 2, or 32 to leave a layer in float; or `{layer name: bits}`, where those that are
            not named stay as they are.
        threshold: Up to which share of a layer's largest magnitude a weight is zero, in [0, 1).

    Raises:
        BadValue: The threshold is out of its range, or a layer cannot be changed: it is pruned, or
            quantized already.

    >>> model = nn.Linear(3, 1, bias=False)
    >>> _ = model.weight.data.copy_(torch.tensor([[-1.0, 0.01, 3.0]]))
    >>> small, report = train_ternary(model, torch.zeros(1, 3))
    >>> small.weight
    tensor([[-2.,  0.,  2.]])

    Source: Zhu, Han, Mao and Dally, "Trained Ternary Quantization", ICLR 2017, sections 3 and 4;
    the survey's section 2.3; lab 04.
    """
    _check_threshold("train_ternary", threshold)
    ours = deepcopy(model)
    found = chosen_whole("train_ternary", bits, ours, x, few=2)
    wrapped: dict[str, nn.Module] = {
        name: Reweighted(layer, _Trained(layer.weight.detach(), threshold))
        for name, layer in found.items()
    }
    return train_few_bits(ours, x, wrapped, _settled, training=training)


def _settled(layer: nn.Module) -> nn.Module:
    assert isinstance(layer, Reweighted), "only layers with rules are settled"
    rule, inner = layer.rule, layer.layer
    assert isinstance(rule, _Trained), "made above"
    signs = rule.signs(inner.weight.detach())
    return TwoScaleTernary(inner, signs, rule.positive.detach(), rule.negative.detach())


def _with_sizes(signs: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
    return torch.where(signs > 0, positive, torch.where(signs < 0, -negative, 0.0))


def _signs(caller: str, weight: Tensor, threshold: float) -> Tensor:
    _check_threshold(caller, threshold)
    return weight.sign() * (weight.abs() > threshold * weight.abs().amax())  # eq. 9


def _check_threshold(caller: str, threshold: float) -> None:
    if not 0 <= _check.number(caller, "threshold", threshold) < 1:
        _check.fail(caller, "threshold", "must be in [0, 1)", threshold)
