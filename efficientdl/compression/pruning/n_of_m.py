"""N:M pruning: the block sparsity that sparse tensor cores run at full speed."""

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from efficientdl import _check
from efficientdl.catalogue import Compressor, technique
from efficientdl.compression.layers import for_each, weight_layers
from efficientdl.compression.pruning.criteria import magnitude
from efficientdl.compression.pruning.masks import mask_of, put_masks
from efficientdl.compression.pruning.scoring import own_copy, score_layers
from efficientdl.fit.training import Examples, Loss
from efficientdl.protocols import Criterion, Policy, Result
from efficientdl.tensors.n_of_m import keep_n_of_m


@technique(
    "prune-block",
    paper="Mishra, Latorre, Pool, Stosic, Stosic, Venkatesh, Yu and Micikevicius, Accelerating "
    "Sparse Deep Neural Networks, 2021",
    survey="2.1",
    lab="02_pruning",
    kind=Compressor(identity={"n": 4}, stronger=({"n": 2}, {"n": 1})),
)
def prune_n_of_m(
    model: nn.Module,
    x: Float[Tensor, "..."],
    *,
    n: Policy[int],
    m: int = 4,
    criterion: Criterion = magnitude,
    data: Examples | None = None,
    loss: Loss = cross_entropy,
) -> Result:
    """N:M pruning: of every M consecutive input channels, each output keeps at most N weights.

    The sparsity is `1 - N/M` in every layer. Because each run keeps as many as any other, the
    values pack into a dense matrix with `log2 M` bits beside each, and no part of the hardware
    waits for another: 2:4 is what sparse tensor cores run. Here it runs on a dense kernel, and the
    report counts dense MACs and stored bits.

    Args:
        model: A network with linear layers or convolutions.
        x: An example of its input, for the report.
        n: How many of `m` stay, 0..m, in every layer, or `{layer name: n}`; layers whose input
            channels `m` does not divide (the first, or depthwise) must be left out so.
        m: Size of a run.
        criterion: How much a weight is worth keeping.
        data: Inputs and labels, for criteria that ask for more than the weight.
        loss: `f(output, y) -> scalar`, the mean over a batch.

    Raises:
        BadValue: A layer's input channels do not fall into runs of `m`.

    >>> import torch
    >>> pruned, report = prune_n_of_m(nn.Linear(8, 3), torch.zeros(1, 8), n=2)
    >>> (pruned.weight != 0).reshape(-1, 4).sum(dim=1).tolist()
    [2, 2, 2, 2, 2, 2]

    Source: Mishra et al., "Accelerating Sparse Deep Neural Networks", 2021, section 3; Mao et al.,
    "Exploring the Granularity of Sparsity in Convolutional Neural Networks", 2017; the survey's
    section 2.1, "Coarse-grained pruning"; lab 02.
    """
    _check.whole("prune_n_of_m", "m", m, 1)
    kept_of_m = for_each("prune_n_of_m", "n", n, weight_layers("prune_n_of_m", model))
    ours, layers = own_copy("prune_n_of_m", model, kept_of_m)
    for name, layer in layers.items():
        _check.whole("prune_n_of_m", "n", kept_of_m[name], 0, m)
        channels = f"the input channels of layer {name!r}"
        _check.divides("prune_n_of_m", "m", m, channels, layer.weight.shape[1])
    scores = score_layers("prune_n_of_m", ours, layers, criterion, data=data, loss=loss)
    masks = {
        name: keep_n_of_m(scores[name], n=kept_of_m[name], m=m, among=mask_of(layer))
        for name, layer in layers.items()
    }
    each = " or ".join(str(k) for k in sorted(set(kept_of_m.values())))
    what = f"kept at most {each} of every {m} consecutive input channels of each output"
    return put_masks(ours, layers, masks, x, what=what)
