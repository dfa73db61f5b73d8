"""A sparse matrix times planes is what SciPy computes, with a bias and within bounds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from efficientdl.kernels.planes import finish_of, floats_of, place_for, planes_of
from efficientdl.kernels.sparse import pack_blocks
from efficientdl.kernels.sparse.planes import (
    pack_for_planes,
    plane_matmul,
    plane_matmul_cost,
    plane_matmul_reference,
)
from efficientdl.kernels.threads import threads
from tests.kernels import modes
from tests.kernels.sparse.matrices import TOLERANCE, drawn, parts

ANY = (-np.inf, np.inf)


def image_of(k, size, seed=0):
    return np.random.default_rng(seed).standard_normal((k, *size)).astype(np.float32)


def wanted(sparse, image, bias=0.0, bounds=ANY):
    y = sparse @ image.reshape(len(image), -1).astype(np.float64)
    y = np.clip(y + np.reshape(bias, (-1, 1)), *bounds)
    return y.reshape(-1, *image.shape[1:])


def vectors(sparse):
    """The same rows, each four times, as vectors of four."""
    values, *rest = parts(sparse)
    return np.repeat(values[:, None], 4, axis=1), *rest


@settings(deadline=None, max_examples=60, database=None)
@given(
    m=st.integers(1, 70),
    k=st.integers(1, 300),
    size=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    density=st.sampled_from([0.0, 0.05, 0.3, 1.0]),
    bounds=st.sampled_from([ANY, (0, np.inf), (0, 6)]),
    n_threads=st.integers(1, 3),
    seed=st.integers(0, 2**16),
)
def test_it_equals_scipy(m, k, size, density, bounds, n_threads, seed):
    sparse, _ = drawn((m, k, 1), density, seed)
    image, bias = image_of(k, size, seed), np.linspace(-1, 1, m).astype(np.float32)
    weight, finish = pack_for_planes(*parts(sparse)), finish_of(bias, bounds)
    with threads(n_threads):
        y = plane_matmul(weight, planes_of(image), finish)
    expected = wanted(sparse, image, bias, bounds)
    np.testing.assert_allclose(y.image, expected, atol=TOLERANCE)
    reference = plane_matmul_reference(weight, image, finish)
    np.testing.assert_allclose(reference, expected, atol=TOLERANCE)


@pytest.mark.parametrize("size", [(1, 1), (3, 3), (7, 7), (8, 8), (14, 14), (5, 31)])
@pytest.mark.parametrize("bounds", [ANY, (0, 6)])
def test_rows_that_share_columns(size, bounds):
    sparse, _ = drawn((9, 200, 1), 0.3, seed=1)
    image, bias = image_of(200, size), np.linspace(-1, 1, 36).astype(np.float32)
    weight = pack_for_planes(*vectors(sparse))
    assert weight.height == 4
    y = plane_matmul(weight, planes_of(image), finish_of(bias, bounds)).image
    tall = np.repeat(sparse.toarray(), 4, axis=0)
    np.testing.assert_allclose(y, wanted(tall, image, bias, bounds), atol=TOLERANCE)


def test_the_identity_gives_the_planes_back():
    image = image_of(70, (5, 13))
    ones, places = np.ones(70, np.float32), np.arange(70, dtype=np.int32)
    weight = pack_for_planes(ones, places, np.arange(71, dtype=np.int32), 70)
    np.testing.assert_array_equal(plane_matmul(weight, planes_of(image)).image, image)


def test_products_follow_each_other_without_a_copy():
    first, _ = drawn((40, 30, 1), 0.3, seed=2)
    second, _ = drawn((20, 40, 1), 0.3, seed=3)
    image = image_of(30, (7, 7))
    between = plane_matmul(pack_for_planes(*parts(first)), planes_of(image))
    y = plane_matmul(pack_for_planes(*parts(second)), between)
    np.testing.assert_allclose(y.image, wanted(second @ first, image), atol=TOLERANCE)


def test_a_row_that_keeps_nothing_is_its_bias_within_bounds():
    weight = pack_for_planes(np.float32([1]), np.int32([99]), np.int32([0, 1, 1]), 100)
    y = plane_matmul(
        weight, planes_of(image_of(100, (3, 3))), finish_of(np.float32([0, -2]), (-1, 1))
    )
    np.testing.assert_array_equal(y.image[1], np.full((3, 3), -1))


def test_what_is_no_number_stays():
    weight = pack_for_planes(np.float32([1]), np.int32([0]), np.int32([0, 1]), 1)
    finish = finish_of(np.zeros(1, np.float32), (0, 6))
    y = plane_matmul(weight, planes_of(np.float32([[[np.nan, 7, -1]]])), finish)
    np.testing.assert_array_equal(y.image, [[[np.nan, 6, 0]]])


def test_what_lies_between_planes_changes_nothing_and_nothing_is_written_behind():
    sparse, _ = drawn((9, 6, 1), 0.5, seed=4)
    image, weight = image_of(6, (5, 5)), pack_for_planes(*parts(sparse))
    x = planes_of(image)
    x.floats.reshape(6, x.step)[:, x.pixels :] = np.nan
    n_floats = floats_of(weight.n_rows, 25)
    place = np.full(n_floats + 64, 7, np.float32)
    y = plane_matmul(weight, x, into=place)
    np.testing.assert_allclose(y.image, wanted(sparse, image), atol=TOLERANCE)
    assert (place[n_floats:] == 7).all()


def test_the_cost_counts_by_hand():
    sparse, _ = drawn((6, 9, 1), 0.5, seed=0)
    weight = pack_for_planes(*parts(sparse))
    cost = plane_matmul_cost(weight, (9, 2, 5))
    assert cost.macs == 10 * sparse.nnz
    assert cost.traffic_bytes == weight.n_bytes + 4 * (9 + 6) * 10


CODE = """
import numpy as np
from efficientdl.kernels.planes import finish_of, planes_of
from efficientdl.kernels.sparse.planes import pack_for_planes, plane_matmul, plane_matmul_reference

