"""Prune by score: the weights that matter least become zero and stay zero."""

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from efficientdl.catalogue import Compressor, technique
from efficientdl.compression.layers import for_each, weight_layers
from efficientdl.compression.pruning.criteria import magnitude
from efficientdl.compression.pruning.masks import mask_of, put_masks
from efficientdl.compression.pruning.notes import removed
from efficientdl.compression.pruning.schedules import check_sparsity
from efficientdl.compression.pruning.scopes import Scope, per_layer
from efficientdl.compression.pruning.scoring import own_copy, score_layers
from efficientdl.fit.training import Examples, Loss
from efficientdl.protocols import Criterion, Policy, Result
from efficientdl.tensors import Granularity, PerGroup


@technique(
    "prune-fine-grained",
    paper="Han, Pool, Tran and Dally, Learning both Weights and Connections for Efficient Neural "
    "Networks, 2015",
    survey="2.1, Fig. 3",
    lab="00_start_here",
    kind=Compressor(
        identity={"sparsity": 0.0},
        stronger=({"sparsity": 0.5}, {"sparsity": 0.9}),
    ),
)
def prune(
    model: nn.Module,
    x: Float[Tensor, "..."],
    *,
    sparsity: Policy[float],
    criterion: Criterion = magnitude,
    granularity: Granularity = PerGroup(1),
    scope: Scope = per_layer,
    data: Examples | None = None,
    loss: Loss = cross_entropy,
) -> Result:
    """Fine-grained pruning: zero the weights of lowest score, each one by itself.

    Criterion, granularity and scope are chosen apart. The criterion names what it must know of a
    layer (`grad`, `hessian_diagonal`, ...), and that alone is gathered, from `data`.

    Linear layers and convolutions become masked ones, so the zeros survive training. Biases stay.
    What is pruned already stays pruned and counts towards the sparsity: `prune` twice at 0.5 is
    once at 0.5. The report counts fewer weight bits, with the bits that say where the remaining
    weights stand, and as many MACs as before: a dense kernel multiplies by zeros too. Its note says
    what the sparsity was a share of. A weight that several layers share is pruned once, in all.

    Args:
        model: A network with linear layers or convolutions.
        x: An example of its input, for the report.
        sparsity: Share of zeros, in [0, 1), of every layer, or `{layer name: share}`.
        criterion: How much a weight is worth keeping.
        granularity: Which weights go together; `PerGroup(1)` is each alone.
        scope: Within what they are ranked: `per_layer`, or `globally` over the whole model.
        data: Inputs and labels, for criteria that ask for more than the weight.
        loss: `f(output, y) -> scalar`, the mean over a batch.

    Raises:
        BadValue: A layer is quantized or holds NaN; there is none to prune; the criterion asks for
            a statistic and there is no data; or the scores do not fit.

    >>> import torch
    >>> model = nn.Sequential(nn.Linear(8, 4), nn.ReLU(), nn.Linear(4, 2))
    >>> pruned, report = prune(model, torch.zeros(1, 8), sparsity=0.75)
    >>> int(pruned[0].weight.count_nonzero()), int(model[0].weight.count_nonzero())
    (8, 32)

    Source: Han et al., "Learning both Weights and Connections for Efficient Neural Networks",
    NeurIPS 2015, section 3; the survey's section 2.1, "Fine-grained pruning"; lab 00.
    """
    every = weight_layers("prune", model)
    shares = for_each("prune", "sparsity", sparsity, every)
    check_sparsity("prune", shares)
    ours, layers = own_copy("prune", model, shares)
    scores = score_layers("prune", ours, layers, criterion, data=data, loss=loss)
    kept = {name: mask_of(layer) for name, layer in layers.items()}
    masks = scope(scores, kept, {name: shares[name] for name in layers}, granularity)
    return put_masks(ours, layers, masks, x, what=removed(masks, granularity))
