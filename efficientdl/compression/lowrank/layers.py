"""Put factors in the places of layers: what every low-rank technique does alike.

A technique says which layers it suits and makes a *plan* for each: the ranks that the layer may
take, and how to build the chain of thinner layers at one of them.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass, replace

from jaxtyping import Float
from torch import Tensor, nn

from efficientdl import _check
from efficientdl.compression.layers import (
    FloatLayer,
    demand_floats,
    for_each,
    put,
    weight_layers,
)
from efficientdl.compression.lowrank.ranks import (
    Ladder,
    Rank,
    RankChoice,
    Spectrum,
    chosen_ranks,
    demand_rank,
)
from efficientdl.costs.count import count
from efficientdl.costs.trace import MODEL, Call, Watcher, check_inputs, run
from efficientdl.costs.trace import tensors as tensors_in
from efficientdl.protocols import Policy, Result
from efficientdl.report import Report
from efficientdl.tensors.factors import demand_numbers

_NAMED = 8  # ranks that a note spells out


@dataclass
class Pixels:
    """At how many positions a layer works for the example input, over all its calls.

    Attributes:
        read: Positions that a convolution reads: images times rows times columns.
        rows_done: Positions once it has walked along the rows, but not along the columns yet.
        out: Positions at which it gives an output; of a linear layer, rows of its input.
    """

    read: int = 0
    rows_done: int = 0
    out: int = 0


@dataclass(frozen=True)
class Plan:
    """The ranks that a layer may take, and the chain of layers at one of them."""

    ladder: Ladder
    build: Callable[[Rank], nn.Sequential]


@dataclass(frozen=True, kw_only=True)
class Method:
    """What a low-rank technique does of its own.

    Attributes:
        caller: The technique's name, for errors.
        suits: Whether it factorizes weights of a shape.
        kind: Layers of such weights in words, for errors.
        plan: The plan for a layer, from its name, the layer and where it works.
        n_numbers: How many numbers its ranks have.
    """

    caller: str
    suits: Callable[[tuple[int, ...]], bool]
    kind: str
    plan: Callable[[str, FloatLayer, Pixels], Plan]
    n_numbers: int = 1


def factorize(
    method: Method, model: nn.Module, x: Float[Tensor, "..."], *, rank: Policy[RankChoice]
) -> Result:
    """Replace layers by chains of thinner ones, as a technique plans them.

    A plain rank concerns every layer that suits the technique; a policy, the layers that it names.

    Args:
        method: The technique.
        model: The model; it is not changed.
        x: An example of its input, for MACs and the report.
        rank: A rank, or a rule that finds it, or either by layer name.

    Raises:
        BadValue: A layer cannot be factorized, or not at this rank.
    """
    caller = method.caller
    every = weight_layers(caller, model)
    suiting = {n: layer for n, layer in every.items() if method.suits(tuple(layer.weight.shape))}
    if not suiting:
        _check.fail(caller, "model", f"must have {method.kind}", type(model).__name__)
    check_inputs(caller, model, x)
    wanted = for_each(caller, "rank", rank, suiting)
    for value in wanted.values():
        demand_rank(caller, value, n_numbers=method.n_numbers)
    layers = {name: demand_floats(caller, name, suiting[name]) for name in wanted}
    _demand_whole(caller, model, layers)
    seen = _pixels(model, x, layers)
    plans = {name: method.plan(name, layer, seen[name]) for name, layer in layers.items()}
    ladders = {name: plan.ladder for name, plan in plans.items()}
    ranks = chosen_ranks(caller, ladders, rank)
    thin = put(deepcopy(model), {name: plans[name].build(ranks[name]) for name in wanted})
    report = count(thin, x)
    return Result(thin, replace(report, note=_note(thin, report, ladders, ranks)))


def matrix_ladder(
    layer: FloatLayer, spectrum: Spectrum, pixels: Pixels, *, weights: int, macs: int
) -> Ladder:
    """The ranks of a layer that is cut at the singular values of one matrix.

    Args:
        layer: The layer as it is.
        spectrum: The singular values, of which a rank keeps the first.
        pixels: Where the layer works.
        weights: Weights of the factors for each rank.
        macs: MACs of the factors for each rank.
    """
    squares = spectrum.singular.square()
    kept = (squares.cumsum(0) / squares.sum().clamp_min(1e-300)).tolist()
    steps = range(1, len(kept) + 1)
    return Ladder(
        ranks=tuple((t,) for t in steps),
        weights=tuple(t * weights for t in steps),
        macs=tuple(t * macs for t in steps),
        dense_weights=layer.weight.numel(),
        dense_macs=pixels.out * layer.weight.numel(),
        energy=kept.__getitem__,
        spectra=(spectrum,),
    )


def _demand_whole(caller: str, model: nn.Module, layers: Mapping[str, FloatLayer]) -> None:
    """Demand plain, ungrouped layers with finite weights that nobody else holds."""
    owners = Counter(id(p) for module in model.modules() for p in module.parameters(recurse=False))
    for name, layer in layers.items():
        found = type(layer).__name__
        if type(layer) not in (nn.Linear, nn.Conv2d):
            rule = f"must have a plain Linear or Conv2d at {name!r}, since factors keep no more"
            _check.fail(caller, "model", rule, found)
        if isinstance(layer, nn.Conv2d) and layer.groups > 1:
            rule = (
                f"must not be grouped at {name!r}, where each group has a small kernel of its own "
                "and no rank in common; name the other layers in rank"
            )
            _check.fail(caller, "model", rule, f"groups={layer.groups}")
        if owners[id(layer.weight)] > 1:
            rule = f"must not share the weight of layer {name!r}, which factors would untie"
            _check.fail(caller, "model", rule, f"{owners[id(layer.weight)]} layers with it")
        demand_numbers(caller, f"weight of layer {name!r}", layer.weight)


def _note(
    thin: nn.Module, report: Report, ladders: Mapping[str, Ladder], ranks: Mapping[str, Rank]
) -> str:
    """Which ranks were taken, and what share of weights and MACs they came to."""
    if not ranks:
        return "No layer was named, so none is factorized."
    rows = report.rows.items()
    macs = sum(c.macs or 0 for n, c in rows if any(_inside(n, name) for name in ranks))
    parts = (part for name in ranks for part in thin.get_submodule(name).children())
    weights = sum(part.get_parameter("weight").numel() for part in parts)
    kept = weights / sum(ladder.dense_weights for ladder in ladders.values())
    done = macs / max(sum(ladder.dense_macs for ladder in ladders.values()), 1)
    named = [f"{name or 'the layer'} {_in_words(rank)}" for name, rank in ranks.items()]
    if len(named) > _NAMED:
        named = [*named[:_NAMED], f"and {len(named) - _NAMED} more"]
    return (
        f"Ranks: {', '.join(named)}. What is factorized keeps {kept:.1%} of its weights, biases "
        f"apart, and does {done:.1%} of its MACs."
    )


def _inside(row: str, name: str) -> bool:
    return row.startswith(f"{name}.") if name else True


def _in_words(rank: Rank) -> str:
    return str(rank[0]) if len(rank) == 1 else str(rank)


class _Positions(Watcher):
    """Count the positions at which layers work."""

    def __init__(self, layers: Iterable[str]) -> None:
        self.pixels = {name or MODEL: Pixels() for name in layers}

    def leave(self, call: Call, out: object) -> None:
        pixels = self.pixels.get(call.name)
        if pixels is None:
            return
        x, y = next(call.inputs()), next(tensors_in(out))
        if isinstance(call.module, nn.Conv2d):
            images = y.numel() // (y.shape[-3] * y.shape[-2] * y.shape[-1])
            pixels.read += images * x.shape[-2] * x.shape[-1]
            pixels.rows_done += images * y.shape[-2] * x.shape[-1]
            pixels.out += images * y.shape[-2] * y.shape[-1]
        else:
            pixels.out += y.numel() // y.shape[-1]


def _pixels(model: nn.Module, x: Tensor, layers: Iterable[str]) -> dict[str, Pixels]:
    positions = _Positions(layers)
    run(model, x, positions)
    return {name: positions.pixels[name or MODEL] for name in layers}
