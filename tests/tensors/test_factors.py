"""Factors: Eckart-Young, tensors of known rank, and what peers find on the same tensor."""

import importlib

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from efficientdl.models import trained
from efficientdl.tensors.factors import cp, full_cp_rank, truncated_svd, tucker_2

SLOW = pytest.mark.slow


def drawn(*shape, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(shape))


def summed(factors):
    return torch.einsum("or,ir,yr,xr->oiyx", *factors)


def composed(core, u_out, u_in):
    return torch.einsum("pqyx,op,iq->oiyx", core, u_out, u_in)


def relative_error(near, kernel):
    return float((near - kernel).norm() / kernel.norm())


@settings(deadline=None, max_examples=20)
@given(m=st.integers(1, 9), k=st.integers(1, 9), rank=st.integers(1, 9), seed=st.integers(0, 99))
def test_svd_has_the_least_error_of_its_rank(m, k, rank, seed):
    rank = min(rank, m, k)
    matrix = drawn(m, k, seed=seed)
    left, right = truncated_svd(matrix, rank=rank)
    assert (left.shape, right.shape) == ((m, rank), (rank, k))
    tail = np.linalg.svd(matrix.numpy(), compute_uv=False)[rank:]  # Eckart and Young
    # 1e-12: float64 over sums of ten terms
    np.testing.assert_allclose(
        float((matrix - left @ right).norm()), np.sqrt((tail**2).sum()), atol=1e-12
    )


@pytest.mark.parametrize("shape", [(5, 4, 3, 3), (3, 8, 1, 5), (6, 1, 3, 3), (2, 7), (4, 3, 2)])
def test_cp_is_exact_at_its_full_rank(shape):
    tensor = drawn(*shape)
    factors = cp(tensor, rank=full_cp_rank(shape))
    letters = "abcd"[: len(shape)]
    spec = ",".join(f"{letter}z" for letter in letters) + f"->{letters}"
    torch.testing.assert_close(torch.einsum(spec, *factors), tensor, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("rank", "seed"), [(1, 0), (2, 1), (3, 2), (5, 3), (8, 4)])
def test_cp_finds_a_known_rank(rank, seed):
    planted = [drawn(size, rank, seed=10 * seed + i) for i, size in enumerate((16, 8, 3, 3))]
    kernel = summed(planted)
    # 1e-4: it stops when a round gains less than 1e-12 of the square, as it does when near
    assert relative_error(summed(cp(kernel, rank=rank, steps=5000)), kernel) < 1e-4


def test_cp_of_a_matrix_is_the_svd():
    matrix = drawn(7, 5)
    a, b = cp(matrix, rank=3)
    left, right = truncated_svd(matrix, rank=3)
    # 1e-6: a subspace is as exact as the root of the error
    torch.testing.assert_close(a @ b.T, left @ right, rtol=0, atol=1e-6)


def plain_als(kernel, rank, rng, steps=300):
    """Alternating least squares written as such, from a random start."""
    factors = [rng.standard_normal((size, rank)) for size in kernel.shape]
    for _ in range(steps):
        for axis in range(4):
            others = [factors[i] for i in range(4) if i != axis]
            design = np.einsum("ar,br,cr->abcr", *others).reshape(-1, rank)
            unfolded = np.moveaxis(kernel, axis, 0).reshape(kernel.shape[axis], -1)
            factors[axis] = np.linalg.lstsq(design, unfolded.T, rcond=None)[0].T
    near = np.einsum("or,ir,yr,xr->oiyx", *factors)
    return np.linalg.norm(near - kernel) / np.linalg.norm(kernel)


@pytest.mark.parametrize("rank", [2, 4])
def test_cp_is_as_near_as_random_starts_come(rank):
    kernel = drawn(8, 6, 3, 3, seed=7)
    peers = [plain_als(kernel.numpy(), rank, np.random.default_rng(seed)) for seed in range(4)]
    ours = relative_error(summed(cp(kernel, rank=rank)), kernel)
    # Each start ends in an optimum of its own; ours is in their midst, and at most 2 % above.
    assert ours < 1.02 * np.median(peers)


def test_more_rounds_are_never_further():
    kernel = drawn(8, 6, 3, 3, seed=3)
    for factorize in (
        lambda steps: summed(cp(kernel, rank=5, steps=steps)),
        lambda steps: composed(*tucker_2(kernel, ranks=(3, 2), steps=steps)),
    ):
        errors = [relative_error(factorize(steps), kernel) for steps in (0, 1, 2, 5, 20)]
        assert (np.diff(errors) <= 1e-12).all()
        assert errors[-1] < errors[0]


@settings(deadline=None, max_examples=20)
@given(p=st.integers(1, 6), q=st.integers(1, 5), seed=st.integers(0, 99))
def test_tucker_finds_known_ranks_and_is_between_its_bounds(p, q, seed):
    kernel = drawn(6, 5, 3, 3, seed=seed)
    core, u_out, u_in = tucker_2(kernel, ranks=(p, q))
    np.testing.assert_allclose(u_out.T @ u_out, np.eye(p), atol=1e-12)
    np.testing.assert_allclose(u_in.T @ u_in, np.eye(q), atol=1e-12)
    tails = [
        float((np.linalg.svd(unfolded.numpy(), compute_uv=False)[rank:] ** 2).sum())
        for unfolded, rank in ((kernel.flatten(1), p), (kernel.transpose(0, 1).flatten(1), q))
    ]
    squared = float((composed(core, u_out, u_in) - kernel).square().sum())
    # no nearer than either cut alone, no further than both added (De Lathauwer)
    assert max(tails) - 1e-9 <= squared <= sum(tails) + 1e-9
    exact = composed(core, u_out, u_in)
    again = composed(*tucker_2(exact, ranks=(p, q)))
    torch.testing.assert_close(again, exact, rtol=0, atol=1e-6)