rng = np.random.default_rng(0)
for height in (1, 4):
    dense = rng.random((6, 20)) < 0.4
    columns, starts = dense.nonzero()[1], np.concatenate([[0], dense.sum(axis=1).cumsum()])
    values = rng.standard_normal((len(columns), height)).astype(np.float32)
    values = values[:, 0] if height == 1 else values
    weight = pack_for_planes(values, columns.astype(np.int32), starts.astype(np.int32), 20)
    finish = finish_of(np.ones(6 * height, np.float32), (0, 2))
    for size in ((1, 2), (7, 7), (8, 9)):
        image = rng.standard_normal((20, *size)).astype(np.float32)
        y = plane_matmul(weight, planes_of(image), finish).image
        wanted = plane_matmul_reference(weight, image, finish)
        np.testing.assert_allclose(y, wanted, rtol=1e-4, atol=1e-4)
"""


@modes.EACH
@pytest.mark.slow
def test_without_the_compiler_and_on_another_machine(environment):
    modes.run(CODE, environment)


LIST = np.float32([1]), np.int32([0]), np.int32([0, 1])
ONE = pack_for_planes(*LIST, 1)
X = planes_of(np.ones((1, 2, 2), np.float32))
ROOM = place_for("", None, 768)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: plane_matmul(LIST, X), TypeError, "plane_matmul: weight must be a BlockedRows"),
        (lambda: plane_matmul(ONE, X.image), TypeError, "plane_matmul: x must be a Planes"),
        (lambda: plane_matmul(pack_blocks(*LIST, 2), X), ValueError, "x must be 2 planes"),
        (
            lambda: plane_matmul(ONE, X, into=place_for("", None, 10)),
            ValueError,
            "plane_matmul: into must be 768 floats",
        ),
        (
            lambda: plane_matmul(ONE, planes_of(X.image, ROOM), into=ROOM),
            ValueError,
            "plane_matmul: into must not overlap x",
        ),
        (
            lambda: pack_for_planes(np.ones((1, 3), np.float32), *LIST[1:], 1),
            ValueError,
            r"height of the values must be in \[1, 4\], got 3",
        ),
        (
            lambda: pack_for_planes(LIST[0], np.int32([5]), LIST[2], 1),
            ValueError,
            "pack_for_planes: columns must rise",
        ),
    ],
)
def test_what_does_not_fit_is_named(call, error, words):
    with pytest.raises(error, match=words):
        call()
