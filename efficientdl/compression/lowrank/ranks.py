"""How thin a layer's factors are to be: as a rank, or as what is to be kept or spent.

A plain number is a rank. `Share`, `Energy`, `MacBudget` and `Vbmf` say what they want of the result,
and find the ranks on each layer's *ladder*: the ranks that it may take, from the least on, with what
each costs and keeps. Anything that is called like them will do as well.
"""  # noqa: E501

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor

from efficientdl import _check
from efficientdl.protocols import Policy
from efficientdl.tensors.vbmf import vbmf_rank

Rank = tuple[int, ...]


@dataclass(frozen=True)
class Spectrum:
    """The singular values of a matrix, largest first, and its shape."""

    singular: Float[Tensor, " l"]
    shape: tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class Ladder:
    """The ranks that one layer may take, from the cheapest step to the dearest.

    Attributes:
        ranks: One step for each; a rank is one number, or two for Tucker-2.
        weights: Weights of the factors on each step, biases apart.
        macs: MACs of the factors on each step, for the model's example input.
        dense_weights: Weights of the layer as it is.
        dense_macs: MACs of the layer as it is.
        energy: Share of the squared norm that a step keeps, 0..1; it grows from step to step.
        spectra: For each number of a rank, the singular values that it cuts.
    """

    ranks: tuple[Rank, ...]
    weights: tuple[int, ...]
    macs: tuple[int, ...]
    dense_weights: int
    dense_macs: int
    energy: Callable[[int], float]
    spectra: tuple[Spectrum, ...] = ()


@runtime_checkable
class RankRule(Protocol):
    """Choose a rank for each of several layers that it is given together."""

    def __call__(self, caller: str, ladders: Mapping[str, Ladder]) -> dict[str, Rank]: ...


# A plain number is a rank; the two of Tucker-2 may be given as a pair.
RankChoice = int | tuple[int, ...] | RankRule


@dataclass(frozen=True)
class Share:
    """The largest rank at which a layer has at most this share of its weights.

    Attributes:
        weights: Share of the layer's weights, biases apart, above 0 and at most 1.

    >>> Share(1.5)
    Traceback (most recent call last):
    efficientdl._check.BadValue: Share: weights must be above 0 and at most 1, got 1.5
    """

    weights: float

    def __post_init__(self) -> None:
        _demand_share("Share", "weights", self.weights)

    def __call__(self, caller: str, ladders: Mapping[str, Ladder]) -> dict[str, Rank]:
        """The last step of each ladder that costs no more."""
        return {name: self._of(caller, name, ladder) for name, ladder in ladders.items()}

    def _of(self, caller: str, name: str, ladder: Ladder) -> Rank:
        step = bisect_right(ladder.weights, self.weights * ladder.dense_weights)
        if step == 0:
            least = ladder.weights[0] / ladder.dense_weights
            rule = f"must leave layer {name!r} a share of {least:.3g}, its least, or more"
            _check.fail(caller, "rank", rule, self)
        return ladder.ranks[step - 1]


@dataclass(frozen=True)
class Energy:
    """The smallest rank that keeps this share of the squared norm; 1 keeps everything.

    For an SVD that is the share of the squared singular values; for a convolution made from
    responses, the share of their variance.

    Attributes:
        kept: Share of the squared norm, above 0 and at most 1.

    >>> Energy(0)
    Traceback (most recent call last):
    efficientdl._check.BadValue: Energy: kept must be above 0 and at most 1, got 0
    """

    kept: float

    def __post_init__(self) -> None:
        _demand_share("Energy", "kept", self.kept)

    def __call__(
        self,
        caller: str,  # noqa: ARG002 (all rules are called alike)
        ladders: Mapping[str, Ladder],
    ) -> dict[str, Rank]:
        """The first step of each ladder that keeps as much, the last one for all of it."""
        return {name: ladder.ranks[self._step(ladder)] for name, ladder in ladders.items()}

    def _step(self, ladder: Ladder) -> int:
        last = len(ladder.ranks) - 1
        if self.kept == 1:  # whatever rounding says of the step before
            return last
        return bisect_left(range(last), self.kept, key=ladder.energy)


