"""Matrices and tensors as products of thin ones: truncated SVD, CP, Tucker-2.

Each function takes a tensor and gives its factors, computed in float64 whatever the tensor's
dtype: what a network does with them is decided above.
"""

from itertools import pairwise
from math import prod
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from efficientdl import _check

_LETTERS = "abcdefghijklmnopqrstuvwxy"  # an axis each; z runs over the terms of a sum


class Tucker2(NamedTuple):
    """A tensor whose first two axes are products: `core[p, q, ...] u_out[o, p] u_in[i, q]`."""

    core: Float[Tensor, "r_out r_in *rest"]
    u_out: Float[Tensor, "c_out r_out"]
    u_in: Float[Tensor, "c_in r_in"]


def demand_numbers(caller: str, name: str, tensor: Tensor) -> Float[Tensor, "..."]:
    """The tensor in float64, apart from autograd, when every value is finite.

    Raises:
        BadValue: It is empty, or holds NaN or an infinity.
    """
    wide = tensor.detach().to(torch.float64)
    if not wide.numel():
        _check.fail(caller, name, "must hold values", tuple(tensor.shape))
    odd = wide[~wide.isfinite()]
    if odd.numel():
        _check.fail(caller, name, "must hold finite numbers alone", float(odd[0]))
    return wide


def truncated_svd(
    matrix: Float[Tensor, "m k"], *, rank: int
) -> tuple[Float[Tensor, "m t"], Float[Tensor, "t k"]]:
    """The nearest product of a tall and a wide matrix, by singular value decomposition.

    Of `W = U S V^T` the `rank` largest singular values stay, each shared out as its square root to
    both sides: `(U sqrt(S)) (sqrt(S) V^T)`. No other product of that rank is nearer.

    Args:
        matrix: What to factorize.
        rank: How many singular values stay, from 1 to the shorter side.

    >>> left, right = truncated_svd(torch.ones(3, 4), rank=1)
    >>> torch.allclose(left @ right, torch.ones(3, 4, dtype=torch.float64))
    True

    Source: Eckart and Young, "The approximation of one matrix by another of lower rank", 1936;
    Golub and Van Loan, "Matrix Computations", section 2.4; the survey's section 2.2; lab 03.
    """
    wide = demand_numbers("truncated_svd", "matrix", matrix)
    _check.whole("truncated_svd", "rank", rank, 1, min(wide.shape))
    u, s, vt = torch.linalg.svd(wide, full_matrices=False)
    root = s[:rank].sqrt()
    return u[:, :rank] * root, root[:, None] * vt[:rank]


def tucker_2(tensor: Float[Tensor, "c_out c_in *rest"], *, ranks: tuple[int, int], steps: int = 50
) -> Tucker2:  # fmt: skip
    """Tucker-2: a smaller core, and a basis for each of the first two axes.

    `K[o, i, ...] ~ sum_pq core[p, q, ...] u_out[o, p] u_in[i, q]`. The bases are first the leading
    singular vectors of either unfolding (HOSVD); then each in turn is made the best one for the
    other (orthogonal iteration, HOOI), which never makes the error larger.

    Args:
        tensor: What to factorize; a convolution's kernel, say.
        ranks: Size of the core along the first and the second axis.
        steps: Rounds of orthogonal iteration; 0 is HOSVD alone.

    >>> k = torch.arange(24.0).reshape(4, 3, 2)
    >>> core, u_out, u_in = tucker_2(k, ranks=(2, 3))
    >>> core.shape
    torch.Size([2, 3, 2])

    Source: Kim, Park, Yoo, Choi, Yang and Shin, "Compression of Deep Convolutional Neural Networks
    for Fast and Low Power Mobile Applications", ICLR 2016, section 3.1; De Lathauwer, De Moor and
    Vandewalle, "On the best rank-1 and rank-(R1, ..., RN) approximation of higher-order tensors",
    2000, algorithm 4.2; the survey's section 2.2; lab 03.
    """
    wide = demand_numbers("tucker_2", "tensor", tensor)
    c_out, c_in = wide.shape[:2]
    r_out, r_in = ranks
    _check.whole("tucker_2", "ranks", r_out, 1, c_out)
    _check.whole("tucker_2", "ranks", r_in, 1, c_in)
    u_out = leading_vectors(wide, axis=0)[:, :r_out]
    u_in = leading_vectors(wide, axis=1)[:, :r_in]
    for _ in range(steps):
        u_out = leading_vectors(torch.einsum("oi...,iq->oq...", wide, u_in), axis=0)[:, :r_out]
        u_in = leading_vectors(torch.einsum("oi...,op->pi...", wide, u_out), axis=1)[:, :r_in]
    core = torch.einsum("oi...,op,iq->pq...", wide, u_out, u_in)
    return Tucker2(core, u_out, u_in)


def unfolding(tensor: Float[Tensor, "..."], *, axis: int) -> Float[Tensor, "m k"]:
    """The tensor as a matrix whose rows run along one axis.

    >>> unfolding(torch.arange(6).reshape(1, 3, 2).float(), axis=1)
    tensor([[0., 1.],
            [2., 3.],
            [4., 5.]])
    """
    return tensor.movedim(axis, 0).flatten(1)


def leading_vectors(tensor: Float[Tensor, "..."], *, axis: int) -> Float[Tensor, "m m"]:
    """An orthonormal basis along one axis, from the direction that holds most to the least.

    >>> leading_vectors(torch.tensor([[0.0, 0.0], [3.0, 4.0]]), axis=0).abs()
    tensor([[0., 1.],
            [1., 0.]])
    """
    matrix = unfolding(tensor, axis=axis)
    # Eigenvectors of the small square complete the basis where the matrix has fewer columns.
    return torch.linalg.eigh(matrix @ matrix.T).eigenvectors.flip(1)