def kernel_of(name):
    network, layer = name.split("/")
    return trained(network).get_submodule(layer).weight.detach().double()


def peer(name):
    pytest.importorskip("tensorly", reason="the peer is in the test extra: tensorly==0.10.0")
    return importlib.import_module(name)


@pytest.mark.parametrize(
    ("name", "ranks"),
    [
        ("small_cnn_mnist/conv2.conv", (4, 3)),
        ("small_cnn_mnist/conv2.conv", (8, 4)),
        ("small_cnn_mnist/conv3.conv", (4, 3)),
        ("small_cnn_mnist/conv3.conv", (16, 12)),
        ("lenet_5_mnist/conv2", (10, 6)),
    ],
)
def test_tucker_errors_are_tensorlys_on_trained_kernels(name, ranks):
    decomposition, tenalg = peer("tensorly.decomposition"), peer("tensorly.tenalg")
    kernel = kernel_of(name)
    (core, factors), _ = decomposition.partial_tucker(
        kernel.numpy(), rank=list(ranks), modes=[0, 1], n_iter_max=1000, tol=1e-14
    )
    theirs = tenalg.multi_mode_dot(core, factors, modes=[0, 1])
    ours = composed(*tucker_2(kernel, ranks=ranks, steps=200))
    # 1e-9: both are orthogonal iterations from the same start, run until they stand still
    np.testing.assert_allclose(
        relative_error(ours, kernel),
        relative_error(torch.from_numpy(theirs), kernel),
        rtol=1e-9,
    )


def peer_cp(kernel, rank, start, rounds):
    decomposition, cp_tensor = peer("tensorly.decomposition"), peer("tensorly.cp_tensor")
    found = decomposition.parafac(
        kernel.numpy(), rank, n_iter_max=rounds, tol=1e-13, init=start, random_state=0
    )
    return relative_error(torch.from_numpy(cp_tensor.cp_to_tensor(found)), kernel)


# tensorly fills up the factor of an axis that is shorter than the rank, and says so
fills_up = pytest.mark.filterwarnings("ignore:Trying to compute SVD")


@fills_up
@pytest.mark.parametrize(
    ("rank", "rounds"), [(1, 200), (2, 200), (8, 600), pytest.param(4, 2000, marks=SLOW)]
)
@pytest.mark.parametrize("start", ["svd", "random"])
def test_cp_errors_are_tensorlys_where_every_start_ends_in_one_optimum(rank, rounds, start):
    kernel = kernel_of("small_cnn_mnist/conv1.conv")
    ours = relative_error(summed(cp(kernel, rank=rank, steps=rounds)), kernel)
    # 1e-5: alternating least squares creeps; on both sides a round then gains less than that
    np.testing.assert_allclose(ours, peer_cp(kernel, rank, start, rounds), rtol=1e-5)


@fills_up
@pytest.mark.slow
@pytest.mark.parametrize("rank", [2, 4, 8])
def test_cp_is_not_worse_than_tensorly_where_starts_end_in_several_optima(rank):
    kernel = kernel_of("small_cnn_mnist/conv2.conv")
    ours = relative_error(summed(cp(kernel, rank=rank, steps=1000)), kernel)
    theirs = [peer_cp(kernel, rank, start, 1000) for start in ("svd", "random")]
    # Both starts know the tensor alone; 1e-4 is what a thousand rounds leave undone.
    assert ours <= theirs[0] * (1 + 1e-4)
    # A random start may be luckier: the optima of these kernels lie within a percent.
    assert ours <= theirs[1] * 1.01


def test_bad_values_are_named():
    kernel = drawn(4, 3, 3, 3)
    with pytest.raises(ValueError, match=r"truncated_svd: rank must be .* in \[1, 2\], got 3"):
        truncated_svd(drawn(2, 5), rank=3)
    with pytest.raises(ValueError, match=r"cp: rank must be .* in \[1, 27\], got 0"):
        cp(kernel, rank=0)
    with pytest.raises(ValueError, match=r"tucker_2: ranks must be .* in \[1, 3\], got 4"):
        tucker_2(kernel, ranks=(4, 4))
    kernel[0, 0, 0, 0] = float("nan")
    with pytest.raises(ValueError, match=r"cp: tensor must hold finite numbers alone, got nan"):
        cp(kernel, rank=1)
    with pytest.raises(ValueError, match=r"tucker_2: tensor must hold finite numbers alone"):
        tucker_2(kernel / 0, ranks=(1, 1))
    with pytest.raises(ValueError, match=r"truncated_svd: matrix must hold values, got \(0, 3\)"):
        truncated_svd(torch.zeros(0, 3), rank=1)
