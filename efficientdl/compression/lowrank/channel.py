"""Channel factorization: fewer filters, then a 1x1 convolution, fitted to the layer's responses."""

from dataclasses import dataclass, replace
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn

from efficientdl import _check
from efficientdl.catalogue import Compressor, technique
from efficientdl.compression.layers import FloatLayer, weight_layers
from efficientdl.compression.lowrank.layers import (
    Method,
    Pixels,
    Plan,
    factorize,
    matrix_ladder,
)
from efficientdl.compression.lowrank.ranks import Energy, Rank, RankChoice, Spectrum
from efficientdl.costs.trace import MODEL, Call, Watcher, check_inputs, run
from efficientdl.costs.trace import tensors as tensors_in
from efficientdl.models.layers.factorized import conv_chain
from efficientdl.protocols import Policy, Result


@technique(
    "lowrank-channel",
    paper="Zhang, Zou, He and Sun, Accelerating Very Deep Convolutional Networks for "
    "Classification and Detection, 2016",
    survey="2.2",
    lab="03_low_rank",
    kind=Compressor(
        identity={"rank": Energy(1.0)},
        stronger=({"rank": 2}, {"rank": 1}),
        tolerance=1e-5,
        reason="two float32 convolutions round where one did not",
        exempt={
            "is_not_dearer_than_the_original": "a second convolution reads the map that the first "
            "one writes, so traffic rises on small layers though weights and MACs fall",
        },
    ),
)
def factorize_channel(
    model: nn.Module,
    x: Float[Tensor, "..."],
    *,
    rank: Policy[RankChoice],
    inputs: Float[Tensor, "..."] | None = None,
) -> Result:
    """Channel factorization: `n'` filters and a 1x1 convolution that rebuild the responses.

    The responses `y` of a layer, one vector of `c_out` for each position of each image, lie near a
    plane of fewer dimensions. With `U` their leading principal directions and `M = U U^T`, the
    nearest that a rank allows is `M y + (mean - M mean)`: filters `U^T W`, then the 1x1
    convolution `U`. What matters is thus the error of the outputs, not of the weights. Each layer
    is fitted to what it gives in the model as it was, with everything before it exact.

    Args:
        model: A network with convolutions; other layers stay.
        x: An example of its input, for MACs and the report.
        rank: Filters that stay, or `Share`, `Energy` (of the responses' variance), `MacBudget`; or
            `{layer name: rank}`.
        inputs: What to fit the responses on, the more the better; `x` itself if there is no other.

    Raises:
        BadValue: A layer is grouped, masked, quantized, or shares its weight; it has no such rank;
            or its responses are not finite, or all the same.

    >>> x = torch.arange(4 * 3 * 8 * 8.0).reshape(4, 3, 8, 8).sin()
    >>> thin, _ = factorize_channel(nn.Conv2d(3, 16, 3), x, rank=4)
    >>> [tuple(conv.weight.shape) for conv in thin]
    [(4, 3, 3, 3), (16, 4, 1, 1)]

    Source: Zhang et al., "Accelerating Very Deep Convolutional Networks for Classification and
    Detection", TPAMI 2016, section 3.1, equations 1 to 4; the survey's section 2.2; lab 03.
    """
    caller = "factorize_channel"
    convs = [name for name, layer in weight_layers(caller, model).items() if _is_conv(layer)]
    responses = _Responses(convs)
    check_inputs(caller, model, x if inputs is None else inputs)
    run(model, x if inputs is None else inputs, responses)
    method = Method(
        caller=caller,
        suits=lambda shape: len(shape) == 4,
        kind="a convolution",
        plan=partial(_plan, responses.moments),
    )
    return factorize(method, model, x, rank=rank)


@dataclass
class _Moments:
    """Sums over the responses of a layer, at all positions of all images."""

    n: int = 0
    total: Tensor | float = 0.0
    products: Tensor | float = 0.0


class _Responses(Watcher):
    """Sum up what layers give, and the products of what they give."""

    def __init__(self, layers: list[str]) -> None:
        self.moments = {name or MODEL: _Moments() for name in layers}

    def leave(self, call: Call, out: object) -> None:
        moments = self.moments.get(call.name)
        if moments is None:
            return
        y = next(tensors_in(out)).detach().double().movedim(-3, 0).flatten(1)
        moments.n += y.shape[1]
        moments.total = moments.total + y.sum(dim=1)
        moments.products = moments.products + y @ y.T


def _is_conv(layer: nn.Module) -> bool:
    return isinstance(layer, nn.Conv2d)


def _plan(moments: dict[str, _Moments], name: str, layer: FloatLayer, pixels: Pixels) -> Plan:
    assert isinstance(layer, nn.Conv2d)
    mean, variances, directions = _principal(name, moments[name or MODEL])
    c_out, c_in, r, s = layer.weight.shape
    weight = layer.weight.detach().double()
    bias = torch.zeros_like(mean) if layer.bias is None else layer.bias.detach().double()

    def build(rank: Rank) -> nn.Sequential:
        u = directions[:, : rank[0]]
        first = torch.einsum("op,oirs->pirs", u, weight)  # eq. 4: M = U U^T
        rest = mean - bias  # eq. 2: y ~ M y + (mean - M mean), of which W x gives y - bias
        return conv_chain(
            layer, [first, u[:, :, None, None]], rows=0, columns=0, bias=mean - u @ (u.T @ rest)
        )

    spectrum = Spectrum(variances.sqrt(), (c_out, c_out))
    weights = c_out + c_in * r * s
    ladder = matrix_ladder(layer, spectrum, pixels, weights=weights, macs=pixels.out * weights)
    return Plan(replace(ladder, spectra=()), build)  # these are no singular values of weights


def _principal(name: str, moments: _Moments) -> tuple[Tensor, Tensor, Tensor]:
    """Mean, variances and directions of responses, the widest first."""
    where = f"responses of layer {name!r}"
    if not isinstance(moments.total, Tensor) or not isinstance(moments.products, Tensor):
        _check.fail("factorize_channel", where, "must be there, and it is never called", 0)
    if not bool(moments.products.isfinite().all()):
        _check.fail("factorize_channel", where, "must be finite", float("nan"))
    mean = moments.total / moments.n
    covariance = moments.products / moments.n - mean.outer(mean)
    # What rounding leaves of squares that cancel is no variance.
    if float(covariance.trace()) <= 1e-12 * float(moments.products.trace()) / moments.n:
        rule = "must differ from place to place: give inputs that do"
        _check.fail("factorize_channel", where, rule, f"one value at {moments.n} places")
    variances, directions = torch.linalg.eigh(covariance)
    return mean, variances.flip(0).clamp_min(0), directions.flip(1)