def cp(
    tensor: Float[Tensor, "..."], *, rank: int, steps: int = 200
) -> list[Float[Tensor, "_ rank"]]:
    """CP: a sum of rank-one tensors, by alternating least squares.

    `K[o, i, ...] ~ sum_r a[o, r] b[i, r] ...`. With all factors but one held still, the one is a
    least-squares problem with a closed solution; each is solved in turn, until a round gains less
    than one part in 10^12. It starts from the largest terms of an exact sum, so nothing is drawn:
    at the rank of that sum (`full_cp_rank`) it is exact, and on a matrix it is the SVD.

    Args:
        tensor: What to factorize.
        rank: How many rank-one tensors, from 1 to `full_cp_rank`.
        steps: Rounds over all factors at most.

    >>> a, b, c = cp(torch.ones(4, 3, 2), rank=1)
    >>> bool(torch.allclose(torch.einsum("ir,jr,kr->ijk", a, b, c), torch.ones(1).double()))
    True

    Source: Lebedev, Ganin, Rakhuba, Oseledets and Lempitsky, "Speeding-up Convolutional Neural
    Networks Using Fine-tuned CP-Decomposition", ICLR 2015, section 3.1; Kolda and Bader, "Tensor
    Decompositions and Applications", 2009, section 3.4; the survey's section 2.2; lab 03.
    """
    wide = demand_numbers("cp", "tensor", tensor)
    _check.whole("cp", "rank", rank, 1, full_cp_rank(tuple(wide.shape)))
    factors = [factor[:, :rank] for factor in _exact_sum(wide)]
    total = float(wide.square().sum())
    errors = [_squared_error(wide, factors)]
    for _ in range(steps):
        better = _round(wide, factors)
        errors.append(_squared_error(wide, better))
        if not errors[-1] < errors[-2]:  # as near as float64 comes: keep the round before
            break
        factors = better
        if errors[-2] - errors[-1] < 1e-12 * total:
            break
    return factors


def full_cp_rank(shape: tuple[int, ...]) -> int:
    """A number of rank-one tensors that is enough for every tensor of this shape.

    One for each entry of all axes but the longest: `K = sum e_i (x) e_j (x) ... (x) K[i, j, ..., :]`.

    >>> full_cp_rank((64, 32, 3, 3))
    288
    """  # noqa: E501
    return prod(sorted(shape)[:-1])


def _exact_sum(tensor: Tensor) -> list[Tensor]:
    """Factors of an exact sum of rank-one tensors, the largest term first.

    The shortest axis is split off by SVD, then the next one from each remainder, to the last.
    """
    order = sorted(range(tensor.ndim), key=lambda axis: tensor.shape[axis])
    rest = tensor.permute(order)[None]  # one remainder for each term so far
    vectors: list[Tensor] = []
    for size, following in pairwise(rest.shape[1:]):
        n_terms = len(rest)
        u, s, vt = torch.linalg.svd(rest.reshape(n_terms, size, -1), full_matrices=False)
        split = s.shape[1]
        vectors = [v.repeat_interleave(split, dim=1) for v in vectors]
        vectors.append(u.permute(1, 0, 2).reshape(size, -1))
        rest = (s[:, :, None] * vt).reshape(n_terms * split, following, *rest.shape[3:])
    vectors.append(rest.reshape(len(rest), -1).T)
    largest = vectors[-1].norm(dim=0).argsort(descending=True, stable=True)
    back = sorted(range(tensor.ndim), key=lambda axis: order[axis])
    return _balanced([vectors[axis][:, largest] for axis in back])


def _balanced(factors: list[Tensor]) -> list[Tensor]:
    """The same sum with each term's vectors equally long."""
    norms = torch.stack([factor.norm(dim=0) for factor in factors])
    each = norms.prod(dim=0) ** (1 / len(factors))
    safe = torch.where(norms > 0, norms, 1)
    return [factor * (each / norm) for factor, norm in zip(factors, safe, strict=True)]


def _round(tensor: Tensor, factors: list[Tensor]) -> list[Tensor]:
    """One least-squares solution after another, for every factor."""
    factors = list(factors)
    for axis in range(tensor.ndim):
        others = [f for other, f in enumerate(factors) if other != axis]
        gram = torch.stack([f.T @ f for f in others]).prod(dim=0)
        target = _contracted(tensor, others, axis)
        factors[axis] = target @ torch.linalg.pinv(gram, hermitian=True, rtol=1e-12)
    return _balanced(factors)


def _contracted(tensor: Tensor, others: list[Tensor], axis: int) -> Tensor:
    """The unfolding along an axis times all products of the others' columns, one at a time.

    The longest of them goes first, which leaves little for the rest and never builds the products.
    """
    letters = _LETTERS[: tensor.ndim]
    rest = [letter for i, letter in enumerate(letters) if i != axis]
    pairs = sorted(zip(others, rest, strict=True), key=lambda pair: -len(pair[0]))
    left, spec = tensor, letters
    for factor, letter in pairs:
        kept = spec.replace(letter, "").replace("z", "") + "z"
        left = torch.einsum(f"{spec},{letter}z->{kept}", left, factor)
        spec = kept
    return left


def _khatri_rao(factors: list[Tensor]) -> Tensor:
    """Products of the columns, one row for each combination of indices."""
    product = factors[0]
    for factor in factors[1:]:
        product = (product[:, None] * factor[None]).flatten(0, 1)
    return product


def _squared_error(tensor: Tensor, factors: list[Tensor]) -> float:
    first, *others = factors
    return float((unfolding(tensor, axis=0) - first @ _khatri_rao(others).T).square().sum())
