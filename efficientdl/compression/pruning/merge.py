"""Data-free pruning: of two neurons that do the same, one is enough."""

from collections.abc import Iterator
from copy import deepcopy

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from efficientdl import _check
from efficientdl.catalogue import Compressor, technique
from efficientdl.compression.layers import for_each
from efficientdl.compression.pruning.channel import cut, n_going
from efficientdl.compression.pruning.schedules import check_sparsity
from efficientdl.compression.pruning.structure import (
    Group,
    demand_groups,
    demand_values,
)
from efficientdl.protocols import Policy, Result


@technique(
    "prune-data-free",
    paper="Srinivas and Babu, Data-free Parameter Pruning for Deep Neural Networks, 2015",
    survey="2.1",
    lab="02_pruning",
    kind=Compressor(
        identity={"sparsity": 0.0},
        stronger=({"sparsity": 0.25}, {"sparsity": 0.75}),
    ),
)
def merge_neurons(model: nn.Module, x: Shaped[Tensor, "..."], *, sparsity: Policy[float]) -> Result:
    """Data-free pruning: merge each neuron that goes into the one most like it.

    Let `W_i` be the weights that come into neuron i and `a_i` those that go out. If `W_i = W_j`,
    both compute the same, and `a_i + a_j` behind one of them replaces the two: nothing is lost. If
    they are only alike, what is lost is near `s_ij = |a_j|^2 |W_i - W_j|^2`; the pair of least
    `s_ij` is merged, `a_i` becomes the sum, and again. No example is ever looked at.

    A neuron is a unit of `channel_groups`: of a convolution, its filter, bias and batch norm come
    in and its columns in the next layers go out. Groups of layers are merged in the order in which
    the model runs; those whose units hold several channels of a layer, as behind a channel
    shuffle, are left as they are.

    Args:
        model: Any model that runs on `x`, its weights in floats.
        x: An example of its input, to find the groups; its values do not matter.
        sparsity: Share of the neurons that go, 0..1 without 1, in every group or by group's name.

    Raises:
        BadValue: No neurons can be merged; a weight is not a number.

    >>> model = nn.Sequential(nn.Linear(2, 2, bias=False), nn.ReLU(), nn.Linear(2, 1, bias=False))
    >>> nothing = model[0].weight.data.copy_(torch.tensor([[1.0, 2.0], [1.0, 2.0]]))
    >>> merged, _ = merge_neurons(model, torch.zeros(1, 2), sparsity=0.5)
    >>> y = torch.tensor([[3.0, 4.0]])
    >>> len(merged[0].weight), bool((merged(y) - model(y)).abs() < 1e-6)
    (1, True)

    Source: Srinivas and Babu, "Data-free Parameter Pruning for Deep Neural Networks", BMVC 2015,
    section 3, eq. 4-6; the survey's section 2.1, "Importance Criteria"; lab 02.
    """
    groups = [g for g in demand_groups("merge_neurons", model, x) if _separate(g)]
    if not groups:
        rule = "must have neurons that stand alone, one place in each layer"
        _check.fail("merge_neurons", "model", rule, type(model).__name__)
    shares = for_each("merge_neurons", "sparsity", sparsity, {g.name: g for g in groups})
    check_sparsity("merge_neurons", shares)
    demand_values("merge_neurons", model)
    ours = deepcopy(model)
    gone: dict[str, list[int]] = {}
    with torch.no_grad():
        for group in groups:
            n_gone = n_going(shares.get(group.name, 0.0), len(group))
            gone[group.name] = _merge(ours, group, n_gone)
    return cut("merge_neurons", ours, x, groups, gone, before=model)


def merge_order(
    incoming: Float[Tensor, "n _"], outgoing: Float[Tensor, "n _"], *, n_gone: int
) -> Iterator[tuple[int, int]]:
    """Which neuron goes into which, step by step: `(stays, goes)`.

    Args:
        incoming: The weights that come into each neuron, bias included.
        outgoing: The weights that go out of each.
        n_gone: How many go.

    >>> incoming = torch.tensor([[1.0], [5.0], [1.1]])
    >>> list(merge_order(incoming, torch.ones(3, 1), n_gone=1))
    [(2, 0)]
    """
    distance = torch.cdist(
        incoming.double(), incoming.double(), compute_mode="donot_use_mm_for_euclid_dist"
    )
    distance = distance.square().fill_diagonal_(torch.inf)
    outgoing = outgoing.double().clone()
    weight = outgoing.square().sum(dim=1)
    least, nearest = distance.min(dim=1)
    for _ in range(n_gone):
        saliency = (weight * least).nan_to_num(nan=torch.inf)  # eq. 5, for the nearest i of each j
        goes = int(saliency.argmin())
        stays = int(nearest[goes])
        yield stays, goes
        outgoing[stays] += outgoing[goes]  # the surgery of section 3
        weight[stays] = outgoing[stays].square().sum()
        weight[goes] = torch.inf
        distance[goes] = distance[:, goes] = torch.inf
        least[goes] = torch.inf
        for other in (nearest == goes).nonzero().flatten().tolist():
            least[other], nearest[other] = distance[other].min(dim=0)


def _separate(group: Group) -> bool:
    """Whether each unit is one neuron, and there is something behind it."""
    single = all(len(p) == 1 for s in group.slices if not s.reads for p in s.places)
    return single and any(s.reads for s in group.slices)


def _merge(model: nn.Module, group: Group, n_gone: int) -> list[int]:
    """Merge within one group of our own copy; gives those that go."""
    held = dict(model.named_parameters()) | dict(model.named_buffers())
    sides: dict[bool, list[Tensor]] = {True: [], False: []}
    for s in group.slices:
        rows = held[s.weight].movedim(s.axis, 0)[torch.tensor(s.places)]
        sides[s.reads].append(rows.flatten(1))
    incoming, outgoing = torch.cat(sides[False], dim=1), torch.cat(sides[True], dim=1)
    gone = []
    for stays, goes in merge_order(incoming, outgoing, n_gone=n_gone):
        gone.append(goes)
        for s in group.slices:
            if s.reads:
                columns = held[s.weight].movedim(s.axis, 0)
                columns[list(s.places[stays])] += columns[list(s.places[goes])]
                columns[list(s.places[goes])] = 0  # it counts no more in the layers behind
    return gone
