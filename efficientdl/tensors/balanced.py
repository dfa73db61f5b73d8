"""Load-balanced masks: every processing element of a machine keeps the same number of weights.

Rows of a sparse matrix are dealt out to processing elements (PEs) that work side by side, row 0
to the first, row 1 to the next, round and round. The slowest decides when all are done, so
weights that are kept unevenly leave the others waiting.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from efficientdl import _check
from efficientdl.tensors.granularity import PerChannel


def kept_per_pe(mask: Bool[Tensor, "m ..."], *, n_pes: int) -> list[int]:
    """How many weights each processing element has to work on.

    Args:
        mask: True for each weight that stays; rows are dealt out, row `i` to element `i % n_pes`.
        n_pes: Processing elements, 1 or more, no more than there are rows.

    >>> kept_per_pe(torch.tensor([[True, True], [True, False], [True, True]]), n_pes=2)
    [4, 1]
    """
    _check_n_pes("kept_per_pe", mask, n_pes)
    return [int(mask[pe::n_pes].count_nonzero()) for pe in range(n_pes)]


def load_balance(mask: Bool[Tensor, "m ..."], *, n_pes: int) -> float:
    """Share of the time in which an average processing element works, 0..1; 1 is balanced.

    It is the mean load over the largest: all wait for the one that has the most weights.

    Args:
        mask: True for each weight that stays; rows are dealt out.
        n_pes: Processing elements, 1 or more, no more than there are rows.

    >>> load_balance(torch.tensor([[True, True], [True, False], [True, True]]), n_pes=2)
    0.625
    """
    loads = kept_per_pe(mask, n_pes=n_pes)
    return sum(loads) / len(loads) / max(loads) if any(loads) else 1.0


def keep_balanced(
    score: Float[Tensor, "m ..."],
    *,
    sparsity: float,
    n_pes: int,
    among: Bool[Tensor, "m ..."] | None = None,
) -> Bool[Tensor, "m ..."]:
    """Keep the largest scores of each processing element, the same number in all of them.

    Row `i` belongs to element `i % n_pes`. The number is the one with which the share of zeros
    comes nearest to `sparsity`; an element that has fewer weights than that keeps them all, which
    happens only where rows do not divide evenly and hardly anything is pruned. Of two equal
    scores the earlier one stays.

    Args:
        score: How much each weight is worth keeping. Filters are rows: one for each `c_out`.
        sparsity: Share of zeros, 0..1.
        n_pes: Processing elements, 1 or more, no more than there are rows.
        among: What an earlier mask kept. What it dropped stays dropped and counts as zero; where
            it left an element too few, the loads are no longer equal.

    Raises:
        BadValue: The sparsity or the elements are out of range, or a score is NaN.

    >>> score = torch.tensor([[9.0, 8.0], [1.0, 2.0], [7.0, 6.0], [3.0, 4.0]])
    >>> keep_balanced(score, sparsity=0.5, n_pes=2).int().tolist()  # two of each, not four of one
    [[1, 1], [0, 0], [0, 0], [1, 1]]

    Source: Han, Kang, Mao et al., "ESE: Efficient Speech Recognition Engine with Sparse LSTM on
    FPGA", FPGA 2017, section 3.2, "load balance-aware pruning"; the survey's sections 2.1 and 6.2;
    lab 02.
    """
    _check.in_range("keep_balanced", "sparsity", sparsity, 0, 1)
    _check_n_pes("keep_balanced", score, n_pes)
    if bool(score.isnan().any()):
        _check.fail("keep_balanced", "score", "must be numbers", float("nan"))
    matrix = PerChannel().group(score)
    kept = torch.ones_like(matrix, dtype=torch.bool) if among is None else PerChannel().group(among)
    sizes = [matrix[pe::n_pes].numel() for pe in range(n_pes)]
    n_kept = _number_for_each(sizes, (1 - sparsity) * score.numel())
    mask = torch.zeros_like(kept)
    for pe in range(n_pes):
        mask[pe::n_pes] = _keep(matrix[pe::n_pes], kept[pe::n_pes], n_kept)
    return mask.reshape(score.shape)


def _number_for_each(sizes: list[int], wanted: float) -> int:
    """How many each keeps, at most what it has, so that all together come nearest to `wanted`."""
    return min(range(max(sizes) + 1), key=lambda k: abs(sum(min(k, n) for n in sizes) - wanted))


def _keep(score: Tensor, kept: Tensor, n_kept: int) -> Bool[Tensor, "rows cols"]:
    """The best of one element, in the shape of its rows."""
    worth = score.masked_fill(~kept, float("-inf")).flatten()
    best_first = worth.argsort(descending=True, stable=True)[:n_kept]
    mine = torch.zeros_like(worth, dtype=torch.bool)
    mine[best_first] = True
    return mine.reshape(kept.shape) & kept


def _check_n_pes(caller: str, tensor: Tensor, n_pes: int) -> None:
    if tensor.ndim == 0:
        _check.fail(caller, "tensor", "must have rows to deal out", tuple(tensor.shape))
    _check.whole(caller, "n_pes", n_pes, 1, max(len(tensor), 1))
