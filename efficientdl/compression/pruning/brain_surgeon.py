"""Optimal Brain Surgeon: remove a weight, and let the others make up for it."""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from efficientdl import _check
from efficientdl.catalogue import Compressor, technique
from efficientdl.compression.layers import FloatLayer, for_each, weight_layers
from efficientdl.compression.pruning.layer_hessian import (
    BLOCK,
    DAMPENING,
    Blocks,
    inverses,
    layer_hessians,
)
from efficientdl.compression.pruning.masks import mask_of, put_masks
from efficientdl.compression.pruning.notes import removed
from efficientdl.compression.pruning.recording import n_groups
from efficientdl.compression.pruning.schedules import check_sparsity
from efficientdl.compression.pruning.scoring import own_copy
from efficientdl.compression.pruning.statistics import demand_finite
from efficientdl.fit.modes import evaluating
from efficientdl.protocols import Policy, Result
from efficientdl.tensors import PerGroup

BATCH = 64  # examples at a time
ROWS = 64  # rows operated on at a time, each with an inverse of its own


class Surgery(NamedTuple):
    """What came out of removing weights one by one.

    Attributes:
        weight: The weights, zero where removed, the others moved.
        order: For each step, which weight of the row went.
        rises: For each step, how much the loss of the row rose.
    """

    weight: Float[Tensor, "rows k"]
    order: Int64[Tensor, "rows steps"]
    rises: Float[Tensor, "rows steps"]


def remove_by_surgery(
    weight: Float[Tensor, "rows k"],
    inverse_hessian: Float[Tensor, "k k"],
    *,
    counts: Int64[Tensor, "rows"],
) -> Surgery:
    """Remove weights one by one, the cheapest first, moving the rest after each.

    With `H` the Hessian of a quadratic loss at its minimum, removing `w_q` costs
    `L_q = w_q^2 / (2 [H^-1]_qq)` once the others have moved by `-w_q / [H^-1]_qq H^-1 e_q`. The
    inverse without row and column `q` is one rank-one step away. What is left is the minimum of
    the loss among all weights that are zero there.

    Args:
        weight: Rows that share a Hessian, each to be operated on by itself.
        inverse_hessian: Its inverse.
        counts: How many weights each row loses, 0..k.

    >>> inverse = torch.tensor([[2.0, -1.0], [-1.0, 1.0]])  # of [[1, 1], [1, 2]]
    >>> remove_by_surgery(torch.tensor([[1.0, 3.0]]), inverse, counts=torch.tensor([1])).weight
    tensor([[0.0000, 3.5000]])

    Source: Hassibi and Stork, "Second Order Derivatives for Network Pruning: Optimal Brain
    Surgeon", NeurIPS 1993, equation 5; lab 02.
    """
    rows, k = weight.shape
    w, alive = weight.clone(), torch.ones_like(weight, dtype=torch.bool)
    inverse = inverse_hessian.expand(rows, k, k).clone()
    at, order, rises = torch.arange(rows, device=w.device), [], []
    for step in range(int(counts.max()) if rows else 0):
        diagonal = inverse.diagonal(dim1=1, dim2=2)
        saliency = (w.square() / (2 * diagonal)).masked_fill(~alive, torch.inf)  # eq. 5
        cost, q = saliency.min(dim=1)
        goes = step < counts
        column, pivot = inverse[at, :, q], diagonal[at, q]
        scale = torch.where(goes, w[at, q] / pivot, 0.0)
        w -= scale[:, None] * column  # eq. 5
        alive[at, q] &= ~goes
        w[~alive] = 0.0
        share = torch.where(goes, -1 / pivot, 0.0)[:, None] * column
        inverse.baddbmm_(share[:, :, None], column[:, None, :])
        order.append(q)
        rises.append(cost)
    empty = w.new_zeros(rows, 0)
    return Surgery(
        w,
        torch.stack(order, dim=1) if order else empty.long(),
        torch.stack(rises, dim=1) if rises else empty,
    )


