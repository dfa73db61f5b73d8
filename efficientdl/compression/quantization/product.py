"""Product quantization: a weight's rows are cut into short vectors, and those are shared."""

from copy import deepcopy

import torch
from jaxtyping import Float
from torch import Tensor, nn

from efficientdl import _check
from efficientdl.catalogue import Compressor, technique
from efficientdl.compression.layers import (
    FloatLayer,
    demand_floats,
    for_each,
    put,
    weight_layers,
)
from efficientdl.compression.quantization.quantizable import demand_bits, demand_input
from efficientdl.costs.count import count
from efficientdl.fit.plan import Training, after
from efficientdl.models.layers.shared_weight import SharedConv2d, SharedLinear, shared
from efficientdl.protocols import Policy, Result
from efficientdl.tensors.codebooks import nearest_vector, vector_codebook


@technique(
    "quant-product",
    paper="Gong, Liu, Yang and Bourdev, Compressing Deep Convolutional Networks using Vector "
    "Quantization, 2014",
    survey="2.3",
    lab="04_quantization",
    kind=Compressor(
        # as many entries as output channels: each row of a weight is its own
        identity={"bits": {"0": 3, "3": 4, "7": 5, "9": 3}, "n_codebooks": 4, "seed": 0},
        stronger=(
            {"bits": 2, "n_codebooks": 4, "seed": 0},
            {"bits": 1, "n_codebooks": 4, "seed": 0},
        ),
    ),
)
def quantize_product(
    model: nn.Module,
    x: Float[Tensor, "..."],
    *,
    bits: Policy[int],
    n_codebooks: Policy[int],
    seed: int,
    finetune: Training | None = None,
) -> Result:
    """Product quantization: the columns of a weight are cut into blocks, each with a codebook.

    The weight is the matrix `c_out` by `c_in r s`. In a block of columns each row is a short
    vector, and k-means makes it one of `2**bits`. A row is then a code for each block, and can be
    `2**(bits * n_codebooks)` different things, while the codebooks together are as large as one.
    More codebooks mean a smaller error and more codes.

    Args:
        model: A trained network with linear layers or convolutions.
        x: An example of its input, for the report.
        bits: Bits of a code, 1..8, for every layer, or `{layer name: bits}`.
        n_codebooks: Blocks of columns, which must divide the columns, of every layer, or
            `{layer name: number}`.
        seed: Decides where k-means starts.
        finetune: How to train the codebooks, and what else can be trained; None to leave them.

    Raises:
        BadValue: A layer is quantized already; a codebook would have more entries than the weight
            has rows; or a weight is infinite or no number.

    >>> model = nn.Linear(8, 16)
    >>> small, _ = quantize_product(model, torch.zeros(1, 8), bits=2, n_codebooks=4, seed=0)
    >>> small.codes.shape, small.codebooks.shape
    (torch.Size([16, 4]), torch.Size([4, 4, 2]))

    Source: Gong, Liu, Yang and Bourdev, "Compressing Deep Convolutional Networks using Vector
    Quantization", 2014, section 3.3, equations 6 and 7; Wu, Leng, Wang, Hu and Cheng, "Quantized
    Convolutional Neural Networks for Mobile Devices", CVPR 2016; the survey's section 2.3; lab 04.
    """
    wanted = demand_bits("quantize_product", "bits", bits, model, allowed=range(1, 9))
    demand_input("quantize_product", model, x)
    every = weight_layers("quantize_product", model)
    books = for_each("quantize_product", "n_codebooks", n_codebooks, every)
    _check.whole("quantize_product", "seed", seed, 0, 2**63 - 1)
    for name in wanted:
        if name not in books:
            rule = f"must name layer {name!r}, whose bits are given"
            _check.fail("quantize_product", "n_codebooks", rule, n_codebooks)
    generator = torch.Generator().manual_seed(seed)
    ours = deepcopy(model)
    layers = weight_layers("quantize_product", ours)
    new = {}
    for name, n_bits in wanted.items():
        layer = demand_floats("quantize_product", name, layers[name])
        new[name] = _shared(name, layer, n_bits, books[name], generator)
    small = after(finetune, put(ours, new)).model
    return Result(small, count(small, x))


@torch.no_grad()
def _shared(
    name: str, layer: FloatLayer, bits: int, n_codebooks: int, generator: torch.Generator
) -> SharedLinear | SharedConv2d:
    caller, rows = "quantize_product", layer.weight.flatten(1)
    of = f"the columns of layer {name!r}"
    _check.divides(caller, "n_codebooks", n_codebooks, of, rows.shape[1])
    if 2**bits > len(rows):
        rule = f"must leave layer {name!r}, whose weight has {len(rows)} rows, no more than that"
        _check.fail(caller, "bits", rule, bits)
    blocks = rows.reshape(len(rows), n_codebooks, -1).unbind(dim=1)
    # eq. 7: in every block by itself, the centroids with the least sum of squares
    codebooks = [vector_codebook(b, size=2**bits, generator=generator) for b in blocks]
    codes = [nearest_vector(b, book) for b, book in zip(blocks, codebooks, strict=True)]
    return shared(layer, torch.stack(codebooks), torch.stack(codes, dim=1))
