"""Tucker-2 factorization: a smaller convolution between two 1x1 ones."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from efficientdl.catalogue import Compressor, technique
from efficientdl.compression.layers import FloatLayer
from efficientdl.compression.lowrank.layers import Method, Pixels, Plan, factorize
from efficientdl.compression.lowrank.ranks import Energy, Ladder, Rank, RankChoice, Spectrum
from efficientdl.models.layers.factorized import conv_chain
from efficientdl.protocols import Policy, Result
from efficientdl.tensors.factors import tucker_2, unfolding


@technique(
    "lowrank-tucker",
    paper="Kim, Park, Yoo, Choi, Yang and Shin, Compression of Deep Convolutional Neural Networks "
    "for Fast and Low Power Mobile Applications, 2016",
    survey="2.2",
    lab="03_low_rank",
    kind=Compressor(
        identity={"rank": Energy(1.0)},
        stronger=({"rank": 2}, {"rank": 1}),
        tolerance=1e-5,
        reason="three float32 convolutions round where one did not",
        exempt={
            "is_not_dearer_than_the_original": "three convolutions write and read two maps of "
            "their own, so traffic rises on small layers though weights and MACs fall",
        },
    ),
)
def factorize_tucker(
    model: nn.Module, x: Float[Tensor, "..."], *, rank: Policy[RankChoice]
) -> Result:
    """Tucker-2 factorization: each k x k convolution becomes one on fewer channels.

    `W[o, i, y, x] ~ sum_pq a[o, p] core[p, q, y, x] b[i, q]`: a 1x1 convolution to `q` channels,
    the core, k x k, from `q` to `p`, and a 1x1 to the outputs. It thins inputs and outputs alike,
    where an SVD thins one side, so its rank is two numbers, `(p, q)`. A rule takes away, step by
    step, the direction of least norm on either side; `Vbmf` chooses as the paper does.

    Args:
        model: A network with convolutions larger than 1x1; other layers stay.
        x: An example of its input, for MACs and the report.
        rank: `(p, q)`, or a number that both are, or `Share`, `Energy`, `MacBudget`, `Vbmf`; or
            `{layer name: rank}`.

    Raises:
        BadValue: A layer is grouped, masked, quantized, or shares its weight; its weights are not
            finite; or it has no such rank.

    >>> model = nn.Conv2d(16, 32, 3, stride=2, padding=1)
    >>> thin, _ = factorize_tucker(model, torch.zeros(1, 16, 8, 8), rank=(8, 4))
    >>> [(conv.out_channels, conv.kernel_size, conv.stride) for conv in thin]
    [(4, (1, 1), (1, 1)), (8, (3, 3), (2, 2)), (32, (1, 1), (1, 1))]

    Source: Kim et al., "Compression of Deep Convolutional Neural Networks for Fast and Low Power
    Mobile Applications", ICLR 2016, section 3; the survey's section 2.2; lab 03.
    """
    return factorize(_TUCKER, model, x, rank=rank)


def _plan(_: str, layer: FloatLayer, pixels: Pixels) -> Plan:
    assert isinstance(layer, nn.Conv2d)
    weight = layer.weight.detach().double()
    c_out, c_in, r, s = weight.shape
    unfolded = [unfolding(weight, axis=axis) for axis in (0, 1)]
    spectra = tuple(Spectrum(torch.linalg.svdvals(u), (len(u), u.shape[1])) for u in unfolded)
    ranks = _path(spectra)
    core = tucker_2(weight, ranks=(c_out, c_in), steps=0).core
    blocks = core.square().sum(dim=(2, 3)).cumsum(0).cumsum(1)  # of the first p, the first q
    kept = (blocks / blocks[-1, -1].clamp_min(1e-300)).tolist()

    def build(rank: Rank) -> nn.Sequential:
        small, a, b = tucker_2(weight, ranks=(rank[0], rank[1]))
        first, last = b.T[:, :, None, None], a[:, :, None, None]
        return conv_chain(layer, [first, small, last], rows=1, columns=1)

    ladder = Ladder(
        ranks=ranks,
        weights=tuple(c_in * q + p * q * r * s + c_out * p for p, q in ranks),
        macs=tuple(
            pixels.read * c_in * q + pixels.out * (p * q * r * s + c_out * p) for p, q in ranks
        ),
        dense_weights=weight.numel(),
        dense_macs=pixels.out * weight.numel(),
        energy=lambda step: kept[ranks[step][0] - 1][ranks[step][1] - 1],
        spectra=spectra,
    )
    return Plan(ladder, build)


def _path(spectra: tuple[Spectrum, ...]) -> tuple[tuple[int, int], ...]:
    """Pairs of ranks from (1, 1) to the whole, each step adding the larger direction."""
    out, into = (_padded(spectrum) for spectrum in spectra)
    p, q = len(out), len(into)
    path = [(p, q)]
    while p > 1 or q > 1:
        if q == 1 or (p > 1 and out[p - 1] < into[q - 1]):
            p -= 1
        else:
            q -= 1
        path.append((p, q))
    return tuple(reversed(path))


def _padded(spectrum: Spectrum) -> list[float]:
    """Singular values of the rows, zero where there are more rows than columns."""
    found = spectrum.singular.tolist()
    return found + [0.0] * (spectrum.shape[0] - len(found))


_TUCKER = Method(
    caller="factorize_tucker",
    suits=lambda shape: len(shape) == 4 and max(shape[2:]) > 1,
    kind="a convolution larger than 1x1",
    plan=_plan,
    n_numbers=2,
)