@technique(
    "crit-obs",
    paper="Hassibi and Stork, Second Order Derivatives for Network Pruning: Optimal Brain "
    "Surgeon, 1993",
    survey="2.1",
    lab="02_pruning",
    kind=Compressor(
        identity={"sparsity": 0.0},
        stronger=({"sparsity": 0.5}, {"sparsity": 0.9}),
    ),
)
def optimal_brain_surgeon(
    model: nn.Module,
    x: Float[Tensor, "..."],
    *,
    sparsity: Policy[float],
    inputs: Float[Tensor, "n ..."] | None = None,
    block: int = BLOCK,
    dampening: float = DAMPENING,
) -> Result:
    """Optimal Brain Surgeon: remove the weight that costs least, and move the others to make up.

    The loss is each layer's own error, how far its output moves on `inputs`: a quadratic, whose
    Hessian is the same for every output and known without a label. Within a layer the weights
    compete; the rows of a wide one are operated on in blocks of inputs, which then do not help each
    other. Layers are taken as the unpruned network feeds them, without retraining.

    Args:
        model: A network with linear layers or convolutions.
        x: An example of its input, for the report.
        sparsity: Share of zeros, in [0, 1), of every layer, or `{layer name: share}`.
        inputs: What to measure the layers' errors on; `x` where none are given. A few hundred.
        block: How many inputs of a row are looked at together; time and memory grow with it.
        dampening: Added to the Hessian's diagonal, as a share of its mean: few inputs need more.

    Raises:
        BadValue: The Hessian has no inverse and the dampening is too small to give it one.

    >>> layer = nn.Linear(2, 1, bias=False)
    >>> _ = layer.weight.data.copy_(torch.tensor([[1.0, 3.0]]))
    >>> x = torch.tensor([[1.0, 1.0], [0.0, 1.0]])
    >>> optimal_brain_surgeon(layer, x, sparsity=0.5, dampening=0).model.weight.data
    tensor([[0.0000, 3.5000]])

    Source: Hassibi and Stork, "Second Order Derivatives for Network Pruning: Optimal Brain
    Surgeon", NeurIPS 1993; layer by layer: Dong, Chen and Pan, "Learning to Prune Deep Neural
    Networks via Layer-wise Optimal Brain Surgeon", 2017; rows as in Frantar and Alistarh, "Optimal
    Brain Compression", 2022; the survey's section 2.1, "Importance Criteria"; lab 02.
    """
    caller = "optimal_brain_surgeon"
    shares = for_each(caller, "sparsity", sparsity, weight_layers(caller, model))
    check_sparsity(caller, shares)
    _check.whole(caller, "block", block, 1)
    _check.at_least(caller, "dampening", dampening, 0)
    ours, layers = own_copy(caller, model, shares)
    seen = x if inputs is None else inputs
    _check.whole(caller, "number of inputs", len(seen), 1)
    demand_finite(caller, "inputs", seen)
    with evaluating(ours):
        hessians = layer_hessians(caller, ours, layers, seen.split(BATCH), block=block)
    masks = {}
    for name, layer in layers.items():
        inverse = inverses(caller, hessians[name], dampening=dampening)
        weight, mask = _operate(layer, inverse, shares[name])
        masks[name] = mask
        with torch.no_grad():
            layer.weight.copy_(weight)
    return put_masks(ours, layers, masks, x, what=removed(masks, PerGroup(1)))


@torch.no_grad()
def _operate(
    layer: FloatLayer, inverse: Blocks, share: float
) -> tuple[Float[Tensor, "..."], Bool[Tensor, "..."]]:
    """Weight and mask of a layer after removing this share, each weight where it costs least."""
    before = mask_of(layer)
    weight = (layer.weight * before).double().flatten(1)
    size = inverse[0].shape[-1]
    patches = [
        (rows, columns, inverse[b][group])
        for b, columns in enumerate(torch.arange(weight.shape[1], device=weight.device).split(size))
        for group, all_rows in enumerate(_rows_of(layer, weight))
        for rows in all_rows.split(ROWS)
    ]
    counts = _counts(weight, patches, share)
    mask = torch.ones_like(weight, dtype=torch.bool)
    for (rows, columns, h), n in zip(patches, counts, strict=True):
        done = remove_by_surgery(weight[rows][:, columns], h, counts=n)
        weight[rows[:, None], columns] = done.weight
        steps = torch.arange(done.order.shape[1], device=weight.device)
        mask[rows[:, None], columns] = _unless_removed(done, steps < n[:, None], len(columns))
    shape = layer.weight.shape
    return weight.reshape(shape).to(layer.weight.dtype), mask.reshape(shape) & before


Patch = tuple[Tensor, Tensor, Tensor]


def _counts(weight: Tensor, patches: list[Patch], share: float) -> list[Int64[Tensor, "_"]]:
    """How many weights each row of each patch loses, the layer as a whole losing its share.

    Each row is taken down to nothing in a rehearsal. A step counts as dear as the dearest before
    it in its row, so that the cheapest steps of the layer come in each row's own order.
    """
    dear = []
    for rows, columns, h in patches:
        every = torch.full((len(rows),), len(columns), device=weight.device)
        rises = remove_by_surgery(weight[rows][:, columns], h, counts=every).rises
        dear.append(rises.cummax(dim=1).values)
    order = torch.cat([d.flatten() for d in dear]).argsort(stable=True)
    goes = torch.zeros(len(order), dtype=torch.bool, device=weight.device)
    goes[order[: round(share * weight.numel())]] = True
    parts = goes.split([d.numel() for d in dear])
    return [part.reshape(d.shape).sum(dim=1) for part, d in zip(parts, dear, strict=True)]


def _unless_removed(done: Surgery, went: Bool[Tensor, "rows steps"], k: int) -> Tensor:
    removed = torch.zeros(len(went), k, dtype=torch.int64, device=went.device)
    return removed.scatter_add(1, done.order, went.long()) == 0


def _rows_of(layer: FloatLayer, weight: Tensor) -> tuple[Tensor, ...]:
    """The rows of each group of channels."""
    return torch.arange(len(weight), device=weight.device).chunk(n_groups(layer))
