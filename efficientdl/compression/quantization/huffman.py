"""Huffman coding of a network's codes and indices: the last step of Deep Compression."""

from copy import deepcopy

from jaxtyping import Float
from torch import Tensor, nn

from efficientdl import _check
from efficientdl.costs.count import count
from efficientdl.models.layers.shared_weight import Shared
from efficientdl.protocols import Result


def huffman(model: nn.Module, x: Float[Tensor, "..."]) -> Result:
    """Store the codes of shared weights, and the gaps between them, as Huffman streams.

    Some centroids have many weights and most gaps are short, so frequent symbols get short codes.
    The network computes what it did. The code itself is `efficientdl.kernels.huffman`.

    Args:
        model: A network with shared weights.
        x: An example of its input, for the report.

    Raises:
        BadValue: No layer has shared weights, so there is nothing to code.

    >>> import torch
    >>> from efficientdl.compression.quantization.kmeans import share_weights
    >>> model = nn.Linear(16, 32, bias=False)
    >>> _ = model.weight.data.copy_(torch.linspace(0, 1, 512).pow(8).reshape(32, 16))
    >>> few, shared = share_weights(model, torch.zeros(1, 16), bits=2)
    >>> coded = huffman(few, torch.zeros(1, 16)).report
    >>> shared.total.weight_bits, coded.total.weight_bits
    (1152, 848)

    Source: Han, Mao and Dally, "Deep Compression", ICLR 2016, section 4 and figure 5; the survey's
    section 2.3; lab 04.
    """
    _check.kind("huffman", "model", model, nn.Module)
    ours = deepcopy(model)
    layers = [m for m in ours.modules() if isinstance(m, Shared)]
    if not layers:
        rule = "must have shared weights: share_weights or quantize_product comes before"
        _check.fail("huffman", "model", rule, type(model).__name__)
    for layer in layers:
        layer.coded = True
    return Result(ours, count(ours, x))
