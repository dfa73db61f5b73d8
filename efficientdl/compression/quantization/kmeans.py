"""k-means sharing: the weights of a layer become a few values, and training moves those."""

from copy import deepcopy

import torch
from jaxtyping import Float
from torch import Tensor, nn

from efficientdl import _check
from efficientdl.catalogue import Compressor, technique
from efficientdl.compression.layers import (
    FloatLayer,
    demand_floats,
    put,
    weight_layers,
)
from efficientdl.compression.quantization.quantizable import demand_bits, demand_input
from efficientdl.costs.count import count
from efficientdl.fit.plan import Training, after
from efficientdl.models.layers.masked import MaskedConv2d, MaskedLinear
from efficientdl.models.layers.shared_weight import SharedConv2d, SharedLinear, shared
from efficientdl.protocols import Policy, Result
from efficientdl.tensors.codebooks import Start, best_start, nearest_value, scalar_codebook


@technique(
    "quant-kmeans",
    paper="Han, Mao and Dally, Deep Compression: Compressing Deep Neural Networks with Pruning, "
    "Trained Quantization and Huffman Coding, 2016",
    survey="2.3, eq. 1",
    lab="04_quantization",
    kind=Compressor(
        # as many values as weights: each its own. The other two layers have no such size
        identity={"bits": {"3": 7, "9": 8}},
        stronger=({"bits": 4}, {"bits": 2}),
    ),
)
def share_weights(
    model: nn.Module,
    x: Float[Tensor, "..."],
    *,
    bits: Policy[int],
    start: Start = best_start,
    finetune: Training | None = None,
) -> Result:
    """k-means weight sharing: each weight becomes the nearest of `2**bits` centroids.

    The centroids make the sum of squares within their clusters small, so they stand densely where
    weights do. Weights keep a code each, and what training then moves is the centroids: the
    gradient of a centroid is the sum of the gradients of its weights. Pruned weights are left out
    of the clusters, stay zero, and have no code.

    Args:
        model: A trained network with linear layers or convolutions.
        x: An example of its input, for the report.
        bits: Bits of a code, 1..8, for every layer, or `{layer name: bits}`.
        start: Where the centroids start: `best_start` of `efficientdl.tensors.codebooks`, or the
            paper's `linear_start` and `density_start` there.
        finetune: How to train the centroids, and what else can be trained; None to leave them.

    Raises:
        BadValue: A layer is quantized already; it keeps fewer weights than its codebook has
            values; or a weight is infinite or no number.

    >>> model = nn.Sequential(nn.Linear(64, 4), nn.ReLU(), nn.Linear(4, 2))
    >>> small, report = share_weights(model, torch.zeros(1, 64), bits={"0": 3})
    >>> small[0].weight.unique().numel()
    8

    Source: Han, Mao and Dally, "Deep Compression", ICLR 2016, section 3; the survey's equation 1
    in section 2.3; lab 04.
    """
    wanted = demand_bits("share_weights", "bits", bits, model, allowed=range(1, 9))
    demand_input("share_weights", model, x)
    ours = deepcopy(model)
    layers = weight_layers("share_weights", ours)
    new = {}
    for name, n_bits in wanted.items():
        layer = demand_floats("share_weights", name, layers[name])
        new[name] = _shared(name, layer, n_bits, start)
    small = after(finetune, put(ours, new)).model
    return Result(small, count(small, x))


@torch.no_grad()
def _shared(name: str, layer: FloatLayer, bits: int, start: Start) -> SharedLinear | SharedConv2d:
    weight = layer.weight.flatten()
    masked = isinstance(layer, MaskedLinear | MaskedConv2d)
    kept = layer.mask.flatten() if masked else torch.ones_like(weight, dtype=torch.bool)
    n_kept, size = int(kept.sum()), 2**bits
    if masked and n_kept == 0:  # nothing to share, and nothing to store but one value
        codebook = weight.new_zeros(1)
    elif size > n_kept:
        rule = f"must leave layer {name!r}, which keeps {n_kept} weights, no more values than that"
        _check.fail("share_weights", "bits", rule, bits)
    else:
        codebook = scalar_codebook(weight[kept], size=size, start=start)
    codes = torch.zeros(len(weight), dtype=torch.uint8, device=weight.device)
    codes[kept] = nearest_value(weight[kept], codebook).to(torch.uint8)
    return shared(layer, codebook[None, :, None], codes[:, None])
