"""The LASSO: least squares with a price on every factor, so that most of them become zero."""

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor


def lasso(
    gram: Float[Tensor, "c c"], target: Float[Tensor, "c"], *, penalty: float, sweeps: int = 1000
) -> Float[Tensor, "c"]:
    """Minimise `b G b / 2 - b t + penalty * |b|_1`, one coordinate after the other.

    With `G = Z^T Z` and `t = Z^T y` it is least squares of y on the columns of Z with an L1
    penalty. Each coordinate has its best value in closed form: shrink towards zero, then divide.

    Args:
        gram: Products of the columns with one another.
        target: Products of the columns with y.
        penalty: The larger, the more factors are zero; at `max |t|` all are.
        sweeps: Times over all coordinates at most; it stops when nothing moves any more.

    >>> lasso(torch.eye(2), torch.tensor([3.0, 0.5]), penalty=1.0)
    tensor([2., 0.])

    Source: Friedman, Hastie and Tibshirani, "Regularization Paths for Generalized Linear Models via
    Coordinate Descent", 2010, eq. 5.
    """
    g, rest = gram.cpu().numpy(), target.cpu().numpy().copy()  # what is left to explain
    b = np.zeros_like(rest)  # from zero: of columns that say the same, the first takes all
    for _ in range(sweeps):
        largest = 0.0
        for i in range(len(b)):
            own = rest[i] + g[i, i] * b[i]
            new = np.sign(own) * max(abs(own) - penalty, 0.0) / g[i, i] if g[i, i] > 0 else 0.0
            moved = new - b[i]
            if moved:
                rest -= g[i] * moved
                b[i] = new
                largest = max(largest, abs(moved))
        if largest <= 1e-9 * np.abs(b).max(initial=0.0):
            break
    return torch.from_numpy(b).to(target)


def lasso_choice(
    gram: Float[Tensor, "c c"], target: Float[Tensor, "c"], *, n_stay: int
) -> Int[Tensor, "_"]:
    """The channels whose factors are not zero, at the penalty that leaves `n_stay` of them.

    Shares that are sums of others bring nothing, and the LASSO cannot tell which of them to drop:
    they go first. The penalty is found by halving its interval; where two factors vanish together,
    the larger ones of the last choice that is not too small stay.

    Args:
        gram: Products of the channels' shares in the output with one another.
        target: Products of the shares with the output.
        n_stay: How many stay.

    >>> lasso_choice(torch.eye(3), torch.tensor([3.0, 0.5, 2.0]), n_stay=2)
    tensor([0, 2])
    """
    alone = _independent(gram)
    if len(alone) <= n_stay:
        rest = [i for i in range(len(gram)) if i not in set(alone.tolist())]
        return torch.cat([alone, alone.new_tensor(rest[: n_stay - len(alone)])]).sort().values
    gram, target = gram[alone][:, alone], target[alone]
    scale = target.abs().max().clamp(min=torch.finfo(target.dtype).tiny)
    gram, target = gram / scale, target / scale
    low, high = 0.0, 1.0
    best = lasso(gram, target, penalty=0.0, sweeps=100)
    for _ in range(40):
        penalty = (low + high) / 2
        b = lasso(gram, target, penalty=penalty, sweeps=100)
        n = int(b.count_nonzero())
        if n >= n_stay:
            low, best = penalty, b
        else:
            high = penalty
        if n == n_stay:
            break
    return alone[best.abs().argsort(descending=True, stable=True)[:n_stay]].sort().values


def _independent(gram: Tensor) -> Int[Tensor, "_"]:
    """Columns of which none is a sum of others, the largest first: Cholesky with pivots."""
    left, size = gram.clone(), gram.diagonal().clamp(min=torch.finfo(gram.dtype).tiny)
    found: list[int] = []
    for _ in range(len(gram)):
        own = left.diagonal()
        own = own.where(own > 1e-9 * size, 0.0)  # below it, what is left is rounding
        i = int(own.argmax())
        if own[i] <= 0:
            break
        found.append(i)
        left = left - torch.outer(left[:, i], left[i]) / own[i]
        left[i] = left[:, i] = 0.0
    return torch.tensor(found, dtype=torch.int64, device=gram.device)
