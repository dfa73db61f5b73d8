"""CP factorization: a kernel as a sum of rank-one tensors, run as four thin convolutions."""

from functools import cache

import torch
from jaxtyping import Float
from torch import Tensor, nn

from efficientdl.catalogue import Compressor, technique
from efficientdl.compression.layers import FloatLayer
from efficientdl.compression.lowrank.layers import Method, Pixels, Plan, factorize
from efficientdl.compression.lowrank.ranks import Energy, Ladder, Rank, RankChoice
from efficientdl.models.layers.factorized import conv_chain
from efficientdl.protocols import Policy, Result
from efficientdl.tensors.factors import cp, full_cp_rank


@technique(
    "lowrank-cp",
    paper="Lebedev, Ganin, Rakhuba, Oseledets and Lempitsky, Speeding-up Convolutional Neural "
    "Networks Using Fine-tuned CP-Decomposition, 2015",
    survey="2.2",
    lab="03_low_rank",
    kind=Compressor(
        identity={"rank": Energy(1.0)},
        stronger=({"rank": 2}, {"rank": 1}),
        tolerance=1e-5,
        reason="four float32 convolutions round where one did not",
        exempt={
            "is_not_dearer_than_the_original": "four convolutions write and read three maps of "
            "their own, so traffic rises on small layers though weights and MACs fall",
        },
    ),
)
def factorize_cp(model: nn.Module, x: Float[Tensor, "..."], *, rank: Policy[RankChoice]) -> Result:
    """CP factorization: each k x k convolution becomes four, two of them depthwise.

    `W[o, i, y, x] ~ sum_t a[o, t] b[i, t] v[y, t] h[x, t]` (eq. 3 of the paper): a 1x1 convolution
    to `t` channels, a k x 1 and a 1 x k in each of them alone, and a 1x1 to the outputs. Its
    `t (c_in + r + s + c_out)` weights stand for `c_out c_in r s`. The best sum cannot be computed
    in general; alternating least squares finds one that no change of one factor improves.

    Args:
        model: A network with convolutions larger than 1x1; other layers stay.
        x: An example of its input, for MACs and the report.
        rank: Terms of the sum, or `Share`, `Energy`, `MacBudget`; or `{layer name: rank}`.
            `Energy` factorizes each layer several times, in search of the rank.

    Raises:
        BadValue: A layer is grouped, masked, quantized, or shares its weight; its weights are not
            finite; or it has no such rank.

    >>> model = nn.Conv2d(16, 32, 3, stride=2, padding=1)
    >>> thin, _ = factorize_cp(model, torch.zeros(1, 16, 8, 8), rank=4)
    >>> [(conv.out_channels, conv.kernel_size, conv.stride, conv.groups) for conv in thin]
    [(4, (1, 1), (1, 1), 1), (4, (3, 1), (2, 1), 4), (4, (1, 3), (1, 2), 4), (32, (1, 1), (1, 1), 1)]

    Source: Lebedev et al., "Speeding-up Convolutional Neural Networks Using Fine-tuned
    CP-Decomposition", ICLR 2015, section 3, equations 2 to 7; the survey's section 2.2; lab 03.
    """  # noqa: E501
    return factorize(_CP, model, x, rank=rank)


def _plan(_: str, layer: FloatLayer, pixels: Pixels) -> Plan:
    assert isinstance(layer, nn.Conv2d)
    weight = layer.weight.detach().double()
    c_out, c_in, r, s = weight.shape
    full = full_cp_rank((c_out, c_in, r, s))

    @cache
    def factors(rank: int) -> list[Tensor]:
        return cp(weight, rank=rank)

    def energy(step: int) -> float:
        near = torch.einsum("ot,it,yt,xt->oiyx", *factors(step + 1))
        return 1 - float((weight - near).square().sum() / weight.square().sum().clamp_min(1e-300))

    def build(rank: Rank) -> nn.Sequential:
        a, b, v, h = (factor.T for factor in factors(rank[0]))
        first, last = b[:, :, None, None], a.T[:, :, None, None]
        vertical, horizontal = v[:, None, :, None], h[:, None, None, :]
        return conv_chain(layer, [first, vertical, horizontal, last], rows=1, columns=2)

    macs = pixels.read * c_in + pixels.rows_done * r + pixels.out * (s + c_out)
    ladder = Ladder(
        ranks=tuple((t,) for t in range(1, full + 1)),
        weights=tuple(t * (c_in + r + s + c_out) for t in range(1, full + 1)),
        macs=tuple(t * macs for t in range(1, full + 1)),
        dense_weights=weight.numel(),
        dense_macs=pixels.out * weight.numel(),
        energy=energy,
    )
    return Plan(ladder, build)


_CP = Method(
    caller="factorize_cp",
    suits=lambda shape: len(shape) == 4 and max(shape[2:]) > 1,
    kind="a convolution larger than 1x1",
    plan=_plan,
)