@dataclass(frozen=True)
class MacBudget:
    """The largest ranks at which the layers together do at most so many MACs.

    Each layer keeps the same share of its own MACs, as nearly as its ranks allow. What a plain
    value concerns shares one budget; in `{layer name: budget}` every layer has its own.

    Attributes:
        macs: MACs of the layers concerned, for the example input.

    >>> MacBudget(0)
    Traceback (most recent call last):
    efficientdl._check.BadValue: MacBudget: macs must be a whole number, 1 or more, got 0
    """

    macs: int

    def __post_init__(self) -> None:
        _check.whole("MacBudget", "macs", self.macs, 1)

    def __call__(self, caller: str, ladders: Mapping[str, Ladder]) -> dict[str, Rank]:
        """The steps under the largest share that the budget allows."""
        least = sum(ladder.macs[0] for ladder in ladders.values())
        if least > self.macs:
            rule = f"must allow {least} MACs, what the least ranks of {_names(ladders)} do"
            _check.fail(caller, "rank", rule, self)
        shares = sorted({m / x.dense_macs for x in ladders.values() for m in x.macs if m}) or [1.0]

        def spent(share: float) -> int:
            return sum(x.macs[_step_below(x, share)] for x in ladders.values())

        allowed = shares[max(bisect_right(shares, self.macs, key=spent) - 1, 0)]
        return {name: x.ranks[_step_below(x, allowed)] for name, x in ladders.items()}


@dataclass(frozen=True)
class Vbmf:
    """The rank that variational Bayes finds under the noise in a layer's weights, one at least.

    It has nothing to set: see `efficientdl.tensors.vbmf.vbmf_rank`.
    """

    def __call__(self, caller: str, ladders: Mapping[str, Ladder]) -> dict[str, Rank]:
        """For each number of each rank, the rank of the matrix that it cuts."""
        return {name: self._of(caller, name, ladder) for name, ladder in ladders.items()}

    def _of(self, caller: str, name: str, ladder: Ladder) -> Rank:
        if not ladder.spectra:
            rule = f"must be another rule: the ranks of layer {name!r} cut no singular values"
            _check.fail(caller, "rank", rule, self)
        found = (vbmf_rank(s.singular, shape=s.shape) for s in ladder.spectra)
        return tuple(max(rank, 1) for rank in found)


def chosen_ranks(
    caller: str, ladders: Mapping[str, Ladder], rank: Policy[RankChoice]
) -> dict[str, Rank]:
    """The rank of each layer, from what was asked for.

    Args:
        caller: Who asks, for the error.
        ladders: The ranks that there are, by layer.
        rank: One value, of which a rule sees all the layers together, or a value by layer.

    Raises:
        BadValue: A rank is not among those of its layer.
    """
    if isinstance(rank, Mapping):
        each = {name: chosen_ranks(caller, {name: ladders[name]}, rank[name]) for name in ladders}
        return {name: ranks[name] for name, ranks in each.items()}
    if callable(rank):
        return rank(caller, ladders)
    return {name: _within(caller, name, rank, x.ranks[-1]) for name, x in ladders.items()}


def demand_rank(caller: str, value: object, *, n_numbers: int) -> None:
    """Demand a rank of 1 or more, a pair of them where there are two, or a rule."""
    if callable(value):
        return
    if isinstance(value, tuple) and n_numbers > 1:
        if len(value) != n_numbers:
            _check.fail(caller, "rank", f"must be {n_numbers} whole numbers, or one", value)
        for number in value:
            _check.whole(caller, "rank", number, 1)
    else:
        _check.whole(caller, "rank", value, 1)


def _within(caller: str, name: str, rank: int | tuple[int, ...], full: Rank) -> Rank:
    numbers = rank if isinstance(rank, tuple) else (rank,) * len(full)
    for number, most in zip(numbers, full, strict=True):
        if number > most:
            rule = f"must be at most {most} for layer {name!r}"
            _check.fail(caller, "rank", rule, rank)
    return numbers


def _step_below(ladder: Ladder, share: float) -> int:
    """The last step that does at most this share of the layer's MACs; the first, if none does."""
    return max(bisect_right(ladder.macs, share * ladder.dense_macs * (1 + 1e-12)) - 1, 0)


def _demand_share(caller: str, name: str, value: float) -> None:
    if not 0 < _check.number(caller, name, value) <= 1:
        _check.fail(caller, name, "must be above 0 and at most 1", value)


def _names(ladders: Mapping[str, Ladder]) -> str:
    return ", ".join(repr(name) for name in ladders)
