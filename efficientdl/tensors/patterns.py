"""Patterns: a few masks of a 3 x 3 kernel, one of which every kernel takes.

Each pattern keeps the same number of entries, so a compiler can unroll each into straight code
and sort the kernels by pattern.
"""

from itertools import combinations

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from efficientdl import _check

Patterns = Bool[Tensor, "patterns 3 3"]
CENTRE = 4  # of the nine places, read row by row
STARTS = 16  # first patterns that the search for a set begins with


def every_pattern(n_kept: int) -> Patterns:
    """All masks that keep `n_kept` of nine entries, the centre among them.

    The centre of a trained kernel is nearly always large; leaving the others to choose from
    makes 56 patterns of 4.

    Args:
        n_kept: How many entries stay, 1..9.

    >>> every_pattern(4).shape, bool(every_pattern(4)[:, 1, 1].all())
    (torch.Size([56, 3, 3]), True)

    Source: Niu et al., "PatDNN", ASPLOS 2020, section 4.1.
    """
    _check.whole("every_pattern", "n_kept", n_kept, 1, 9)
    others = [place for place in range(9) if place != CENTRE]
    rows = [[CENTRE, *chosen] for chosen in combinations(others, n_kept - 1)]
    pool = torch.zeros(len(rows), 9, dtype=torch.bool)
    pool.scatter_(1, torch.tensor(rows), value=True)
    return pool.unflatten(1, (3, 3))


def choose_patterns(
    energy: Float[Tensor, "kernels 3 3"], pool: Bool[Tensor, "pool 3 3"], *, n_patterns: int
) -> Patterns:
    """The patterns of a pool that together keep most, when each kernel takes the best of them.

    From each of the best single patterns on, the pattern is taken that adds most, one after the
    other; then patterns are exchanged, one for one, as long as that keeps more; the best of these
    sets is the result. No exchange betters it. Taking what adds most keeps, beyond what the best
    single pattern does, at least 63 % of what any choice could (the gain is submodular); the rest
    as a rule finds the best set there is, which is not certain.

    Args:
        energy: What each entry is worth, 0 or more: its square, say.
        pool: What to choose from.
        n_patterns: How many to choose, 1..; 4 to 6 is usual.

    >>> corner = torch.tensor([[9.0, 9, 0], [9, 9, 0], [0, 0, 0]])
    >>> chosen = choose_patterns(torch.stack([corner, corner.T]), every_pattern(4), n_patterns=1)
    >>> chosen[0].int()
    tensor([[1, 1, 0],
            [1, 1, 0],
            [0, 0, 0]], dtype=torch.int32)

    Source: Niu et al., "PatDNN", ASPLOS 2020, section 4.1, where the most frequent ones are
    taken; greedy: Nemhauser, Wolsey and Fisher, 1978; the survey's section 2.1.
    """
    _check.whole("choose_patterns", "n_patterns", n_patterns, 1, len(pool))
    if not bool((energy >= 0).all()):
        _check.fail("choose_patterns", "energy", "must be 0 or more", float(energy.min()))
    kept = kept_energy(energy, pool)
    firsts = kept.sum(dim=0).topk(min(STARTS, len(pool))).indices.tolist()
    sets = [_exchanged(kept, _grown(kept, first, n_patterns)) for first in firsts]
    return pool[max(sets, key=lambda chosen: float(_together(kept, chosen)))]


def kept_energy(
    energy: Float[Tensor, "kernels 3 3"], patterns: Patterns
) -> Float[Tensor, "kernels patterns"]:
    """What of each kernel each pattern keeps, in double precision."""
    return energy.double().flatten(1) @ patterns.flatten(1).double().T


def nearest_pattern(
    energy: Float[Tensor, "c_out c_in 3 3"], patterns: Patterns
) -> Int64[Tensor, "c_out c_in"]:
    """The number of the pattern that keeps most of each kernel; of equals, the first.

    >>> kernel = torch.tensor([[[[0.0, 0, 0], [5, 5, 0], [5, 0, 0]]]])
    >>> nearest_pattern(kernel, every_pattern(3)).shape
    torch.Size([1, 1])
    """
    return kept_energy(energy.flatten(0, 1), patterns).argmax(dim=1).unflatten(0, energy.shape[:2])


def _grown(kept: Float[Tensor, "kernels pool"], first: int, n: int) -> list[int]:
    """A set of `n` patterns, each the one that adds most to those before it."""
    chosen = [first]
    while len(chosen) < n:
        chosen.append(_best_addition(kept, chosen)[0])
    return chosen


def _exchanged(kept: Float[Tensor, "kernels pool"], chosen: list[int]) -> list[int]:
    """The set after all exchanges of one pattern for another that keep more."""
    place, stuck = 0, 0
    while stuck < len(chosen):  # until no place has a better pattern
        rest = chosen[:place] + chosen[place + 1 :]
        candidate, value = _best_addition(kept, rest)
        better = bool(value > _together(kept, chosen) * (1 + 1e-9))
        stuck = 0 if better else stuck + 1
        chosen = [*rest[:place], candidate, *rest[place:]] if better else chosen
        place = (place + 1) % len(chosen)
    return chosen


def _together(kept: Float[Tensor, "kernels pool"], chosen: list[int]) -> Float[Tensor, ""]:
    """What all kernels keep, each with the best pattern for it."""
    return kept[:, chosen].amax(dim=1).sum()


def _best_addition(kept: Float[Tensor, "kernels pool"], chosen: list[int]) -> tuple[int, Tensor]:
    """The pattern that, beside those chosen, keeps most, and how much they keep together."""
    floor = kept[:, chosen].amax(dim=1, keepdim=True) if chosen else torch.zeros_like(kept[:, :1])
    together = kept.maximum(floor).sum(dim=0)
    together[chosen] = -torch.inf
    best = int(together.argmax())
    return best, together[best]
