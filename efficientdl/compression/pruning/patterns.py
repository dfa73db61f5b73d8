"""Pattern-based pruning: every 3 x 3 kernel takes one of a few masks."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from efficientdl import _check
from efficientdl.catalogue import Compressor, technique
from efficientdl.compression.layers import WeightLayer, weight_layers
from efficientdl.compression.pruning.criteria import l2_norm
from efficientdl.compression.pruning.masks import mask_of, put_masks
from efficientdl.compression.pruning.scoring import own_copy, score_layers
from efficientdl.fit.training import Examples, Loss
from efficientdl.protocols import Criterion, Result
from efficientdl.tensors.patterns import choose_patterns, every_pattern, nearest_pattern


@technique(
    "prune-pattern",
    paper="Niu, Ma, Lin, Wang, Qian, Lin, Wang and Ren, PatDNN: Achieving Real-Time DNN Execution "
    "on Mobile Devices with Pattern-Based Weight Pruning, 2020",
    survey="2.1",
    lab="02_pruning",
    kind=Compressor(identity={"n_kept": 9}, stronger=({"n_kept": 5}, {"n_kept": 3})),
)
def prune_patterns(
    model: nn.Module,
    x: Float[Tensor, "..."],
    *,
    n_kept: int = 4,
    n_patterns: int = 6,
    criterion: Criterion = l2_norm,
    data: Examples | None = None,
    loss: Loss = cross_entropy,
) -> Result:
    """Pattern-based pruning: each 3 x 3 kernel keeps the entries of one of a few patterns.

    The set of patterns is chosen for the network as a whole, so that together its kernels keep as
    much as possible; each kernel then takes the pattern of the set that keeps most of it. That is
    nearly as free as dropping single weights, and yet a compiler meets only `n_patterns` kinds of
    inner loop. Other layers stay as they are; kernels as wholes go by `prune` with `PerKernel`.

    Args:
        model: A network with convolutions of 3 x 3.
        x: An example of its input, for the report.
        n_kept: Entries that a pattern keeps of nine, 1..9, the centre among them.
        n_patterns: Size of the set, at most; 4 to 6 is usual.
        criterion: What an entry is worth; the square, its energy, by default.
        data: Inputs and labels, for criteria that ask for more than the weight.
        loss: `f(output, y) -> scalar`, the mean over a batch.

    Raises:
        BadValue: There is no 3 x 3 convolution.

    >>> conv = nn.Conv2d(4, 8, 3)
    >>> pruned, report = prune_patterns(conv, torch.zeros(1, 4, 8, 8))
    >>> masks = (pruned.weight != 0).flatten(0, 1)
    >>> set(masks.flatten(1).sum(dim=1).tolist()), len(masks.unique(dim=0)) <= 6
    ({4}, True)

    Source: Niu et al., "PatDNN", ASPLOS 2020, section 4.1; Ma et al., "PCONV", AAAI 2020; the
    survey's section 2.1, "Pattern-based pruning"; lab 02.
    """
    _check.whole("prune_patterns", "n_kept", n_kept, 1, 9)
    _check.whole("prune_patterns", "n_patterns", n_patterns, 1)
    every = weight_layers("prune_patterns", model)
    names = [name for name, layer in every.items() if _is_3x3(layer)]
    if not names:
        rule = "must have a convolution of 3 x 3"
        _check.fail("prune_patterns", "model", rule, type(model).__name__)
    ours, layers = own_copy("prune_patterns", model, dict.fromkeys(names, n_kept))
    scores = score_layers("prune_patterns", ours, layers, criterion, data=data, loss=loss)
    energy = {n: scores[n].where(mask_of(layer), 0.0).clamp(min=0) for n, layer in layers.items()}
    kernels = torch.cat([e.flatten(0, 1) for e in energy.values()])
    pool = every_pattern(n_kept).to(kernels.device)
    patterns = choose_patterns(kernels, pool, n_patterns=min(n_patterns, len(pool)))
    masks = {
        name: patterns[nearest_pattern(energy[name], patterns)] & mask_of(layer)
        for name, layer in layers.items()
    }
    what = f"kept {n_kept} of the 9 entries of each 3 x 3 kernel, in {len(patterns)} patterns"
    return put_masks(ours, layers, masks, x, what=what)


def _is_3x3(layer: WeightLayer) -> bool:
    return tuple(layer.weight.shape[2:]) == (3, 3)
