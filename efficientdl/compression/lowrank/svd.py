"""Truncated SVD: a weight matrix as the product of a tall and a wide one."""

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
from efficientdl.models.layers.factorized import conv_chain, linear_chain
from efficientdl.protocols import Policy, Result
from efficientdl.tensors.factors import truncated_svd


@technique(
    "lowrank-svd",
    paper="Denton, Zaremba, Bruna, LeCun and Fergus, Exploiting Linear Structure Within "
    "Convolutional Networks for Efficient Evaluation, 2014",
    survey="2.2",
    lab="03_low_rank",
    kind=Compressor(
        identity={"rank": Energy(1.0)},
        stronger=({"rank": 2}, {"rank": 1}),
        tolerance=1e-5,
        reason="a product of two float32 matrices rounds where one matrix did not",
    ),
)
def factorize_svd(model: nn.Module, x: Float[Tensor, "..."], *, rank: Policy[RankChoice]) -> Result:
    """Truncated SVD: each weight matrix becomes two thin ones, the best that there are.

    `W = U S V^T`, of which the `t` largest singular values stay: an `m x k` layer of `mk` MACs
    becomes two of `mt + tk`, and no two of that rank are nearer to `W`. A convolution is such a
    matrix too, `c_out x (c_in r s)`: it becomes one with `t` outputs, and a 1x1 after it.

    Args:
        model: A network with linear layers or convolutions.
        x: An example of its input, for MACs and the report.
        rank: A rank, or `Share`, `Energy`, `MacBudget`, `Vbmf`; or `{layer name: rank}`.

    Raises:
        BadValue: A layer is grouped, masked, quantized, or shares its weight; its weights are not
            finite; or it has no such rank.

    >>> import torch
    >>> model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    >>> thin, report = factorize_svd(model, torch.zeros(1, 64), rank={"0": 4})
    >>> thin[0]
    Sequential(
      (0): Linear(in_features=64, out_features=4, bias=False)
      (1): Linear(in_features=4, out_features=32, bias=True)
    )
    >>> report.total.macs
    704

    Source: Denton et al., "Exploiting Linear Structure Within Convolutional Networks for Efficient
    Evaluation", NeurIPS 2014, section 3.2; Eckart and Young, 1936; the survey's section 2.2;
    lab 03.
    """
    return factorize(_SVD, model, x, rank=rank)


def _plan(_: str, layer: FloatLayer, pixels: Pixels) -> Plan:
    matrix = layer.weight.detach().double().flatten(1)
    m, k = matrix.shape
    tall, wide = truncated_svd(matrix, rank=min(m, k))  # of which a rank keeps the first
    spectrum = Spectrum(tall.square().sum(dim=0), (m, k))

    def build(rank: Rank) -> nn.Sequential:
        left, right = tall[:, : rank[0]], wide[: rank[0]]
        if isinstance(layer, nn.Conv2d):
            first = right.unflatten(1, layer.weight.shape[1:])
            return conv_chain(layer, [first, left[:, :, None, None]], rows=0, columns=0)
        return linear_chain(layer, [right, left])

    ladder = matrix_ladder(layer, spectrum, pixels, weights=m + k, macs=pixels.out * (m + k))
    return Plan(ladder, build)


_SVD = Method(
    caller="factorize_svd",
    suits=lambda shape: len(shape) in (2, 4),
    kind="a Linear or Conv2d layer",
    plan=_plan,
)
