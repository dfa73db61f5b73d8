"""A sparse matrix times a vector: each form equals SciPy's product, and is checked."""

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from efficientdl.kernels import cpu
from efficientdl.kernels.sparse import (
    Bitmap,
    BlockedRows,
    Permuted,
    matvec,
    matvec_cost,
    matvec_reference,
    pack_blocks,
    pack_matvec,
)
from efficientdl.kernels.sparse.vector_forms import bitmap, permuted
from efficientdl.kernels.threads import threads
from tests.kernels.sparse.matrices import DENSITIES, SHAPES, TOLERANCE, drawn, parts

FORMS = [bitmap, permuted, lambda *of: pack_blocks(*of, n=1), pack_matvec]


@settings(deadline=None, max_examples=60, database=None)
@given(
    shape=SHAPES,
    density=DENSITIES,
    form=st.sampled_from(FORMS),
    n_threads=st.sampled_from([1, 2]),
    seed=st.integers(0, 2**16),
)
def test_it_equals_scipy(shape, density, form, n_threads, seed):
    sparse, x = drawn(shape, density, seed)
    weight = form(*parts(sparse))
    with threads(n_threads):
        y = matvec(weight, x[:, 0])  # a column: not contiguous
    assert y.dtype == np.float32
    np.testing.assert_allclose(y, sparse @ x[:, 0], atol=TOLERANCE)
    np.testing.assert_allclose(matvec_reference(weight, x[:, 0]), y, atol=TOLERANCE)


@pytest.mark.parametrize("form", FORMS)
def test_the_identity_gives_its_argument(form):
    x = np.random.default_rng(0).standard_normal(70).astype(np.float32)
    starts = np.arange(71, dtype=np.int32)
    weight = form(np.ones(70, np.float32), starts[:-1], starts, 70)
    np.testing.assert_array_equal(matvec(weight, x), x)


def test_the_form_is_chosen_by_density_and_processor():
    wanted = {1.0: Bitmap, 0.1: Permuted} if cpu.has(cpu.AVX512) else dict.fromkeys((1.0, 0.1))
    for density, form in wanted.items():
        sparse, _ = drawn((20, 100, 1), density, seed=1)
        assert isinstance(pack_matvec(*parts(sparse)), form or BlockedRows)


@pytest.mark.parametrize("form", FORMS)
def test_the_cost_counts_what_is_kept(form):
    sparse, _ = drawn((20, 100, 1), 0.3, seed=1)
    weight = form(*parts(sparse))
    cost = matvec_cost(weight, (100,))
    assert cost.macs == sparse.nnz
    assert cost.traffic_bytes == weight.n_bytes + 4 * 120


def test_what_does_not_fit_is_refused():
    good = np.ones(1, np.float32), np.int32([1]), np.int32([0, 1])
    with pytest.raises(ValueError, match=r"pack_matvec: columns must rise"):
        pack_matvec(*good, 1)
    with pytest.raises(ValueError, match=r"pack_matvec: values must be a list"):
        pack_matvec(good[0][:, None], *good[1:], 2)
    with pytest.raises(ValueError, match=r"matvec: shape of x must have 1 axes, the first of le"):
        matvec(pack_matvec(*good, 2), np.ones(3, np.float32))
    with pytest.raises(TypeError, match=r"matvec: weight must be a Bitmap or Permuted or"):
        matvec(np.ones((1, 2)), np.ones(2, np.float32))  # pyright: ignore


@pytest.mark.parametrize(
    ("form", "name", "change", "message"),
    [
        (bitmap, "masks", lambda a: a | 1, "Bitmap: masks must have a one for each value"),
        (bitmap, "masks", lambda a: a[1:], "Bitmap: masks must be 20 times 2 words"),
        (bitmap, "values", lambda a: a[16:], "Bitmap: starts must be 21 places that rise"),
        (bitmap, "values", lambda a: a[:3], "Bitmap: values must be a list, 16 or longer"),
        (permuted, "masks", lambda a: a | 1, "Permuted: values must be one for each bit"),
        (permuted, "masks", lambda a: a[1:], "Permuted: blocks, masks and places must be"),
        (permuted, "blocks", lambda a: a + 4, "Permuted: blocks must be below 4"),
        (permuted, "places", lambda a: a[1:], "Permuted: blocks, masks and places must be"),
        (permuted, "firsts", lambda a: a + 1, "Permuted: firsts must be where the masks"),
        (permuted, "starts", lambda a: a[::-1], "Permuted: starts must be 3 places that rise"),
        (permuted, "m", lambda a: a + 16, "Permuted: starts must be 4 places"),
    ],
)
def test_a_weight_made_by_hand_is_checked_too(form, name, change, message):
    sparse, _ = drawn((20, 100, 1), 0.3, seed=1)
    weight = form(*parts(sparse))
    made_of = {name: getattr(weight, name) for name in [f.name for f in fields(weight)]}
    changed = np.asarray(change(made_of[name])) if name != "m" else change(made_of[name])
    if name == "masks":
        changed = changed.astype(made_of[name].dtype)
    with pytest.raises(ValueError, match=message):
        type(weight)(**{**made_of, name: changed})
