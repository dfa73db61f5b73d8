"""Deep Compression: prune, share, code. A recipe is a list of compressors."""

from collections.abc import Sequence
from functools import partial

from jaxtyping import Float
from torch import Tensor, nn

from efficientdl import _check
from efficientdl.catalogue import Compressor, technique
from efficientdl.compression.pruning.retrain import train_prune_retrain
from efficientdl.compression.quantization.huffman import huffman
from efficientdl.compression.quantization.kmeans import share_weights
from efficientdl.costs.count import count
from efficientdl.fit.plan import Training
from efficientdl.protocols import Compressor as Step
from efficientdl.protocols import Policy, Result


def compress(model: nn.Module, x: Float[Tensor, "..."], *, steps: Sequence[Step]) -> Result:
    """Run compressors one after the other, each on what the one before it made.

    Args:
        model: A network; it stays as it is.
        x: An example of its input, for the reports.
        steps: Functions `f(model, x) -> Result`: as a rule a `functools.partial` of a technique.
            None at all gives the model back.

    Raises:
        BadKind: A step is no function, or does not give a `Result`.

    >>> import torch
    >>> from functools import partial
    >>> from efficientdl.compression import prune, quantize_weights
    >>> steps = [partial(prune, sparsity=0.5), partial(quantize_weights, bits=4)]
    >>> small, report = compress(nn.Linear(64, 4), torch.zeros(1, 64), steps=steps)
    >>> int(small.weight.count_nonzero()) <= 128
    True

    Source: Han, Mao and Dally, "Deep Compression", ICLR 2016, figure 1; lab 04.
    """
    result = Result(model, count(model, x))
    for step in steps:
        if not callable(step):
            _check.kind("compress", "step", step, type(compress))
        result = step(result.model, x)
        _check.kind("compress", "what a step gives", result, Result)
    return result


@technique(
    "deep-compression",
    paper="Han, Mao and Dally, Deep Compression: Compressing Deep Neural Networks with Pruning, "
    "Trained Quantization and Huffman Coding, 2016",
    survey="2.3",
    lab="04_quantization",
    kind=Compressor(
        # no weight goes, and two layers share as many values as they have weights
        identity={"sparsity": 0.0, "bits": {"3": 7, "9": 8}},
        stronger=({"sparsity": 0.5, "bits": 4}, {"sparsity": 0.9, "bits": 3}),
    ),
)
def deep_compression(
    model: nn.Module,
    x: Float[Tensor, "..."],
    *,
    sparsity: Policy[float],
    bits: Policy[int],
    retrain: Training | None = None,
    finetune: Training | None = None,
) -> Result:
    """Deep Compression: prune and retrain, share and fine-tune, then code.

    Pruning leaves a tenth of the weights, sharing leaves a few bits of each, and Huffman coding
    spends fewer of them on what is frequent. `efficientdl.automl.recipes.save` writes it down.
    The recipe is `compress(model, x, steps=[prune and retrain, share and fine-tune, huffman])`.

    Args:
        model: A trained network with linear layers or convolutions.
        x: An example of its input, for the report.
        sparsity: Share of zeros, in [0, 1), of every layer, or `{layer name: share}`.
        bits: Bits of a code, 1..8, for every layer, or `{layer name: bits}`.
        retrain: How to train what pruning left; None to leave it.
        finetune: How to train the shared values; None to leave them.

    Raises:
        BadValue: An option is out of its range, or a layer keeps fewer weights than its codebook
            has values.

    >>> import torch
    >>> model = nn.Linear(64, 32)
    >>> small, report = deep_compression(model, torch.zeros(1, 64), sparsity=0.75, bits=3)
    >>> int(small.weight.count_nonzero()), small.weight.unique().numel()
    (512, 9)

    Source: Han, Mao and Dally, "Deep Compression", ICLR 2016, figure 1 and table 1; the survey's
    section 2.3; lab 04.
    """
    steps = [
        partial(train_prune_retrain, sparsity=sparsity, retrain=retrain),
        partial(share_weights, bits=bits, finetune=finetune),
        huffman,
    ]
    return compress(model, x, steps=steps)
