"""Spatial factorization: a convolution along the rows, then one along the columns."""

from jaxtyping import Float
from torch import Tensor, nn

from efficientdl.catalogue import Compressor, technique
from efficientdl.compression.layers import FloatLayer
from efficientdl.compression.lowrank.layers import (
    Method,
    Pixels,
    Plan,
    factorize,
    matrix_ladder,
)
from efficientdl.compression.lowrank.ranks import Energy, Rank, RankChoice, Spectrum
from efficientdl.models.layers.factorized import conv_chain
from efficientdl.protocols import Policy, Result
from efficientdl.tensors.factors import truncated_svd


@technique(
    "lowrank-spatial",
    paper="Jaderberg, Vedaldi and Zisserman, Speeding up Convolutional Neural Networks with Low "
    "Rank Expansions, 2014",
    survey="2.2",
    lab="03_low_rank",
    kind=Compressor(
        identity={"rank": Energy(1.0)},
        stronger=({"rank": 2}, {"rank": 1}),
        tolerance=1e-5,
        reason="two float32 convolutions round where one did not",
        exempt={
            "is_not_dearer_than_the_original": "a second convolution writes and reads a map of "
            "its own, so traffic rises on small layers though weights and MACs fall",
        },
    ),
)
def factorize_spatial(
    model: nn.Module, x: Float[Tensor, "..."], *, rank: Policy[RankChoice]
) -> Result:
    """Spatial factorization: each k x k convolution becomes a k x 1 and a 1 x k one.

    `W[o, i, y, x] ~ sum_t h[o, t, x] v[t, i, y]` (eq. 4 of the paper, its scheme 2). That is a
    matrix `(c_out s) x (c_in r)` of rank `t`, so the nearest one is an SVD away. Its
    `t (c_in r + c_out s)` weights stand for `c_out c_in r s`.

    Args:
        model: A network with convolutions larger than 1 both ways; other layers stay.
        x: An example of its input, for MACs and the report.
        rank: Channels between the two, or `Share`, `Energy`, `MacBudget`, `Vbmf`; or
            `{layer name: rank}`.

    Raises:
        BadValue: A layer is grouped, masked, quantized, or shares its weight; its weights are not
            finite; or it has no such rank.

    >>> import torch
    >>> model = nn.Conv2d(16, 32, 3, stride=2, padding=1)
    >>> thin, _ = factorize_spatial(model, torch.zeros(1, 16, 8, 8), rank=4)
    >>> [(conv.kernel_size, conv.stride, conv.padding) for conv in thin]
    [((3, 1), (2, 1), (1, 0)), ((1, 3), (1, 2), (0, 1))]

    Source: Jaderberg et al., "Speeding up Convolutional Neural Networks with Low Rank Expansions",
    BMVC 2014, section 2.1; the closed form: Tai, Xiao, Zhang, Wang and E, "Convolutional neural
    networks with low-rank regularization", ICLR 2016, theorem 1; the survey's section 2.2; lab 03.
    """
    return factorize(_SPATIAL, model, x, rank=rank)


def _plan(_: str, layer: FloatLayer, pixels: Pixels) -> Plan:
    assert isinstance(layer, nn.Conv2d)
    c_out, c_in, r, s = layer.weight.shape
    matrix = layer.weight.detach().double().permute(0, 3, 1, 2).reshape(c_out * s, c_in * r)
    tall, wide = truncated_svd(matrix, rank=min(matrix.shape))  # of which a rank keeps the first
    spectrum = Spectrum(tall.square().sum(dim=0), (c_out * s, c_in * r))

    def build(rank: Rank) -> nn.Sequential:
        vertical = wide[: rank[0]].reshape(rank[0], c_in, r, 1)
        horizontal = tall[:, : rank[0]].reshape(c_out, s, rank[0]).permute(0, 2, 1)[:, :, None, :]
        return conv_chain(layer, [vertical, horizontal], rows=0, columns=1)

    weights = c_in * r + c_out * s
    macs = pixels.rows_done * c_in * r + pixels.out * c_out * s
    return Plan(matrix_ladder(layer, spectrum, pixels, weights=weights, macs=macs), build)


_SPATIAL = Method(
    caller="factorize_spatial",
    suits=lambda shape: len(shape) == 4 and min(shape[2:]) > 1,
    kind="a convolution that is larger than 1 both ways",
    plan=_plan,
)
